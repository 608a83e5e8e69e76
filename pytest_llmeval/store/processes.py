"""Identifying a process by its id, start time and host."""

import os
import socket

__all__ = ["own_host", "process_started"]

_ENDED = "ZX"
"""States of a dead process that nobody has waited for, as in a container without an init process."""


def own_host() -> str:
    """Return an id of the space in which this process sees process ids: the machine's name and the PID namespace.

    A container may have the name of its host. On a system without namespaces, the id is the machine's name alone.
    """
    host = socket.gethostname()
    try:
        return f"{host} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return host


def process_started(pid: int) -> str | None:
    """Return the start time of a process, which tells it from a later one of the same id; ``""`` if unknown.

    None if no such process is alive.
    """
    if os.name != "posix":  # os.kill(pid, 0) would end the process
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # alive, but another user's
        pass
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            told = file.read().rpartition(")")[2].split()
        return None if told[0] in _ENDED else told[19]
    except (OSError, IndexError):
        return ""
