"""The process between a session and its ``vllm serve``; started by ``server`` as a script, never imported.

It runs its arguments as a command, in the process group that it leads, and ends that whole group when its stdin reaches
its end, its parent is gone, it is told to end, or the command ends; so nothing is left on any exit of the session, a
kill -9 included. A signal that the kernel sends to the child of a dead parent (PR_SET_PDEATHSIG) would reach ``vllm``
alone, not the processes that it starts, and on Linux only.

It writes one line to stdout, and only when the command did not start or ended by itself: ``{"status": N}`` or
``{"error": "..."}``.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from typing import NoReturn

__all__ = ["main"]

STEP_S = 0.25
GRACE_S = 10.0


def main() -> NoReturn:
    """Run the command; never returns."""
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit())
    try:
        _run(sys.argv[1:], parent)
    finally:
        os.killpg(0, signal.SIGKILL)
    raise AssertionError("this process was in the group")


def _run(command: list[str], parent: int) -> None:
    """Return when the command has ended, or was told to and had time for it."""
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except OSError as error:
        _announce({"error": str(error)})
        return
    try:
        while server.poll() is None and os.getppid() == parent and not select.select([0], [], [], STEP_S)[0]:
            pass
        if server.returncode is not None:
            _announce({"status": server.returncode})
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE_S)


def _announce(line: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # the session is gone
        os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
