"""The process that started this one, which may have ended before this one could look, and what it tells."""

import contextlib
import os

__all__ = ["ESCALATED", "ESCALATED_CALLS", "PARENT", "parent_pid"]

PARENT = "LLMEVAL_PARENT_PID"
"""The variable in which a process tells those that it starts who it is."""
ESCALATED = "LLMEVAL_ESCALATED"
"""That in which a session tells one that it starts which run it escalates."""
ESCALATED_CALLS = "LLMEVAL_ESCALATED_CALLS"
"""That in which it tells it which file is to say how its calls were answered."""


def parent_pid() -> int:
    """Return the process that started this one: no longer what ``os.getppid()`` says once it has ended.

    A child of a child has the variable too, and its own parent is another; then the one that is named still runs.
    """
    named = os.environ.get(PARENT, "")
    if named.isdecimal() and int(named) != os.getppid():
        with contextlib.suppress(PermissionError, OverflowError):
            try:
                os.kill(int(named), 0)
            except ProcessLookupError:
                return int(named)
    return os.getppid()
