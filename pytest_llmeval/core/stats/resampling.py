"""Intervals of statistics other than means: changes of quantiles and totals, and any statistic by the bootstrap.

Resampling in plain Python takes about a microsecond per value and draw, so it is limited: a ``Budget`` is passed from
call to call and refuses what would exceed it.
"""

import math
import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from pytest_llmeval.core.stats.clusters import Sortable, in_clusters
from pytest_llmeval.core.stats.distributions import normal_cdf, normal_quantile, student_quantile
from pytest_llmeval.core.stats.intervals import CHANGE_CONFIDENCE, Interval, quantile, t_interval

__all__ = [
    "MOST_DRAWS",
    "Budget",
    "Pair",
    "bootstrap_interval",
    "paired_quantile_change",
    "quantile_change_half",
    "total_change",
]

T = TypeVar("T", bound=Sortable)
Pair = tuple[float, float]
"""A row's value in the baseline and in the candidate."""
_SEED = 0
"""Seed of the draws, fixed so that the same values always have the same interval."""

MOST_DRAWS = 20_000_000
"""Largest number of values x draws that one session resamples, which takes 20 to 40 seconds."""
MOST_UNDEFINED = 0.05
"""Largest share of draws without a value; with more, the others would be a biased selection."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """The amount of resampling left; one mutable object is shared by all calls of a session."""

    left: int = MOST_DRAWS
    """Remaining number of values x draws, at least 0."""

    def take(self, values: int, draws: int) -> bool:
        """Return whether so much is left, and if so subtract it."""
        if values * draws > self.left:
            return False
        self.left -= values * draws
        return True


def bootstrap_interval(
    statistic: Callable[[list[T]], float | None],
    units: Sequence[Sequence[T]],
    *,
    draws: int,
    confidence: float = CHANGE_CONFIDENCE,
    budget: Budget | None = None,
) -> Interval | None:
    """Return the bootstrap interval of a statistic, over units drawn with replacement.

    The ends are percentiles of the draws, moved outward by as much as a t interval is wider than a normal one: T. C.
    Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015) 371–386,
    section 4.3 (expanded percentile interval). Plain percentiles are too narrow for few units.

    Args:
        statistic: Function of a list of values; returns None if the statistic is undefined.
        units: Independent clusters of sortable values, such as numbers or pairs of numbers, in any order.
        draws: Number of draws, at least 1; a hundred for each tail are few.
        confidence: In (0, 1).
        budget: Budget of resampling; None for a whole session's.

    Returns:
        None for fewer than two units with values, over budget, if the statistic is None for all values together or for
        over 5 % of the draws, or if both ends are equal.
    """
    full = sorted(sorted(unit) for unit in units if unit)
    values = sum(map(len, full))
    if len(full) < 2 or statistic(_flat(full)) is None or not (budget or Budget()).take(values, draws):
        return None
    replicates = (statistic(_flat(drawn)) for drawn in _resamples(full, draws))
    return _percentiles(list(replicates), len(full), confidence)


def paired_quantile_change(
    pairs: Sequence[Pair],
    percent: int,
    *,
    draws: int,
    clusters: Sequence[Hashable] | None = None,
    budget: Budget | None = None,
) -> Interval | None:
    """Return a 90 % interval of the candidate's quantile minus the baseline's, keeping the rows paired.

    It is a bootstrap interval; over budget, it is computed from the standard error of the quantiles' influence
    functions (R. J. Serfling, "Approximation Theorems of Mathematical Statistics" (1980), section 2.5) with Student's
    quantile.

    Args:
        pairs: In any order.
        percent: From 1 to 99.
        draws: Number of draws, at least 1.
        clusters: The cluster of each pair, in the order of ``pairs``; None if all rows are independent.
        budget: Budget of resampling; None for a whole session's.

    Returns:
        None if too few rows can lie beyond the quantile (the 95th percentile needs 59 rows at 90 %), for fewer than two
        clusters, or if no spread was seen.

    Raises:
        ValueError: The number of clusters differs from the number of pairs.
    """
    tail, share = (1 - CHANGE_CONFIDENCE) / 2, percent / 100
    if not pairs or max(share, 1 - share) ** len(pairs) > tail:
        return None
    names: Sequence[Hashable] = range(len(pairs)) if clusters is None else clusters
    allowed = budget or Budget()

    def change(drawn: list[Pair]) -> float | None:
        before, after = zip(*drawn, strict=True)
        return _gap(quantile(after, percent), quantile(before, percent))

    if len(pairs) * draws > allowed.left:
        return _around(change(list(pairs)), quantile_change_half(pairs, percent, names))
    units = in_clusters(pairs, names)
    return bootstrap_interval(change, units, draws=draws, confidence=CHANGE_CONFIDENCE, budget=allowed)


def total_change(pairs: Sequence[Pair], *, clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """Return a 90 % interval of the candidate's sum minus the baseline's, for a fixed number of rows.

    It is n times the t interval of the mean difference, by ``clustered_mean`` if there are clusters. This is a closed
    form; nothing is resampled.

    Args:
        pairs: In any order.
        clusters: The cluster of each pair, in the order of ``pairs``; None if all rows are independent.

    Returns:
        None for fewer than two rows or clusters, or if no spread was seen.

    Raises:
        ValueError: The number of clusters differs from the number of pairs.
    """
    n = len(pairs)
    change = t_interval([after - before for before, after in pairs], confidence=CHANGE_CONFIDENCE, clusters=clusters)
    return Interval(low=n * change.low, high=n * change.high) if change else None


def quantile_change_half(
    pairs: Sequence[tuple[float, float]], percent: int, clusters: Sequence[Hashable]
) -> float | None:
    """Return t·SE of the candidate's quantile minus the baseline's, the half-width of its 90 % interval.

    The error is that of the mean of (q − [x <= quantile])/density over the rows, candidate minus baseline: R. J.
    Serfling, "Approximation Theorems of Mathematical Statistics" (1980), section 2.5.

    Args:
        pairs: A row's value in the baseline and in the candidate, for at least one row, in any order.
        percent: From 1 to 99.
        clusters: The cluster of each pair, in the order of ``pairs``.

    Returns:
        None for fewer than two clusters, or if the values around a quantile are equal, so that its density is unknown.
    """
    before, after = (_influences(values, percent) for values in zip(*pairs, strict=True))
    if before is None or after is None:
        return None
    influences = [late - early for early, late in zip(before, after, strict=True)]
    interval = t_interval(influences, confidence=CHANGE_CONFIDENCE, clusters=clusters)
    return (interval.high - interval.low) / 2 if interval else None


def _influences(values: Sequence[float], percent: int) -> list[float] | None:
    """Return (q − [x <= quantile])/density for each value x."""
    ordered, share, bar = sorted(values), percent / 100, quantile(values, percent)
    width = _bandwidth(share, len(values))
    low, high = (ordered[math.ceil(len(values) * at) - 1] for at in (share - width, share + width))
    sparsity = (high - low) / (2 * width)
    return [sparsity * (share - (value <= bar)) for value in values] if bar is not None and sparsity else None


def _bandwidth(share: float, n: int) -> float:
    """Return the bandwidth, in probability, to estimate the density at a quantile; below ``share`` and 1 − ``share``.

    P. Hall and S. J. Sheather, JRSS B 50 (1988) 381–391:
    n^(−1/3)·z^(2/3)·(1.5·φ(x)²/(2x² + 1))^(1/3) with the normal quantiles x of the share and z of 97.5 %.
    """
    x, z = normal_quantile(share), normal_quantile(0.975)
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    width = math.cbrt(1.5 * (z * density) ** 2 / (2 * x * x + 1) / n)
    return min(width, share / 2, (1 - share) / 2)


def _gap(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _around(centre: float | None, half: float | None) -> Interval | None:
    return None if centre is None or half is None else Interval(low=centre - half, high=centre + half)


def _flat(units: Sequence[Sequence[T]]) -> list[T]:
    return list(chain.from_iterable(units))


def _resamples(units: Sequence[T], draws: int) -> Iterator[list[T]]:
    picks = random.Random(_SEED)  # noqa: S311 - no secret depends on it
    return (picks.choices(units, k=len(units)) for _ in range(draws))


def _percentiles(replicates: Sequence[float | None], units: int, confidence: float) -> Interval | None:
    """Return the expanded percentile interval of the draws that have a value."""
    known = sorted(value for value in replicates if value is not None)
    if not known or len(known) < (1 - MOST_UNDEFINED) * len(replicates):
        return None
    wider = math.sqrt(units / (units - 1)) * student_quantile((1 + confidence) / 2, units - 1)
    skipped = int(normal_cdf(-wider) * (len(known) + 1))
    last = len(known) - 1
    low, high = known[max(0, skipped - 1)], known[min(last, last - skipped + 1)]
    return Interval(low=low, high=high) if low < high else None
