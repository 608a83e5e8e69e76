"""The process that started this one, which may have ended before this one could look."""

import contextlib
import os

__all__ = ["PARENT", "parent_pid"]

PARENT = "LLMEVAL_PARENT_PID"
"""The variable in which a process tells those that it starts who it is."""


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
