"""Formatting numbers in about three digits, alike in every table; small ones, such as costs, keep their digits."""

from pytest_llmeval.core.stats.means import ROUNDING

__all__ = ["number", "short", "signed"]

_SMALL = 0.01
"""Below this, three decimals show too little."""
_LARGE = 99_999.5
"""From here on, ``:.5g`` would write an exponent."""
_HUGE = 1e15
"""From here on, a float cannot distinguish adjacent whole numbers."""
_LARGE_CHANGE = 9_999.5
"""From here on, ``:.4g`` would write an exponent."""


def number(value: float, size: float | None = None) -> str:
    """Return a value in about three digits, with the precision that suits a value of ``size`` (its own when None)."""
    if abs(value) >= _HUGE:
        return f"{value:.3g}"
    needed = abs(value) if size is None else size
    if 0 < needed < _SMALL:
        return f"{value:.3g}"
    if needed < 10:
        return f"{value:.3f}"
    return f"{value:.5g}" if needed < _LARGE else f"{value:,.0f}"


def short(value: float, digits: int = 3) -> str:
    """Return a value in ``digits`` digits without trailing zeros, or like ``number`` if that needs an exponent."""
    text = f"{value:.{digits}g}"
    return number(value) if "e+" in text and abs(value) < _HUGE else text


def signed(value: float, size: float | None = None) -> str:
    """Return a change with its sign, with the precision that suits a value of ``size`` (its own when None)."""
    if abs(value) >= _HUGE:
        return f"{value:+.3g}"
    needed = abs(value) if size is None else size
    if ROUNDING < needed < _SMALL:
        return f"{value:+.2g}"
    if needed < 10:
        return f"{value:+.3f}"
    return f"{value:+.4g}" if needed < _LARGE_CHANGE else f"{value:+,.0f}"
