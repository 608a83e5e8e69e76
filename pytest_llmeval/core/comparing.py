"""Comparison of two runs: rules on a change of every score, and the changes of time, tokens and cost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_llmeval.core.gate.case import JudgedCase, records_calls
from pytest_llmeval.core.gate.column import read_column
from pytest_llmeval.core.gate.family import is_decided_by_p
from pytest_llmeval.core.gate.pairs import PairedColumn, pair_up
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import REGRESSION_KINDS, Rule, SuiteRules, Thresholds
from pytest_llmeval.core.stats.clusters import named_clusters
from pytest_llmeval.core.stats.intervals import Interval, quantile
from pytest_llmeval.core.stats.means import mean, total
from pytest_llmeval.core.stats.resampling import Budget, paired_quantile_change, total_change

__all__ = ["Measure", "MeasureChange", "comparison_rules", "measure_changes"]

Measure = Literal["latency_s p50", "latency_s p95", "input_tokens", "output_tokens", "cost_usd", "error_rate"]
_DRAWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureChange:
    """The change of one measure of the calls between two runs of one suite and model."""

    suite: str
    model: str
    """Model of the current run."""
    measure: Measure
    """Seconds, mean tokens per row, total dollars of all rows, or the share of cases that ended in an error."""
    n: int
    """Number of rows with a value in both runs; for ``error_rate`` cases of the current run that were not skipped."""
    before: float
    after: float
    low: float | None = None
    """Lower end of the 90 % interval of the change; None if it cannot be estimated."""
    high: float | None = None


def comparison_rules(thresholds: Thresholds, cases: Sequence[JudgedCase], before: Iterable[JudgedCase]) -> Thresholds:
    """Return the rules that two runs are compared by.

    A suite keeps its rules on a change, and the other rules that share alpha with them. A model without any rule on a
    change gets ``max_drop: 0`` on each of its scores and on ``pass_rate``, for the whole suite and each slice.
    ``pass_rate`` is left out if a score says the same about every case, as each further rule makes all of them detect
    less.

    Args:
        thresholds: the existing rules.
        cases: cases of the current run.
        before: cases of the run to compare with.
    """
    by_suite = grouped(cases, lambda case: case.suite)
    earlier = grouped(before, lambda case: case.suite)
    suites = {name: _suite_rules(thresholds, name, by_suite[name], earlier.get(name, [])) for name in sorted(by_suite)}
    return replace(thresholds, suites=suites)


def measure_changes(
    suite: str, model: str, current: Sequence[JudgedCase], before: Sequence[JudgedCase], budget: Budget
) -> Iterator[MeasureChange]:
    """Yield the changes of latency, tokens, cost and errors of one suite and model, as far as both runs have calls.

    Args:
        suite: the suite.
        model: model of the current run.
        current: cases of the current run.
        before: cases of the baseline.
        budget: budget of resampling.
    """
    for metric in ("latency_s", "input_tokens", "output_tokens", "cost_usd"):
        column = pair_up(metric, current, before)
        values = _values(column)
        if values and records_calls(metric, current) and records_calls(metric, before):
            clusters = named_clusters(pair.cluster for pair in column.pairs if pair.is_whole)
            for measure, was, now, interval in _changes(metric, values, clusters, budget):
                low, high = (interval.low, interval.high) if interval else (None, None)
                yield MeasureChange(
                    suite=suite, model=model, measure=measure, n=len(values), before=was, after=now, low=low, high=high
                )
    earlier, errors = (read_column("error_rate", cases).cases() for cases in (before, current))
    if earlier and errors:
        was, now = _of_some(mean(earlier)), _of_some(mean(errors))
        yield MeasureChange(suite=suite, model=model, measure="error_rate", n=len(errors), before=was, after=now)


def _suite_rules(
    thresholds: Thresholds, name: str, cases: Sequence[JudgedCase], before: Sequence[JudgedCase]
) -> SuiteRules:
    known = thresholds.suites.get(name, SuiteRules(name=name, settings=thresholds.defaults))
    rules = tuple(rule for rule in known.rules if rule.kind in REGRESSION_KINDS or is_decided_by_p(rule))
    about = {rule.model for rule in rules if rule.kind in REGRESSION_KINDS}
    models = {case.model for case in cases}
    without = set[str]() if None in about else models - about
    if not without:
        return replace(known, rules=rules)
    scores = score_names(cases)
    metrics = scores if any(_says_the_outcome(score, [*cases, *before]) for score in scores) else ["pass_rate", *scores]
    parts = [None, *sorted({part for case in cases for part in case.slices})]
    implied = tuple(
        Rule(suite=name, metric=metric, kind="max_drop", bound=0.0, slice=part, model=model, is_implied=True)
        for model in ([None] if without == models else sorted(without))
        for part in parts
        for metric in metrics
    )
    return replace(known, rules=(*rules, *implied))


def _says_the_outcome(score: str, cases: Iterable[JudgedCase]) -> bool:
    """Return whether a score is 1 for each case that passed and 0 for each that missed."""
    judged = (case for case in cases if case.outcome in ("passed", "missed"))
    return all(case.scores.get(score) == float(case.outcome == "passed") for case in judged)


def _changes(
    metric: str, values: Sequence[tuple[float, float]], clusters: Sequence[str] | None, budget: Budget
) -> Iterator[tuple[Measure, float, float, Interval | None]]:
    before, after = [was for was, _ in values], [now for _, now in values]
    if metric == "latency_s":
        measures: Mapping[Measure, int] = {"latency_s p50": 50, "latency_s p95": 95}
        for measure, percent in measures.items():
            interval = paired_quantile_change(values, percent, draws=_DRAWS, clusters=clusters, budget=budget)
            yield measure, _of_some(quantile(before, percent)), _of_some(quantile(after, percent)), interval
    elif metric == "cost_usd":
        yield "cost_usd", total(before), total(after), total_change(values, clusters=clusters)
    else:
        interval = total_change(values, clusters=clusters)
        shared = interval and Interval(low=interval.low / len(values), high=interval.high / len(values))
        tokens: Measure = "input_tokens" if metric == "input_tokens" else "output_tokens"
        yield tokens, _of_some(mean(before)), _of_some(mean(after)), shared


def _values(column: PairedColumn) -> list[tuple[float, float]]:
    return [(pair.before, pair.after) for pair in column.pairs if pair.before is not None and pair.after is not None]


def _of_some(statistic: float | None) -> float:
    """Return a statistic that is known not to be None, because there is at least one value."""
    assert statistic is not None
    return statistic
