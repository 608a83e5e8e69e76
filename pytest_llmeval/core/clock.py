"""Python's clocks as they were at import time, unaffected by tests that patch the time.

They are bound as default values: a tool that replaces a function in every module holding it does not look there.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

__all__ = ["now", "stored_time", "utc"]


def now(clock: Callable[[], float] = time.monotonic) -> float:
    """Return the monotonic time in seconds."""
    return clock()


def utc(clock: Callable[[tzinfo], datetime] = datetime.now) -> datetime:
    """Return the current date and time in UTC."""
    return clock(UTC)


def stored_time(time: datetime) -> str:
    """Return a UTC time in the form that is stored: ISO 8601, to the millisecond."""
    return time.isoformat(timespec="milliseconds")
