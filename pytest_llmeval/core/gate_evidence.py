"""What the numbers say against a rule: by how much it falls short, and how likely chance alone does that.

A rule that is decided by a p-value is first weighed by itself; what the p-value may be depends on all of them
(``gate_family``). Values that are missing are weighed at both of their ends.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.core.clusters import ClusteredMean, clustered_mean
from pytest_llmeval.core.distributions import binomial_at_least, student_cdf, student_quantile
from pytest_llmeval.core.gate_column import Column, State
from pytest_llmeval.core.gate_pairs import Pair, PairedColumn
from pytest_llmeval.core.intervals import mean, standard_error, total
from pytest_llmeval.core.paired import clustered_t, mcnemar, paired_t, sign_flip
from pytest_llmeval.core.rules import MEASURED_METRICS, Rule

__all__ = ["LEAST_CLUSTERS", "Evidence", "Weight", "falls_when_worse", "weigh_bar", "weigh_pairs"]

_FEW_ROWS = 30
"""Fewer rows than this take the sign-flip test in place of t."""
_FEW_CLUSTERS = 10
LEAST_CLUSTERS = 5
"""With fewer groups of dependent rows nothing can fail."""
_LARGEST = 1e300
_CONFIDENCE = 0.90
"""Of the interval of a difference; its lower end is a one-sided bound of 95 %."""

_Test = Literal["mcnemar", "t", "sign-flip", "clustered t", "clustered sign-flip", "binomial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What one set of values says against a rule."""

    shortfall: float
    """By how much the value lies on the wrong side: the drop, or how far it is from the bar; negative is good."""
    p_value: float | None
    """One-sided: how likely so much comes by chance alone; None where no test is possible."""
    test: _Test | None
    """Which test gave it."""
    error: float | None = None
    """The standard error of the shortfall; None where it is unknown."""
    df: float | None = None
    """Degrees of freedom of ``error``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a rule is decided by, with the numbers that are shown beside it."""

    n: int
    """Rows with a value (of both runs, where there are two)."""
    clusters: int | None
    """Groups of dependent rows; None where rows are independent."""
    value: float
    found: Weight
    """From the values that are there."""
    ends: tuple[Weight | None, Weight | None] | None = None
    """With the best, then with the worst for every missing value; None where none is missing, one of them None where
    there is no such end."""
    before: float | None = None
    """This and the next three belong to two runs."""
    delta: float | None = None
    low: float | None = None
    """Ends of the 90 % interval of ``delta``; None where it cannot be estimated."""
    high: float | None = None
    worse: tuple[str, ...] = ()
    """Sample ids of the rows that got worse, the worst first."""
    better: tuple[str, ...] = ()
    """Of the rows that got better, the best first."""
    is_binary: bool = False
    """Whether each row is one value of 0 or 1."""


def falls_when_worse(rule: Rule) -> bool:
    """Return whether a lower value is the worse one."""
    if rule.kind == "noninferior":
        return rule.metric not in (*MEASURED_METRICS, "error_rate")
    return rule.kind in ("max_drop", "min")


def weigh_pairs(rule: Rule, column: PairedColumn, *, unfinished: int, with_lost: bool) -> Evidence | None:
    """Return what ``column`` says against a rule on a change; None where no pair has both values.

    Args:
        rule: ``max_drop``, ``max_rise`` or ``noninferior``.
        column: the pairs of its metric, in its slice.
        unfinished: cases that never finished; each could be any row.
        with_lost: whether what the infrastructure lost could be any value, as where the run is not valid.
    """
    sign = 1 if falls_when_worse(rule) else -1
    whole = [pair for pair in column.pairs if pair.is_whole]
    if not whole:
        return None
    changes = [_change(pair, pair.after) for pair in whole]
    found = _weight([sign * change for change in changes], whole)
    low, high = _interval(changes, _clusters(whole))
    ranked = sorted((sign * change, pair.sample_id) for change, pair in zip(changes, whole, strict=True))
    after = mean([pair.after for pair in whole if pair.after is not None])
    before = mean([pair.before for pair in whole if pair.before is not None])
    assert after is not None and before is not None
    return Evidence(
        n=len(whole),
        clusters=_count(whole),
        value=after,
        before=before,
        delta=_bounded(after - before),
        low=low,
        high=high,
        found=found,
        ends=_paired_ends(rule, column, unfinished=unfinished, with_lost=with_lost),
        worse=tuple(sample_id for change, sample_id in ranked if change < 0),
        better=tuple(sample_id for change, sample_id in sorted(ranked, key=_best_first) if change > 0),
        is_binary=_is_binary(whole),
    )


