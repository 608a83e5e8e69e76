"""The clocks of Python as they were when this was imported: tests patch those that others look up.

They stand in default values, where nobody looks who replaces a function in every module that has it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

__all__ = ["now", "stored_time", "utc"]


def now(clock: Callable[[], float] = time.monotonic) -> float:
    """Return the time, in seconds that never go back."""
    return clock()


def utc(clock: Callable[[tzinfo], datetime] = datetime.now) -> datetime:
    """Return date and time."""
    return clock(UTC)


def stored_time(time: datetime) -> str:
    """Return a time in UTC as it is stored: ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")
