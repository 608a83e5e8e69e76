"""Evidence of paired rows against a rule on a change between two runs."""

import functools
import heapq
import math
from collections.abc import Sequence

from pytest_llmeval.core.gate.decide import SLACK
from pytest_llmeval.core.gate.evidence import (
    FEW_GROUPS,
    FEW_ROWS,
    LEAST_CLUSTERS,
    Evidence,
    FewChanges,
    Weight,
    are_few_groups,
    falls_when_worse,
)
from pytest_llmeval.core.gate.fills import between
from pytest_llmeval.core.gate.pairs import Pair, PairedColumn
from pytest_llmeval.core.rules import COUNTED_METRICS, Rule
from pytest_llmeval.core.stats.clusters import equal_clusters, estimated_mean, in_clusters, named_clusters
from pytest_llmeval.core.stats.distributions import student_quantile
from pytest_llmeval.core.stats.hidden_loss import MOST_LOSSES
from pytest_llmeval.core.stats.means import ROUNDING, mean, total
from pytest_llmeval.core.stats.paired import mcnemar, paired_t, sign_flip

__all__ = ["weigh_change"]

_FEW_CHANGES = 10
"""Number of changed rows, or groups, below which the sign-flip test decides, however many did not change."""
_CONFIDENCE = 0.90
"""Confidence of the interval of a difference; its lower end is a one-sided bound at 95 %."""
_LARGEST = 1e150
"""Limit to which changes are clipped, so that sums of their squares are finite."""


def weigh_change(
    rule: Rule, column: PairedColumn, *, unfinished: int, with_lost: bool, left_out: str
) -> Evidence | None:
    """Return the evidence of ``column`` against a rule on a change; None if no pair has both values.

    Args:
        rule: ``max_drop``, ``max_rise`` or ``noninferior``.
        column: pairs of the rule's metric in the rule's slice.
        unfinished: number of cases that never finished; each could be any row.
        with_lost: whether values lost to the infrastructure could be any, as in a run that is not valid.
        left_out: which rows are not among the pairs, in words.
    """
    whole = [pair for pair in column.pairs if pair.is_whole]
    before = mean([pair.before for pair in whole if pair.before is not None])
    after = mean([pair.after for pair in whole if pair.after is not None])
    if before is None or after is None:
        return None
    sign, clusters = 1 if falls_when_worse(rule) else -1, named_clusters(pair.cluster for pair in whole)
    gains = [sign * _change(pair, pair.after) for pair in whole]
    is_unit = column.span == (0, 1)
    is_single = all(pair.is_single for pair in whole)
    found = _weight(gains, clusters, is_single=is_single, is_unit=is_unit, is_binary=_is_binary(column))
    fallen = sorted((gain, pair.sample_id) for gain, pair in zip(gains, whole, strict=True) if gain < 0)
    delta, half = _difference(before, after), _half_interval(found)
    most = column.span[1] - column.span[0]
    ends, are_bounds = _ends(rule, column, sign, unfinished=unfinished, with_lost=with_lost)
    return Evidence(
        n=len(whole),
        clusters=len(set(clusters)) if clusters else None,
        value=after,
        before=before,
        delta=delta,
        low=max(delta - half, -most) if half is not None else None,
        high=min(delta + half, most) if half is not None else None,
        found=found,
        ends=ends,
        are_bounds=are_bounds,
        worse=tuple(sample_id for _, sample_id in fallen),
        better=sum(gain > 0 for gain in gains),
        is_binary=is_unit and all(pair.is_single and pair.before in (0, 1) and pair.after in (0, 1) for pair in whole),
        left_out=left_out,
    )


