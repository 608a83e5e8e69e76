"""Checks before a run takes over a baseline's name: it must not silently lack suites or metrics that rules compare."""

import contextlib
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmeval.cli.project import Project
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.core.errors import StoreError, ThresholdsError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import read
from pytest_llmeval.core.rules import MEASURED_METRICS, REGRESSION_KINDS, Thresholds
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["check_replaces"]


@dataclass(slots=True)
class _Had:
    """Metrics found in the cases of a run, by suite."""

    metrics: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Metrics that rules compare and some case has a value of."""
    judged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Those of the metrics that come from a judge."""


def check_replaces(store: SqliteStore, name: str, run: Run, cases: Iterable[JudgedCase], project: Project) -> None:
    """Refuse a run that lacks suites or metrics that the baseline of this name has and rules compare.

    Args:
        store: holds the baseline.
        name: the name that the run is to get.
        run: the run.
        cases: the cases of the run.
        project: the project with the rules.

    Raises:
        StoreError: the run lacks some; the scores says what to do.
    """
    before = next((each.run_id for each in store.baselines() if each.name == name), None)
    if before is None or before == run.id:
        return
    compared = _compared(project, run)
    old, new = _had(store.judged(before), compared), _had(cases, compared)
    shown = one_line(name, 100)
    whose = f"which baseline {shown} (run {before}) has"
    give_up = f"llmeval baseline rm {shlex.quote(shown)}{store.db_option}"
    gone = _gone(run, old, new)
    if gone:
        suites = f"{'suite' if len(gone) == 1 else 'suites'} {', '.join(map(shown_value, gone))}"
        raise StoreError(
            f"run {run.id} has no case of {suites}, {whose}: rules on a change would no longer be judged there. Run all"
            f" evals ({project.run_evals}), use another name, or give them up with: {give_up}"
        )
    lacking = {suite: sorted(old.metrics[suite] - found) for suite, found in new.metrics.items()}
    lost = [(suite, metric) for suite, metrics in sorted(lacking.items()) for metric in metrics]
    if lost:
        scores = ", ".join(f"{shown_value(metric)} in suite {shown_value(suite)}" for suite, metric in lost)
        judge = " --judge-model SPEC" if any(metric in old.judged[suite] for suite, metric in lost) else ""
        raise StoreError(
            f"run {run.id} has no value of {scores}, {whose}: rules on its change would be unmeasurable. Run all evals"
            f" ({project.run_evals}{judge}), use another name, or give it up with: {give_up}"
        )


def _compared(project: Project, run: Run) -> Mapping[str, frozenset[str]]:
    """Return the scores that rules compare with a baseline, by suite; empty if the rules cannot be read.

    Numbers measured from calls are excluded: a rescored run has none, and may be a baseline all the same.
    """
    rules = Thresholds()
    with contextlib.suppress(ThresholdsError):  # the next session reports the mistake
        rules = rules_for(project, run, None)
    return {
        name: frozenset(rule.metric for rule in suite.rules if rule.kind in REGRESSION_KINDS) - {*MEASURED_METRICS}
        for name, suite in rules.suites.items()
    }


def _had(cases: Iterable[JudgedCase], compared: Mapping[str, frozenset[str]]) -> _Had:
    found = _Had()
    for case in cases:
        metrics = [metric for metric in compared.get(case.suite, ()) if read(metric, case).value is not None]
        found.metrics[case.suite].update(metrics)
        found.judged[case.suite].update(metric for metric in metrics if case.judge_ids.get(metric))
    return found


def _gone(run: Run, old: _Had, new: _Had) -> list[str]:
    """Return the suites of the baseline that the run lacks although they may still exist."""
    gone = sorted(old.metrics.keys() - new.metrics.keys())
    others = run.settings.get("other_suites")
    return gone if others is None else [suite for suite in gone if suite in others]
