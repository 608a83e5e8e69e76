"""Which process is meant by a number, of which machine."""

import os
import socket

__all__ = ["own_host", "process_started"]

_ENDED = "ZX"
"""States of a killed process that nobody has waited for, as in a container without an init process."""


def own_host() -> str:
    """Return where the numbers of processes mean those that this process sees: the machine and its PID namespace.

    A container may have the name of its host. A system without namespaces has the name of the machine alone.
    """
    host = socket.gethostname()
    try:
        return f"{host} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return host


def process_started(pid: int) -> str | None:
    """Return what tells this process from a later one with its number; ``""`` where the system does not say.

    None where no such process runs.
    """
    if os.name != "posix":  # there os.kill(pid, 0) would end the process
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it runs, and is another user's
        pass
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            told = file.read().rpartition(")")[2].split()
        return None if told[0] in _ENDED else told[19]
    except (OSError, IndexError):
        return ""
