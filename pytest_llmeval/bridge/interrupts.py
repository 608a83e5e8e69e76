"""What a session does when it is told to end: SIGTERM and SIGHUP are a Ctrl-C, and finished rows are not lost."""

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

__all__ = ["late_reports", "raised_as_interrupt"]

_LATE_S = 2.0
_STEP_S = 0.1


@contextlib.contextmanager
def raised_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into a KeyboardInterrupt, where nobody else handles them; the second one ends at once."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        mine = []

    own = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != own:  # a child that a test forked is no session: it ends as if nobody handled the signal
            os.kill(os.getpid(), number)
            return
        raise KeyboardInterrupt(f"received {signal.Signals(number).name}")

    for number in mine:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def late_reports(config: pytest.Config) -> None:
    """Take the reports that xdist workers sent before they learned of an interrupt; xdist itself would drop them."""
    distributed: Any = config.pluginmanager.getplugin("dsession")
    events: Any = getattr(distributed, "queue", None)
    working = set(getattr(distributed, "_active_nodes", ()))
    deadline = time.monotonic() + _LATE_S
    while events is not None and working and (left_s := deadline - time.monotonic()) > 0:
        try:
            name, given = events.get(timeout=min(left_s, _STEP_S))
        except queue.Empty:
            continue
        if name == "testreport":
            given["rep"].node = given["node"]  # as xdist does first: JUnit tells reports apart by it
            config.hook.pytest_runtest_logreport(report=given["rep"])
        elif name in ("workerfinished", "errordown"):
            working.discard(given["node"])
