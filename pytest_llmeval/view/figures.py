"""The charts of a run: each score by slice, with its baseline value and its goal."""

from collections.abc import Mapping, Sequence

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.metrics import summarise
from pytest_llmeval.core.rules import MEASURED_METRICS, kind_of
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.html.charts import Bar, slice_bars
from pytest_llmeval.reports.html.escape import Html
from pytest_llmeval.reports.run_view import GOAL_KINDS, RunView, SuiteView, TableRow, goal_and_worst
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["suite_charts", "values_before"]

Values = Mapping[tuple[str, str, str, str | None], float | None]
"""Values of metrics by suite, model, metric and slice."""

_LONGEST_NAME = 120
_MOST = 12
"""Largest number of charts of a suite."""


def values_before(view: RunView, base: FoundBaseline | None) -> Values:
    """Return the values of a run's metrics in its baseline; empty if there is none or it cannot be read."""
    if base is None:
        return {}
    try:
        opponents = Opponents(base.baseline(), [suite.name for suite in view.suites], why_none="")
    except StoreError:  # the baseline's file is damaged
        return {}
    return {
        (suite.name, model, metric.name, metric.slice): metric.value
        for suite in view.suites
        for model in suite.models
        for metric in summarise(opponents.find(suite.name, model, is_only=len(suite.models) == 1).cases)
    }


def suite_charts(view: RunView, was: Values) -> dict[str, list[Html]]:
    """Return the charts of each suite: one for each model and score, with bars for the whole suite and its slices.

    Args:
        view: the run.
        was: the values of its metrics in the baseline.
    """
    return {suite.name: _charts(suite, was) for suite in view.suites}


def _charts(suite: SuiteView, was: Values) -> list[Html]:
    rows: dict[tuple[str, str], dict[str | None, list[TableRow]]] = {}
    for row in (*suite.numbers, *suite.rows):  # a metric's own row before those of its rules
        rows.setdefault((row.metric, row.model), {}).setdefault(row.slice, []).append(row)
    many = len(suite.models) > 1
    return [
        slice_bars(
            one_line(f"{metric} on {model}" if many else metric, _LONGEST_NAME),
            [
                _bar(part, found, was.get((suite.name, model, metric, part)))
                for part, found in sorted(parts.items(), key=lambda each: (each[0] is not None, each))
            ],
        )
        for (metric, model), parts in list(rows.items())[:_MOST]
        if metric not in MEASURED_METRICS and _is_share(parts)
    ]


def _is_share(parts: dict[str | None, list[TableRow]]) -> bool:
    """Return whether there are values, and all are from 0 to 1, so that a common scale can show them."""
    values = [row.value for found in parts.values() for row in found if row.value is not None]
    return bool(values) and all(0 <= value <= 1 for value in values)


def _bar(part: str | None, rows: Sequence[TableRow], was: float | None) -> Bar:
    """Return the bar of a slice (None: the whole suite): the first row gives its length, the worst rule its colour."""
    goal = next((each.rule for each in rows if _bound(each.rule) is not None), None)
    verdict, worse = goal_and_worst(rows, goal)
    row = rows[0]
    changes = [each.value - each.delta for each in rows if each.value is not None and each.delta is not None]
    return Bar(
        label="all" if part is None else one_line(part, _LONGEST_NAME),
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
        baseline=changes[0] if was is None and changes else was,
        bar=_bound(goal),
        verdict=verdict,
        worse=worse,
    )


def _bound(rule: str | None) -> float | None:
    """Return the goal that a rule draws: 0.8 for ``min=0.8``; None for rules without one."""
    _, _, told = (rule or "").partition("=")
    try:
        return float(told.split()[0]) if kind_of(rule or "") in GOAL_KINDS else None
    except (ValueError, IndexError):
        return None