def _ends(
    rule: Rule, column: PairedColumn, sign: int, *, unfinished: int, with_lost: bool
) -> tuple[tuple[Weight | None, ...] | None, bool]:
    """Return the weights with the best, the worst and some further values for missing ones; None without missing ones.

    Also return whether they are bounds for all possible values: not if Student's t may decide, unless even the worst
    change is allowed.
    """
    known = [pair for pair in column.pairs if pair.before is not None]
    if not unfinished and not any(pair.open or (with_lost and pair.lost) for pair in known):
        return None, True
    low, high = column.span
    pairs = [pair for pair in known if pair.filled(low, with_lost=with_lost) is not None]
    clusters, is_single = named_clusters(pair.cluster for pair in pairs), all(pair.is_single for pair in pairs)
    if clusters is not None:
        clusters += [f"?{number}" for number in range(unfinished)]
    weigh = functools.partial(
        _weight,
        clusters=clusters,
        is_single=is_single,
        is_unit=column.span == (0, 1),
        is_binary=_is_binary(column),
    )
    room = [high - low] * unfinished
    lows, highs = (
        [sign * _change(pair, pair.filled(fill, with_lost=with_lost)) for pair in pairs] for fill in (low, high)
    )
    best, worst = (highs, lows) if sign > 0 else (lows, highs)
    best, worst = best + room, worst + [-gain for gain in room]
    if not all(map(math.isfinite, (*best, *worst))):
        return tuple(weigh(gains) if all(map(math.isfinite, gains)) else None for gains in (best, worst)), True
    ends = [weigh(gains) for gains in (best, worst)]
    allowed = (rule.bound or 0.0) if rule.kind != "noninferior" else 0.0
    is_safe = rule.kind != "noninferior" and ends[1].shortfall <= allowed + SLACK
    are_flips = is_single and all(end.flips is not None for end in ends)
    if is_safe or not _may_take_t(rule, best, worst, clusters, are_flips):
        return tuple(ends), True
    seen = (value for pair in pairs for value in (pair.before, pair.after) if value is not None)
    is_yes_or_no = column.metric in COUNTED_METRICS or all(value in (0, 1) for value in seen)
    tried = between(best, worst, None if is_yes_or_no else -allowed - 2 * SLACK)
    return (*ends, *map(weigh, tried)), False


def _is_binary(column: PairedColumn) -> bool:
    """Return whether each row has at most one value in each run, 0 or 1."""
    known = [pair for pair in column.pairs if pair.before is not None]
    values = {value for pair in known for value in (pair.before, pair.after) if value is not None}
    is_unit = column.span == (0, 1)
    return is_unit and all(pair.is_single for pair in known) and values <= {0, 1}


def _may_take_t(
    rule: Rule,
    best: Sequence[float],
    worst: Sequence[float],
    clusters: Sequence[str] | None,
    are_flips: bool,
) -> bool:
    """Return whether Student's t may decide with some values for the missing ones; else both ends are true bounds.

    The bound of ``noninferior`` uses Student's t however few rows and groups there are, unless all changes are flips.
    """
    if rule.kind == "noninferior":
        return not are_flips
    if clusters is not None:
        return len(set(clusters)) >= FEW_GROUPS
    if len(best) < FEW_ROWS or are_flips:
        return False
    return _changes([max(abs(high), abs(low)) for high, low in zip(best, worst, strict=True)]) >= _FEW_CHANGES


def _change(pair: Pair, after: float | None) -> float:
    """Return the change to ``after``, which may be infinite as the end of a range; then so is the change."""
    assert pair.before is not None and after is not None
    return _difference(pair.before, after) if math.isfinite(after) else after


def _difference(before: float, after: float) -> float:
    """Return the change, or 0 if rounding alone explains it."""
    change = after - before
    return 0.0 if abs(change) <= ROUNDING * max(abs(before), abs(after)) else _bounded(change)


def _bounded(change: float) -> float:
    return min(max(change, -_LARGEST), _LARGEST)


def _weight(
    gains: Sequence[float], clusters: Sequence[str] | None, *, is_single: bool, is_unit: bool, is_binary: bool
) -> Weight:
    """Return the weight of ``gains`` against the new run; a negative gain is a loss.

    Flips are counted whatever the number of epochs: epochs that all agree make no more than one row.
    """
    known = estimated_mean(gains, clusters)
    if clusters is None:
        p_value = _p_of_rows(gains, is_single=is_single)
    else:
        p_value = _p_of_groups(gains, clusters, known.df if known else 0.0, is_binary=is_binary)
    has_spread = known is not None and known.error > 0
    are_flips = is_unit and clusters is None and all(gain in (-1, 0, 1) for gain in gains)
    groups = [[gain] for gain in gains] if clusters is None else in_clusters(gains, clusters)
    sums = [total(group) for group in groups]
    has_mid_p = are_flips if clusters is None else is_binary and _changes(sums) < len(sums)
    units, losses = _losses(groups, sums) if is_unit else (None, ())
    return Weight(
        shortfall=-(mean(gains) or 0.0),
        p_value=p_value,
        signs=sign_flip(sums, mid_p=True) if clusters is not None and len(sums) < LEAST_CLUSTERS else None,
        error=known.error if known and has_spread else None,
        df=known.df if known else None,
        flips=(sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains), len(gains)) if are_flips else None,
        few=_few_changes(groups, sums, has_mid_p=has_mid_p),
        units=units,
        losses=losses,
    )


