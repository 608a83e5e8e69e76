"""Sums and means that do not depend on the order of their values."""

import math
from collections.abc import Sequence

__all__ = ["ROUNDING", "mean", "total"]

ROUNDING = 1e-12
"""A spread of at most this share of the greatest absolute value is what rounding leaves of none."""


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
    if len(values) == 1:  # a row of one epoch, as most are
        return float(values[0])
    ordered = sorted(values)
    try:
        average = math.fsum(ordered) / len(ordered)
    except OverflowError:
        average = _half_mean(ordered) * 2
    return min(max(average, ordered[0]), ordered[-1])


def _half_mean(values: Sequence[float]) -> float:
    """Return half the mean of values whose sum is too large; the half leaves room for rounding on the way."""
    return math.fsum(value / len(values) / 2 for value in values)