def weigh_bar(rule: Rule, column: Column, *, states: tuple[State, ...]) -> Evidence | None:
    """Return what ``column`` says against a bar that is to be missed with confidence; None without a value.

    Args:
        rule: ``min`` or ``max``.
        column: the readings of its metric, in its slice.
        states: of the readings whose value could be any.
    """
    grouped = column.grouped()
    values = [mean(each) or 0.0 for each in grouped.values()]
    value = mean(values)
    if value is None or rule.bound is None:
        return None
    clusters = column.clusters(grouped)
    low, high = (0.0, 1.0) if column.is_unit else (0.0 if column.metric in MEASURED_METRICS else -math.inf, math.inf)
    ends = None
    if column.count(*states):
        best, worst = (high, low) if rule.kind == "min" else (low, high)
        ends = (_bar_end(rule, column, best, states), _bar_end(rule, column, worst, states))
    return Evidence(
        n=len(values),
        clusters=len(set(clusters)) if clusters else None,
        value=value,
        found=_bar_weight(rule, values, clusters),
        ends=ends,
        is_binary=_all_binary(values) and len(values) == column.count("scored"),
    )


def _bar_end(rule: Rule, column: Column, fill: float, states: tuple[State, ...]) -> Weight | None:
    if not math.isfinite(fill):
        return None
    grouped = column.grouped(fill, states)
    return _bar_weight(rule, [mean(each) or 0.0 for each in grouped.values()], column.clusters(grouped))


def _bar_weight(rule: Rule, values: Sequence[float], clusters: Sequence[str] | None) -> Weight:
    assert rule.bound is not None
    sign = 1 if rule.kind == "min" else -1
    value = mean(values) or 0.0
    shortfall = sign * (rule.bound - value)
    estimated = _estimate(values, clusters)
    error = estimated.error or None if estimated else None
    df = estimated.df if estimated else None
    if clusters is None and _all_binary(values) and 0 <= rule.bound <= 1:
        reached = round(total(values))
        missed = len(values) - reached if rule.kind == "min" else reached
        chance = 1 - rule.bound if rule.kind == "min" else rule.bound
        p_value = binomial_at_least(missed, len(values), chance)
        return Weight(shortfall=shortfall, p_value=p_value, test="binomial", error=error, df=df)
    too_few = clusters is not None and len(set(clusters)) < LEAST_CLUSTERS
    if error is None or df is None or too_few:
        return Weight(shortfall=shortfall, p_value=None, test=None, error=error, df=df)
    test: _Test = "t" if clusters is None else "clustered t"
    return Weight(shortfall=shortfall, p_value=student_cdf(-shortfall / error, df), test=test, error=error, df=df)


def _paired_ends(
    rule: Rule, column: PairedColumn, *, unfinished: int, with_lost: bool
) -> tuple[Weight | None, Weight | None] | None:
    """Return what the pairs say with the best, then with the worst for every missing value."""
    known = [pair for pair in column.pairs if pair.before is not None]
    if not unfinished and not any(pair.open or (with_lost and pair.lost) for pair in known):
        return None
    low, high = (0.0, 1.0) if column.is_unit else (0.0 if column.metric in MEASURED_METRICS else -math.inf, math.inf)
    best, worst = (high, low) if falls_when_worse(rule) else (low, high)
    return tuple(  # type: ignore[return-value]  # two of them
        _paired_end(rule, known, fill, ghosts=_ghosts(column, fill, unfinished), with_lost=with_lost)
        for fill in (best, worst)
    )


def _ghosts(column: PairedColumn, fill: float, unfinished: int) -> list[float]:
    """Return the change of each row that never finished: as much as there is room for."""
    return [(1.0 if fill else -1.0) if column.is_unit else math.inf] * unfinished