def _few_changes(groups: Sequence[Sequence[float]], sums: Sequence[float], *, has_mid_p: bool) -> FewChanges | None:
    """Return how many rows or groups changed, by the sums of their gains; None if signs do not decide."""
    least = _least(sums)
    moved = [(each, len(group)) for each, group in zip(sums, groups, strict=True) if abs(each) > least]
    if not 0 < len(moved) < _FEW_CHANGES:
        return None
    worse = sum(each < 0 for each, _ in moved)
    size = total([abs(each) for each, _ in moved]) / sum(rows for _, rows in moved)
    return FewChanges(worse=worse, better=len(moved) - worse, units=len(sums), size=size, has_mid_p=has_mid_p)


def _losses(groups: Sequence[Sequence[float]], sums: Sequence[float]) -> tuple[int, tuple[float, ...]]:
    """Return the effective number of independent, equal-sized units, and the largest losses as shares of a unit."""
    units = equal_clusters(map(len, groups))
    rows = sum(map(len, groups)) / units
    return units, tuple(heapq.nlargest(min(MOST_LOSSES, units), (-each / rows for each in sums if each < 0)))


def _p_of_rows(gains: Sequence[float], *, is_single: bool) -> float | None:
    """Return the one-sided p-value of "no drop at all" over independent rows.

    Unchanged rows play no part in the sign-flip test, and nearly none in Student's t. If fewer than ten rows changed,
    by equal amounts, t fails too often: with three losses its p is 0.04, although one in eight of all signs is as bad.
    From ten on, t fails no more often than McNemar's mid-p. Epochs that all agree do not change the test.
    """
    is_few = len(gains) < FEW_ROWS or _changes(gains) < _FEW_CHANGES
    if (is_single or is_few) and all(gain in (-1, 0, 1) for gain in gains):
        return mcnemar(sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains))
    by_t = None if is_few else paired_t(gains)
    return by_t if by_t is not None else sign_flip(gains)


def _changes(gains: Sequence[float]) -> int:
    """Return the number of gains that rounding alone does not explain."""
    least = _least(gains)
    return sum(abs(gain) > least for gain in gains)


def _least(gains: Sequence[float]) -> float:
    """Return the size up to which rounding alone explains a change."""
    return ROUNDING * max(map(abs, gains), default=0.0)


def _p_of_groups(gains: Sequence[float], clusters: Sequence[str], df: float, *, is_binary: bool) -> float | None:
    """Return the one-sided p-value over groups of dependent rows, by what they are worth; None if they are too few.

    Equal-sized groups have one degree of freedom less than there are groups. A group with many of the rows reduces the
    degrees further; Student's t then fails too often, because its error depends on very few numbers.

    With yes-or-no rows the number of groups that change varies from run to run, so that mid-p keeps alpha on average.
    If all groups change in every run, as with graded rows, the least mid-p, 1/2^(n + 1), has twice that probability.
    """
    groups = in_clusters(gains, clusters)
    if len(groups) < LEAST_CLUSTERS:
        return None
    sums = [total(group) for group in groups]
    by_t = paired_t(gains, clusters)
    if by_t is not None and not are_few_groups(df) and _changes(sums) >= _FEW_CHANGES:
        return by_t
    return sign_flip(sums, mid_p=is_binary and _changes(sums) < len(sums))


def _half_interval(weight: Weight) -> float | None:
    """Return half the width of the t interval; None if it cannot be estimated."""
    if weight.error is None or weight.df is None:
        return None
    return student_quantile((1 + _CONFIDENCE) / 2, weight.df) * weight.error
