"""Sums and means that do not depend on the order of their values."""

import math
from collections.abc import Sequence

__all__ = ["ROUNDING", "mean", "total"]

ROUNDING = 1e-12
"""Spread, relative to the greatest absolute value, up to which rounding alone explains it."""


def total(values: Sequence[float]) -> float:
    """Return the sum, rounded only once (``math.fsum``); infinite if it is too large for a float."""
    ordered = sorted(values)
    try:
        return math.fsum(ordered)
    except OverflowError:
        return _half_mean(ordered) * 2 * len(ordered)


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, between the least and the greatest value; None without values."""
    if not values:
        return None
    if len(values) == 1:  # most rows have one epoch
        return float(values[0])
    ordered = sorted(values)
    try:
        average = math.fsum(ordered) / len(ordered)
    except OverflowError:
        average = _half_mean(ordered) * 2
    return min(max(average, ordered[0]), ordered[-1])


def _half_mean(values: Sequence[float]) -> float:
    """Return half the mean of values whose sum is too large for a float; half, so that rounding cannot overflow."""
    return math.fsum(value / len(values) / 2 for value in values)
