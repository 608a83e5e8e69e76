"""Tests of a change between two runs of the same rows.

Every p-value is one-sided: small where the change is a loss. Which difference is a loss is the caller's to say;
here a difference below 0 is one.
"""

import bisect
import math
from collections.abc import Hashable, Sequence

from pytest_llmeval.core.stats.clusters import estimated_mean
from pytest_llmeval.core.stats.distributions import binomial_at_least, student_cdf
from pytest_llmeval.core.stats.means import ROUNDING, total

__all__ = [
    "least_flips",
    "mcnemar",
    "paired_t",
    "sign_flip",
]

MOST_EXACT = 30
"""Units up to which all 2^n signs are counted; so many take about 50 ms."""
LARGEST = 14
"""Of more units, so many have all their signs counted."""
TIE = 1e-9
"""Two sums are equal when they differ by this share of the sum of all sizes: 0.1 + 0.2 ties with 0.3."""


def mcnemar(worse: int, better: int, *, mid_p: bool = True) -> float:
    """Return McNemar's exact p that yes-or-no rows got worse: P(X >= worse), X ~ Bin(worse + better, ½).

    Mid-p subtracts ½·P(X = worse): M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research Methodology
    13 (2013) 91. Without any row that changed there is no evidence: 1.0.

    Args:
        worse: Rows that passed before and fail now, at least 0.
        better: Rows that failed before and pass now, at least 0.
        mid_p: Whether to subtract half the chance of what was seen.
    """
    n = worse + better
    if not n:
        return 1.0
    exact = binomial_at_least(worse, n, 0.5)
    return (exact + binomial_at_least(worse + 1, n, 0.5)) / 2 if mid_p else exact


def paired_t(differences: Sequence[float], clusters: Sequence[Hashable] | None = None) -> float | None:
    """Return the p of the paired t test that the mean is below 0: P(T <= mean/SE), n − 1 degrees of freedom.

    With clusters, error and degrees of freedom are ``clustered_mean``'s. None for fewer than two differences or
    clusters, and where the error is 0 (no spread was seen) or overflows.

    Raises:
        ValueError: For another number of clusters than of differences.
    """
    found = estimated_mean(differences, clusters)
    return student_cdf(found.value / found.error, found.df) if found is not None and found.error else None


def sign_flip(units: Sequence[float], *, mid_p: bool = False) -> float:
    """Return the p of the sign-flip permutation test that the sum is below 0.

    E. J. G. Pitman, Journal of the Royal Statistical Society (Supplement) 4 (1937) 119–130. Nothing is drawn: up to 30
    units other than 0 all signs count, as the sorted sums of one half of the units against those of the other, E.
    Horowitz and S. Sahni, Journal of the ACM 21 (1974) 277–292. More of them that all have one sign are the first or
    the last of all sums, whatever the others are. Of more with both signs all signs of the 14 largest count, and the
    sum of the others is taken to be normal, which no single one of them can upset: the p is then a mid-p either way,
    within about 5 % of the exact one down to 0.001, and above it in the tail beyond.

    Args:
        units: Differences of rows, or their sums per cluster, in any order.
        mid_p: Whether to subtract half the chance of sums equal to the one seen.

    Returns:
        In [0, 1]; 1.0 where no unit differs from 0.
    """
    largest = max(map(abs, units), default=0.0)
    moved = sorted(unit / largest for unit in units if abs(unit) > ROUNDING * largest)
    if not moved:
        return 1.0
    if len(moved) > MOST_EXACT:
        return _of_many(moved) if moved[0] < 0 < moved[-1] else _of_one_sign(moved, mid_p=mid_p)
    seen, slack = total(moved), TIE * total([abs(unit) for unit in moved])
    halves = _signed_sums(moved[::2]), _signed_sums(moved[1::2])
    at_most, below = _count_sums(halves, seen + slack), _count_sums(halves, seen - slack)
    return math.ldexp((at_most + below) / 2 if mid_p else at_most, -len(moved))


def _of_many(units: Sequence[float]) -> float:
    """Return the p of many units: the mean over all signs of the largest, the sum of the others being normal."""
    sizes = sorted(map(abs, units), reverse=True)
    spread = math.sqrt(2 * total([size * size for size in sizes[LARGEST:]]))
    seen, sums = total(units), _signed_sums(sizes[:LARGEST])
    return min(1.0, math.ldexp(total([math.erfc((each - seen) / spread) for each in sums]), -LARGEST - 1))


def _of_one_sign(units: Sequence[float], *, mid_p: bool) -> float:
    """Return the p of sorted units of one sign: their sum is the least of all, or the greatest."""
    own = math.ldexp(1.0, -len(units))
    p_value = own if units[0] < 0 else 1.0
    return p_value - own / 2 if mid_p else p_value


def _signed_sums(units: Sequence[float]) -> list[float]:
    """Return the sums for all 2^n choices of signs, sorted."""
    sums = [0.0]
    for unit in units:
        sums = sorted([each - unit for each in sums] + [each + unit for each in sums])
    return sums


def _count_sums(halves: tuple[Sequence[float], Sequence[float]], most: float) -> int:
    """Return how many sums of one of each half are at most ``most``."""
    first, second = halves
    return sum(bisect.bisect_right(second, most - each) for each in first)


def least_flips(alpha: float, *, mid_p: bool = True) -> int:
    """Return how many rows must all get worse before McNemar's mid-p, or the plain sign-flip test, is below ``alpha``.

    Args:
        alpha: Above 0.
        mid_p: Whether half the chance of what was seen is subtracted.

    Raises:
        ValueError: For an ``alpha`` of 0 or less, which no number of rows gets below.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, not {alpha!r}")
    flips = 1
    while mcnemar(flips, 0, mid_p=mid_p) >= alpha:
        flips += 1
    return flips
