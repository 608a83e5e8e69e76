"""The parent process, which may have ended already, and the environment variables through which it passes facts on."""

import contextlib
import os

__all__ = ["ESCALATED", "ESCALATED_CALLS", "PARENT", "parent_pid"]

PARENT = "LLMEVAL_PARENT_PID"
"""Environment variable in which a process passes its own process id to its children."""
ESCALATED = "LLMEVAL_ESCALATED"
"""Environment variable in which a session tells the session of its second look which run to escalate."""
ESCALATED_CALLS = "LLMEVAL_ESCALATED_CALLS"
"""Environment variable with the file to which that session writes how its calls were answered."""


def parent_pid() -> int:
    """Return the id of the process that started this one, even if it has ended and ``os.getppid()`` is another one.

    A grandchild inherits the variable too, although its parent is another process. The named process then still runs,
    and ``os.getppid()`` is returned.
    """
    named = os.environ.get(PARENT, "")
    if named.isdecimal() and int(named) != os.getppid():
        with contextlib.suppress(PermissionError, OverflowError):
            try:
                os.kill(int(named), 0)
            except ProcessLookupError:
                return int(named)
    return os.getppid()
