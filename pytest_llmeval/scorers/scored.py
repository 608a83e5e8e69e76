"""The result of a scorer, and its conversion to a number in [0, 1]."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeGuard

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers.display import visible_line

__all__ = ["Scored", "at_least_0", "finite", "is_number", "unit_interval"]

SLACK = 1e-9
"""How far outside [0, 1] a value may be through rounding."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A scorer's result, with its reason."""

    value: Any
    """A bool, or a number from 0 to 1 (numpy scalars, Decimal and Fraction too)."""
    reason: str | None = None
    """What differed, in a few lines; None if nothing did."""
    companions: Mapping[str, Any] = field(default_factory=dict)
    """Further values from 0 to 1, each recorded as ``<name of the score>_<key>``. They never make the case a miss."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether ``value`` is an int or a float; True and False do not count as numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def at_least_0(value: Any, setting: str) -> float:
    """Return a setting unchanged if it is a finite number of at least 0; raise ScorerError otherwise."""
    if is_number(value) and 0 <= value < math.inf:
        return value
    raise ScorerError(f"{setting} must be a finite number of at least 0, found {value!r}")


def finite(value: Any) -> float:
    """Return ``value`` as a finite float; a bool is 0 or 1, and an object with ``item()`` is unwrapped once.

    Raises:
        ScorerError: for anything that is not a number, and for NaN and infinities.
    """
    plain = value if isinstance(value, (int, float, Decimal, Fraction)) else _unwrapped(value)
    try:
        result = float(plain)
    except (OverflowError, ValueError):  # an int beyond the range of a double, a signalling NaN
        result = math.nan
    if math.isfinite(result):
        return result
    raise ScorerError(f"{_named(value)} is not a finite number")


def _unwrapped(value: Any) -> int | float | Decimal | Fraction:
    item = getattr(value, "item", None)
    plain = item() if callable(item) and not isinstance(value, type) else value
    if isinstance(plain, (int, float, Decimal, Fraction)):
        return plain
    raise ScorerError(f"{_named(value)} is not a number")


def _named(value: Any) -> str:
    return f"{type(value).__name__} {visible_line(repr(value), 80)}"


def unit_interval(value: Any) -> float:
    """Return ``value`` as a float in [0, 1]; up to 1e-9 outside counts as rounding and is clipped.

    Raises:
        ScorerError: for anything that is not a number in this range.
    """
    result = finite(value)
    if -SLACK <= result <= 1 + SLACK:
        return min(max(result, 0.0), 1.0)
    raise ScorerError(f"{_named(value)} is outside 0 to 1")
