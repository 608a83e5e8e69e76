"""Paired tests of a change between two runs of the same rows.

Every p-value is one-sided: it is small if the change is a loss. A difference below 0 counts as a loss here; callers
choose the sign accordingly.
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
"""Number of units up to which all 2^n sign combinations are counted, which takes about 50 ms."""
LARGEST = 14
"""Number of the largest units whose sign combinations are all counted if there are more units than that."""
TIE = 1e-9
"""Largest difference of equal sums, relative to the sum of all absolute values: 0.1 + 0.2 ties with 0.3."""


def mcnemar(worse: int, better: int, *, mid_p: bool = True) -> float:
    """Return McNemar's exact p-value for yes-or-no rows getting worse: P(X >= worse), X ~ Bin(worse + better, ½).

    Mid-p subtracts ½·P(X = worse): M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research Methodology
    13 (2013) 91. If no row changed there is no evidence, and the p-value is 1.0.

    Args:
        worse: Number of rows that passed before and fail now, at least 0.
        better: Number of rows that failed before and pass now, at least 0.
        mid_p: Whether to subtract half the probability of the observed outcome.
    """
    n = worse + better
    if not n:
        return 1.0
    exact = binomial_at_least(worse, n, 0.5)
    return (exact + binomial_at_least(worse + 1, n, 0.5)) / 2 if mid_p else exact


def paired_t(differences: Sequence[float], clusters: Sequence[Hashable] | None = None) -> float | None:
    """Return the p-value of the paired t test for a mean below 0: P(T <= mean/SE) with n − 1 degrees of freedom.

    With clusters, error and degrees of freedom are those of ``clustered_mean``. None for fewer than two differences or
    clusters, or if the error is 0 (no spread was seen) or overflows.

    Raises:
        ValueError: The number of clusters differs from the number of differences.
    """
    found = estimated_mean(differences, clusters)
    return student_cdf(found.value / found.error, found.df) if found is not None and found.error else None


def sign_flip(units: Sequence[float], *, mid_p: bool = False) -> float:
    """Return the p-value of the sign-flip permutation test for a sum below 0.

    E. J. G. Pitman, Journal of the Royal Statistical Society (Supplement) 4 (1937) 119–130. Nothing is drawn at random.
    Up to 30 units other than 0, all sign combinations are counted by meeting in the middle: the sorted sums of one half
    of the units against those of the other, E. Horowitz and S. Sahni, Journal of the ACM 21 (1974) 277–292. If more
    units all have the same sign, their sum is the least or the greatest of all. For more units with both signs, all
    sign combinations of the 14 largest are counted, and the sum of the others is taken to be normal, as no single one
    of them dominates it. The result is then a mid-p in any case, within about 5 % of the exact one down to 0.001, and
    above it further out in the tail.

    Args:
        units: Differences of rows, or their sums per cluster, in any order.
        mid_p: Whether to subtract half the probability of sums equal to the observed one.

    Returns:
        In [0, 1]; 1.0 if no unit differs from 0.
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
    """Return the p-value of many units: the mean over all signs of the largest, with the others' sum as normal."""
    sizes = sorted(map(abs, units), reverse=True)
    spread = math.sqrt(2 * total([size * size for size in sizes[LARGEST:]]))
    seen, sums = total(units), _signed_sums(sizes[:LARGEST])
    return min(1.0, math.ldexp(total([math.erfc((each - seen) / spread) for each in sums]), -LARGEST - 1))


def _of_one_sign(units: Sequence[float], *, mid_p: bool) -> float:
    """Return the p-value of sorted units of one sign, whose sum is the least of all, or the greatest."""
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
    """Return the number of pairs, one sum from each half, that add up to at most ``most``."""
    first, second = halves
    return sum(bisect.bisect_right(second, most - each) for each in first)


def least_flips(alpha: float, *, mid_p: bool = True) -> int:
    """Return the fewest rows, all getting worse, with which McNemar's mid-p or the sign-flip test is below ``alpha``.

    Args:
        alpha: Above 0.
        mid_p: True for McNemar's mid-p, False for the plain sign-flip test.

    Raises:
        ValueError: ``alpha`` is 0 or less, which no number of rows can reach.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, not {alpha!r}")
    flips = 1
    while mcnemar(flips, 0, mid_p=mid_p) >= alpha:
        flips += 1
    return flips
