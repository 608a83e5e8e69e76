"""When two numbers or dates count as equal."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from pytest_llmeval.core.errors import ScorerError

__all__ = ["as_decimal", "check_date_format", "same_date", "within"]

DATE_LENGTH = 64
"""Largest number of characters of a text that is read as a date."""
_TIME_PARTS = ("%H", "%I", "%c", "%X")


def within(given: int | float | Decimal, wanted: int | float | Decimal, tolerance: float | Decimal) -> bool:
    """Return whether two finite numbers differ by at most ``tolerance``.

    Computed in decimal, on the numbers as written, so that 1.1 and 1.0 differ by exactly 0.1.
    """
    return given == wanted or abs(as_decimal(given) - as_decimal(wanted)) <= as_decimal(tolerance)


def as_decimal(value: int | float | Decimal) -> Decimal:
    """Return a number in decimal, exactly as it is written."""
    if isinstance(value, Decimal):
        return value
    return Decimal(repr(float(value))) if isinstance(value, float) else Decimal(int(value))


def same_date(given: str, wanted: str, formats: Sequence[str], tolerance_days: float) -> bool:
    """Return whether two texts are dates that differ by at most ``tolerance_days``.

    A text is read as ISO 8601 (``date.fromisoformat``, ``datetime.fromisoformat``), then by the ``strptime`` formats in
    their order. If either side has no time of day, the calendar days are compared as written; otherwise the instants
    are, a time without zone taken as UTC. False if either side is not a date.
    """
    left, right = _read(given.strip(), formats), _read(wanted.strip(), formats)
    if left is None or right is None:
        return False
    if isinstance(left, datetime) and isinstance(right, datetime):
        return abs(_instant(left) - _instant(right)) <= timedelta(days=tolerance_days)
    return abs(_day(left) - _day(right)) <= timedelta(days=tolerance_days)


def _instant(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _read(text: str, formats: Sequence[str]) -> date | None:
    """Return a date, or a datetime if the text has a time of day; None if it is neither."""
    if len(text) > DATE_LENGTH:
        return None
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    for form in formats:
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        return moment if any(part in form for part in _TIME_PARTS) else moment.date()
    return None


@lru_cache(maxsize=256)
def check_date_format(form: str) -> str:
    """Return the format unchanged if ``strptime`` accepts it.

    Raises:
        ScorerError: if it does not.
    """
    sample = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(form), form)
    except (ValueError, TypeError) as error:
        raise ScorerError(f"date_formats holds {form!r}, which strptime does not understand: {error}") from None
    return form
