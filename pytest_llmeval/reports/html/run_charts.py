"""The charts of a run, for each suite and model: slices with baseline and goal, scores, and latency."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import read_column
from pytest_llmeval.core.metrics import score_names, summarise
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS, Rule, Thresholds
from pytest_llmeval.core.stats.intervals import quantile
from pytest_llmeval.reports.beside_baseline import Beside
from pytest_llmeval.reports.html.charts import Bar, histogram, slice_bars, steps
from pytest_llmeval.reports.html.escape import Html, element
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.run_view import GOAL_KINDS, RunView, SuiteView, goal_and_worst

__all__ = ["main_score", "run_charts"]

_MOST = 20
"""Largest number of suites and models that get charts."""
_COLUMNS = 10
"""Number of columns of a histogram of scores."""


def main_score(suite: str, cases: Sequence[JudgedCase], rules: Thresholds) -> str:
    """Return the main score of a suite; ``pass_rate`` if its cases have no scores.

    It is the score of the suite's first rule on one, else the first by name that can pass or fail, else the first by
    name.
    """
    names = score_names(cases)
    ruled = [rule.metric for rule in rules.suites[suite].rules] if suite in rules.suites else []
    demanding = sorted({name for case in cases for name, passed in case.passed.items() if passed is not None})
    wanted = [*(metric for metric in ruled if metric in names), *demanding, *names]
    return wanted[0] if wanted else "pass_rate"


def run_charts(
    view: RunView,
    cases: Mapping[tuple[str, str], Sequence[JudgedCase]],
    beside: Mapping[tuple[str, str], Beside],
    mains: Mapping[str, str],
    rules: Thresholds,
) -> dict[str, Html]:
    """Return the charts of each suite by name, for the first 20 suites and models.

    Args:
        view: the run.
        cases: its cases, by suite and model.
        beside: the baseline's counterpart of each suite and model.
        mains: the main score of each suite.
        rules: the thresholds, which say what a score has to reach.
    """
    shown = [(suite, model) for suite in view.suites for model in suite.models][:_MOST]
    found: dict[str, list[Html]] = {}
    for suite, model in shown:
        key = (suite.name, model)
        before = beside[key].before if key in beside else ()
        name = mains[suite.name]
        many = f" on {model}" if len(suite.models) > 1 else ""
        bars = list(_bars(suite, model, name, cases[key], before, rules))
        found.setdefault(suite.name, []).append(slice_bars(f"{name}{many}", bars))
        found[suite.name] += _scores(name, many, cases[key])
        found[suite.name] += _latency(many, cases[key])
    return {name: element("div", *figures, class_="le-charts") for name, figures in found.items()}


def _bars(
    suite: SuiteView,
    model: str,
    name: str,
    cases: Sequence[JudgedCase],
    before: Sequence[JudgedCase],
    rules: Thresholds,
) -> Iterator[Bar]:
    """Yield a bar for the whole suite, then one for each slice."""
    was = {metric.slice: metric.value for metric in summarise(before) if metric.name == name}
    for metric in summarise(cases):
        if metric.name != name:
            continue
        rows = [row for row in suite.rows if (row.model, row.slice, row.metric) == (model, metric.slice, name)]
        goal = _goal(suite.name, model, metric.slice, name, rules)
        verdict, worse = goal_and_worst(rows, None if goal is None else goal.text)
        yield Bar(
            label=metric.slice if metric.slice is not None else "all",
            value=metric.value,
            low=metric.low,
            high=metric.high,
            n=metric.n,
            baseline=was.get(metric.slice),
            bar=None if goal is None else goal.bound,
            verdict=verdict,
            worse=worse,
        )


def _goal(suite: str, model: str, part: str | None, name: str, rules: Thresholds) -> Rule | None:
    """Return the rule whose bound is drawn as the goal, if any."""
    found: list[Rule] = list(rules.suites[suite].rules) if suite in rules.suites else []
    goals = (
        rule
        for rule in found
        if rule.kind in GOAL_KINDS and (rule.metric, rule.slice) == (name, part) and rule.model in (None, model)
    )
    return next(goals, None)


def _scores(name: str, many: str, cases: Sequence[JudgedCase]) -> Iterator[Html]:
    """Yield a histogram of a score's values, unless they are all 0 or 1, which the bars already show."""
    values = read_column(name, cases).cases()
    if {*values} <= {0.0, 1.0} or name in (*COUNTED_METRICS, *MEASURED_METRICS):
        return
    low, high = min(0.0, *values), max(1.0, *values)
    edges = [low + (high - low) * place / _COLUMNS for place in range(_COLUMNS + 1)]
    note = f"{len(values):,} values, median {short(quantile(values, 50) or 0.0)}"
    yield histogram(f"Values of {name}{many}", values, edges, note=note)


def _latency(many: str, cases: Sequence[JudgedCase]) -> Iterator[Html]:
    values = read_column("latency_s", [case for case in cases if not case.cached]).cases()
    if not values:
        return
    half, most = quantile(values, 50) or 0.0, quantile(values, 95) or 0.0
    lie = f"median {short(half)} s, 95th percentile {short(most)} s"
    note = f"{len(values):,} cases, {lie}; those from a cache are left out"
    edges = steps(min(values), max(values))
    yield histogram(f"Latency{many}", values, edges, unit=" s", note=note)
