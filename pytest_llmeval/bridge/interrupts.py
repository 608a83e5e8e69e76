"""What a session does when it is told to end: SIGTERM and SIGHUP are a Ctrl-C, and finished rows are not lost."""

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
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

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt(f"received {signal.Signals(number).name}")

    def let_go() -> None:
        for number in mine:
            if signal.getsignal(number) is interrupt:  # a test may have set a handler of its own since
                signal.signal(number, signal.SIG_DFL)

    for number in mine:
        signal.signal(number, interrupt)
    if mine and hasattr(os, "register_at_fork"):
        _keep_from_children(mine, let_go)
    try:
        yield
    finally:
        let_go()
        mine.clear()


def _keep_from_children(mine: list[signal.Signals], let_go: Callable[[], None]) -> None:
    """Have each child that is forked while ``mine`` holds signals ``let_go`` of them, before one of them arrives there.

    Python drops what arrives in a child before it has begun, unless the system itself acts on it or holds it back.
    """

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, mine)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, mine)

    def release_child() -> None:
        let_go()
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=release_child)


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
