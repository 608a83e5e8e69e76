"""Numbers in about three digits, in every table alike: of what is small, as of money, none of them is lost."""

from pytest_llmeval.core.stats.means import ROUNDING

__all__ = ["number", "short", "signed"]

_SMALL = 0.01
"""Below this three decimals say too little."""
_LARGE = 99_999.5
"""From here on five digits would stand with an exponent."""
_HUGE = 1e15
"""From here on a float does not tell whole numbers apart."""
_LARGE_CHANGE = 9_999.5
"""From here on four would."""


def number(value: float, size: float | None = None) -> str:
    """Return a value in about three digits, in those that one of ``size`` needs; None for its own."""
    if abs(value) >= _HUGE:
        return f"{value:.3g}"
    needed = abs(value) if size is None else size
    if 0 < needed < _SMALL:
        return f"{value:.3g}"
    if needed < 10:
        return f"{value:.3f}"
    return f"{value:.5g}" if needed < _LARGE else f"{value:,.0f}"


def short(value: float, digits: int = 3) -> str:
    """Return a value in ``digits`` digits, without zeros behind it; as ``number`` where more stand before a point."""
    told = f"{value:.{digits}g}"
    return number(value) if "e+" in told and abs(value) < _HUGE else told


def signed(value: float, size: float | None = None) -> str:
    """Return a change with its sign, in the digits that one of ``size`` needs; None for its own."""
    if abs(value) >= _HUGE:
        return f"{value:+.3g}"
    needed = abs(value) if size is None else size
    if ROUNDING < needed < _SMALL:
        return f"{value:+.2g}"
    if needed < 10:
        return f"{value:+.3f}"
    return f"{value:+.4g}" if needed < _LARGE_CHANGE else f"{value:+,.0f}"