def _paired_end(
    rule: Rule, known: Sequence[Pair], fill: float, *, ghosts: Sequence[float], with_lost: bool
) -> Weight | None:
    sign = 1 if falls_when_worse(rule) else -1
    pairs, changes = [], []
    for pair in known:
        after = pair.filled(fill, with_lost=with_lost)
        if after is not None:
            pairs.append(pair)
            changes.append(sign * _change(pair, after))
    changes += [sign * ghost for ghost in ghosts]
    if not all(map(math.isfinite, changes)):
        return None
    return _weight(changes, [*pairs, *(_GHOST for _ in ghosts)])


_GHOST = Pair("?", (), None, 0.0, 0.0, 1, 0, 0, True)


def _change(pair: Pair, after: float | None) -> float:
    """Return the change to ``after``; infinite where that is, as the end of a range may be."""
    assert pair.before is not None and after is not None
    return _bounded(after - pair.before) if math.isfinite(after) else after


def _bounded(change: float) -> float:
    """Return the change of two numbers, however large, so that sums of changes are finite."""
    return min(max(change, -_LARGEST), _LARGEST)


def _best_first(ranked: tuple[float, str]) -> tuple[float, str]:
    return -ranked[0], ranked[1]


def _weight(changes: Sequence[float], pairs: Sequence[Pair]) -> Weight:
    """Return what ``changes``, of which a negative one is for the worse, say against the new run."""
    clusters = _clusters(pairs)
    estimated = _estimate(changes, clusters)
    error = estimated.error or None if estimated else None
    p_value, test = _test(changes, pairs, clusters)
    drop = mean(changes) or 0.0
    return Weight(
        shortfall=-drop, p_value=p_value, test=test, error=error, df=estimated.df if estimated and error else None
    )


def _test(
    changes: Sequence[float], pairs: Sequence[Pair], clusters: Sequence[str] | None
) -> tuple[float | None, _Test | None]:
    """Return the one-sided p-value of "no drop at all" and the test that gave it."""
    if clusters is not None:
        return _clustered_test(changes, clusters)
    if all(pair.is_single for pair in pairs) and all(change in (-1, 0, 1) for change in changes):
        return mcnemar(sum(change < 0 for change in changes), sum(change > 0 for change in changes)), "mcnemar"
    p_value = paired_t(changes) if len(changes) >= _FEW_ROWS else None
    if p_value is not None:
        return p_value, "t"
    return sign_flip(changes), "sign-flip"


def _clustered_test(changes: Sequence[float], clusters: Sequence[str]) -> tuple[float | None, _Test | None]:
    sums: dict[str, list[float]] = {}
    for change, cluster in zip(changes, clusters, strict=True):
        sums.setdefault(cluster, []).append(change)
    if len(sums) < LEAST_CLUSTERS:
        return None, None
    p_value = clustered_t(changes, clusters) if len(sums) >= _FEW_CLUSTERS else None
    if p_value is not None:
        return p_value, "clustered t"
    return sign_flip([total(each) for each in sums.values()], mid_p=True), "clustered sign-flip"


def _interval(changes: Sequence[float], clusters: Sequence[str] | None) -> tuple[float | None, float | None]:
    """Return the 90 % t interval of the mean change."""
    estimated = _estimate(changes, clusters)
    if estimated is None or not estimated.error:
        return None, None
    half = student_quantile((1 + _CONFIDENCE) / 2, estimated.df) * estimated.error
    return estimated.value - half, estimated.value + half


def _estimate(values: Sequence[float], clusters: Sequence[str] | None) -> ClusteredMean | None:
    """Return the mean with its standard error; None where that is unknown."""
    if clusters is not None:
        return clustered_mean(values, clusters)
    value, error = mean(values), standard_error(values)
    if value is None or error is None:
        return None
    return ClusteredMean(value=value, error=error, df=len(values) - 1, clusters=len(values))


def _clusters(pairs: Sequence[Pair]) -> list[str] | None:
    """Return the cluster of each pair, a row without one being its own; None where no row has one."""
    if all(pair.cluster is None for pair in pairs):
        return None
    return [f"={pair.cluster}" if pair.cluster is not None else f"#{number}" for number, pair in enumerate(pairs)]


def _count(pairs: Sequence[Pair]) -> int | None:
    clusters = _clusters(pairs)
    return len(set(clusters)) if clusters else None


def _is_binary(pairs: Sequence[Pair]) -> bool:
    return all(pair.is_single and pair.before in (0, 1) and pair.after in (0, 1) for pair in pairs)


def _all_binary(values: Sequence[float]) -> bool:
    return all(value in (0, 1) for value in values)
