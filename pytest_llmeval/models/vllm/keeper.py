"""The process between a session and its ``vllm serve``; ``server`` starts it as a script, and nothing imports it.

It runs its arguments as a command in the process group that it leads. It ends that whole group when its stdin is
closed, its parent is gone, it gets a signal to end, or the command ends. So nothing is left after any exit of the
session, even by kill -9. The kernel's signal to the child of a dead parent (PR_SET_PDEATHSIG) would reach only
``vllm``, not the processes that it starts, and exists on Linux only.

It writes a line to stdout only if the command did not start or ended by itself: ``{"status": N}`` or
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
    """Run the command until it ends or has to end, and give it ``GRACE_S`` seconds to terminate."""
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
