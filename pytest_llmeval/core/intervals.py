"""Means, intervals and quantiles in closed form.

Every function takes the values in any order and gives the same answer for each. What cannot be estimated is
None, never NaN and never a stand-in zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

__all__ = [
    "Interval",
    "mean",
    "miss_chance",
    "pass_at_k",
    "quantile",
    "score_interval",
    "standard_error",
    "total",
    "wilson",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The two ends of a confidence interval, ``low <= high``."""

    low: float
    high: float


def total(values: Sequence[float]) -> float:
    """Return the sum, rounded once (``math.fsum``); infinite where it is too large for a float."""
    ordered = sorted(values)
    try:
        return math.fsum(ordered)
    except OverflowError:
        return _half_mean(ordered) * 2 * len(ordered)


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, between the least and the greatest value; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    try:
        average = math.fsum(ordered) / len(ordered)
    except OverflowError:
        average = _half_mean(ordered) * 2
    return min(max(average, ordered[0]), ordered[-1])


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean: sqrt(Σ(s − m)² / (n(n − 1))).

    The values must be independent: means of samples, not of repeated cases (E. Miller, "Adding Error Bars to
    Evals", arXiv 2411.00640, section 2.1). None for fewer than two values, and where it overflows.
    """
    centre = mean(values)
    if centre is None or len(values) < 2:
        return None
    squares = total([(value - centre) * (value - centre) for value in values])
    error = math.sqrt(squares / (len(values) * (len(values) - 1)))
    return error if math.isfinite(error) else None


def wilson(share: float, n: float, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share, within [0, 1].

    E. B. Wilson, JASA 22 (1927) 209–212: centre (p + z²/2n) / (1 + z²/n), half-width
    z / (1 + z²/n) · sqrt(p(1 − p)/n + z²/4n²).

    Args:
        share: The share p that was seen, in [0, 1].
        n: Over how many samples, above 0; an effective number may be no integer.
        confidence: In (0, 1).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, min(centre - half, share)), high=min(1.0, max(centre + half, share)))


def score_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval | None:
    """Return a confidence interval of the mean of scores in [0, 1].

    Values that are all 0 or 1 take Wilson's interval over n. Others take it over the effective number
    m(1 − m)/SE², which keeps its coverage near the ends where a t interval does not. None without values, for
    values outside [0, 1], and where the standard error is unknown or 0 (one value, or equal ones: they say
    nothing of the spread).
    """
    centre = mean(values)
    if centre is None or min(values) < 0 or max(values) > 1:
        return None
    if all(value in (0, 1) for value in values):
        return wilson(centre, len(values), confidence=confidence)
    error = standard_error(values)
    variance = error * error if error else 0.0
    if not variance or centre * (1 - centre) < variance / 2:  # the latter: a mean rounded to 0 or 1
        return None
    return wilson(centre, centre * (1 - centre) / variance, confidence=confidence)


def quantile(values: Sequence[float], percent: int) -> float | None:
    """Return the least value with at least ``percent`` % of the values at or below it; None without values.

    This is the inverse of the empirical distribution, definition 1 of R. J. Hyndman and Y. Fan, The American
    Statistician 50 (1996) 361–365, numpy's ``inverted_cdf``: always a value that was seen, none in between.

    Args:
        values: In any order.
        percent: From 1 to 100.
    """
    if not values:
        return None
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def miss_chance(bar: float, value: float, error: float | None) -> float | None:
    """Return Φ((bar − value) / error): the chance that a rerun of the same system comes out below ``bar``.

    A normal approximation; None where ``error`` (the standard error) is unknown or 0.
    """
    return NormalDist(value, error).cdf(bar) if error else None


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that at least one of ``k`` attempts is right: 1 − C(n − c, k) / C(n, k).

    M. Chen et al., "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, equation 1.

    Args:
        n: Attempts made, at least ``k``.
        c: Right ones among them, from 0 to ``n``.
        k: Attempts allowed, from 1.
    """
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def _half_mean(values: Sequence[float]) -> float:
    """Return half the mean of values whose sum is too large; the half leaves room for rounding on the way."""
    return math.fsum(value / len(values) / 2 for value in values)
