"""Proposed rules for suites that have none: bounds that the answers of a run meet, with room for chance."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.metrics import Metric, summarise
from pytest_llmeval.core.planning.plan import plan
from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds

__all__ = ["MAX_DROP", "Proposal", "propose"]

MAX_DROP = 0.02
"""Drop that a proposed rule allows, in the unit of the scores."""
_STEPS = 100
"""Steps per unit: a proposed bound is rounded to hundredths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The rules proposed for one metric of one suite, based on the model with the lowest value."""

    suite: str
    metric: str
    model: str
    models: int
    """Number of models that the run has in this suite."""
    n: int
    """Number of rows with a value."""
    value: float
    """Mean over the rows, in [0, 1]."""
    min: float | None
    """Lowest lower end of the models' 95 % intervals, rounded down; None if that is 0 or cannot be estimated."""
    sees: float | None
    """Smallest drop that ``max_drop`` detects in the requested share of runs if all proposals are adopted; None if it
    detects none, so that it is not proposed."""


def propose(
    thresholds: Thresholds, cases: Sequence[JudgedCase], other: Iterable[JudgedCase] = (), *, power: float = 0.8
) -> tuple[Proposal, ...]:
    """Return the proposals for the suites without rules, in alphabetical order.

    They are about the scores in [0, 1], made by scorers and judges, that decide whether a case passed, or about
    ``pass_rate`` if a suite has no such score. For a number that a test records itself it is unknown whether more is
    better.

    Args:
        thresholds: the existing rules.
        cases: cases of the run that the proposals are based on.
        other: cases of another run of the same rows, to measure how much answers vary if the run has one epoch.
        power: share of runs in which a drop is to be detected, in (0, 1).
    """
    bare = [case for case in cases if not thresholds.has_rules(case.suite)]
    deciding = _deciding(bare)
    worst: dict[tuple[str, str], list[Metric]] = {}
    for metric in summarise(bare):
        if metric.slice is None and metric.value is not None and metric.name in deciding.get(metric.suite, ()):
            worst.setdefault((metric.suite, metric.name), []).append(metric)
    proposals = [_proposal(metrics) for metrics in worst.values()]
    seen = _seen(thresholds, proposals, cases, other, power)
    return tuple(replace(each, sees=seen.get((each.suite, each.metric))) for each in proposals)


def _deciding(cases: Iterable[JudgedCase]) -> dict[str, set[str]]:
    """Return the metrics to make proposals for, by suite."""
    found: dict[str, set[str]] = {}
    beyond: dict[str, set[str]] = {}
    for case in cases:
        made = {name for name in case.scores if case.digests.get(name) or case.judge_ids.get(name)}
        names = {name for name in made if case.passed.get(name) is not None}
        found.setdefault(case.suite, set()).update(names)
        odd = {name for name, value in case.scores.items() if value is not None and not 0 <= value <= 1}
        beyond.setdefault(case.suite, set()).update(odd)
    return {suite: (names - beyond[suite]) or {"pass_rate"} for suite, names in found.items()}


def _proposal(metrics: Sequence[Metric]) -> Proposal:
    least = min(metrics, key=lambda metric: (metric.value or 0.0, metric.model))
    lows = [metric.low for metric in metrics if metric.low is not None]
    bound = math.floor(min(lows) * _STEPS) / _STEPS if len(lows) == len(metrics) else 0.0
    return Proposal(
        suite=least.suite,
        metric=least.name,
        model=least.model,
        models=len(metrics),
        n=least.n,
        value=least.value or 0.0,
        min=bound if bound > 0 else None,
        sees=None,
    )


def _seen(
    thresholds: Thresholds,
    proposals: Iterable[Proposal],
    cases: Sequence[JudgedCase],
    other: Iterable[JudgedCase],
    power: float,
) -> Mapping[tuple[str, str], float | None]:
    """Return by suite and metric the smallest drop that a proposal detects with every model; None if there is none."""
    suites = dict(thresholds.suites)
    for each in proposals:
        rules = suites.get(each.suite, SuiteRules(name=each.suite, settings=thresholds.defaults))
        added = Rule(suite=each.suite, metric=each.metric, kind="max_drop", bound=MAX_DROP)
        suites[each.suite] = replace(rules, rules=(*rules.rules, added))
    found: dict[tuple[str, str], float | None] = {}
    for suite, metric, sees in _sights(replace(thresholds, suites=suites), cases, other, power):
        before = found.get((suite, metric), 0.0)
        found[suite, metric] = None if sees is None or before is None else max(before, sees)
    return found


def _sights(
    thresholds: Thresholds, cases: Sequence[JudgedCase], other: Iterable[JudgedCase], power: float
) -> Iterator[tuple[str, str, float | None]]:
    for row in plan(thresholds, cases, other, power=power).rows:
        if row.slice is None and row.rule is not None and row.rule.startswith("max_drop="):
            yield row.suite, row.metric, row.sees
