"""Intervals and quantiles in closed form.

Results do not depend on the order of the values. What cannot be estimated is None, never NaN, never a stand-in zero and
never an interval without width.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pytest_llmeval.core.stats.clusters import ClusteredMean, clustered_mean, estimated_mean, size_effect
from pytest_llmeval.core.stats.distributions import normal_quantile, student_quantile
from pytest_llmeval.core.stats.means import mean

__all__ = [
    "CHANGE_CONFIDENCE",
    "Interval",
    "effective_n",
    "miss_chance",
    "pass_at_k",
    "quantile",
    "score_interval",
    "standard_error",
    "t_interval",
    "wilson",
]

CHANGE_CONFIDENCE = 0.9
"""Confidence of the interval of a change, which misses the truth in 5 % of cases on each side."""
_UPPER = 0.975
"""Probability below the upper end of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The two ends of a confidence interval, ``low <= high``."""

    low: float
    high: float


def standard_error(values: Sequence[float], *, clusters: Sequence[Hashable] | None = None) -> float | None:
    """Return the standard error of the mean: sqrt(Σ(s − m)² / (n(n − 1))), or the CR2 error with clusters.

    None for fewer than two values or clusters, or if it overflows; 0 for values that are equal except for rounding,
    which leave it unknown.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    found = estimated_mean(values, clusters)
    return found.error if found else None


def wilson(share: float, n: float, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share, within [0, 1].

    E. B. Wilson, JASA 22 (1927) 209–212: centre (p + z²/2n) / (1 + z²/n), half-width
    z / (1 + z²/n) · sqrt(p(1 − p)/n + z²/4n²).

    Args:
        share: The observed share p, in [0, 1].
        n: Number of samples, above 0; an effective number need not be an integer.
        confidence: In (0, 1).
    """
    return _wilson(share, n, normal_quantile((1 + confidence) / 2))


def _wilson(share: float, n: float, z: float) -> Interval:
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, min(centre - half, share)), high=min(1.0, max(centre + half, share)))


def score_interval(values: Sequence[float], *, clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """Return a 95 % confidence interval of the mean of scores in [0, 1].

    For values of 0 and 1 it is Wilson's interval over n. For others it is Wilson's interval over the effective number
    m(1 − m)/SE², which unlike a t interval keeps its coverage near 0 and 1, with Student's quantile at n − 1 degrees of
    freedom, since the error is an estimate. None without values, for values outside [0, 1], or if the standard error is
    unknown or 0 (a single value, or equal values, do not show the spread).

    With clusters, the effective number is m(1 − m)/SE² with the clustered error, but at most the number without
    clusters over ``size_effect``, because the clustered error is too small if only small clusters differ from the
    others. The quantile is Student's at the degrees of freedom of ``clustered_mean``. If all values are 0 or all are 1,
    the number is n²/Σn_c², which is the number of clusters if they have equal size. None below two clusters.

    Args:
        values: In any order.
        clusters: The cluster of each value, in the order of ``values``.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    centre = mean(values)
    if centre is None or min(values) < 0 or max(values) > 1:
        return None
    n = effective_n(values, clusters)
    if n is None:
        return None
    if clusters is None and all(value in (0, 1) for value in values):
        return wilson(centre, n)
    found = estimated_mean(values, clusters)
    return _wilson(centre, n, student_quantile(_UPPER, found.df)) if found else None


def effective_n(values: Sequence[float], clusters: Sequence[Hashable] | None) -> float | None:
    """Return the number of yes-or-no samples whose mean would be as uncertain, as ``score_interval`` uses it.

    Args:
        values: In [0, 1], at least one.
        clusters: The cluster of each value, in the order of ``values``.

    Returns:
        Above 0; None if unknown, for example below two clusters.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    is_binary = all(value in (0, 1) for value in values)
    n = len(values) if is_binary else _effective_n(values, mean(values) or 0.0)
    if n is None or clusters is None:
        return n
    clustered = clustered_mean(values, clusters)
    return min(n / size_effect(values, clusters), _clustered_n(clustered)) if clustered else None


def _effective_n(values: Sequence[float], centre: float) -> float | None:
    """Return the number of yes-or-no samples whose mean would be as uncertain, without clusters; None if unknown."""
    error = standard_error(values)
    variance = error * error if error else 0.0
    if not variance or centre * (1 - centre) < variance / 2:  # the latter if the mean was rounded to 0 or 1
        return None
    return centre * (1 - centre) / variance


def _clustered_n(mean_: ClusteredMean) -> float:
    """Return the effective number according to the clustered error; infinite if the error is 0."""
    return mean_.value * (1 - mean_.value) / mean_.error**2 if mean_.error else math.inf


def t_interval(
    values: Sequence[float], *, confidence: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> Interval | None:
    """Return Student's interval of the mean, m ± t·SE, for values of any range.

    The degrees of freedom are n − 1; with clusters, error and degrees of freedom are those of ``clustered_mean``.

    Args:
        values: In any order.
        confidence: In (0, 1).
        clusters: The cluster of each value, in the order of ``values``; None if all values are independent.

    Returns:
        None for fewer than two values or clusters, or if the error is 0 or overflows.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    found = estimated_mean(values, clusters)
    if found is None or not found.error:
        return None
    half = student_quantile((1 + confidence) / 2, found.df) * found.error
    return Interval(low=found.value - half, high=found.value + half)


def quantile(values: Sequence[float], percent: int) -> float | None:
    """Return the least value with at least ``percent`` % of the values at or below it; None without values.

    This is the inverse of the empirical distribution, definition 1 of R. J. Hyndman and Y. Fan, The American
    Statistician 50 (1996) 361–365, numpy's ``inverted_cdf``: always an observed value, never an interpolated one.

    Args:
        values: In any order.
        percent: From 1 to 100.
    """
    if not values:
        return None
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def miss_chance(bar: float, value: float, error: float | None) -> float | None:
    """Return Φ((bar − value) / error): the probability that a rerun of the same system comes out below ``bar``.

    This is a normal approximation; None if ``error`` (the standard error) is unknown or 0.
    """
    return NormalDist(value, error).cdf(bar) if error else None


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the probability that at least one of ``k`` attempts is right: 1 − C(n − c, k) / C(n, k).

    M. Chen et al., "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, equation 1.

    Args:
        n: Number of attempts made, at least ``k``.
        c: Number of right ones among them, from 0 to ``n``.
        k: Number of attempts allowed, at least 1.
    """
    return 1 - math.comb(n - c, k) / math.comb(n, k)
