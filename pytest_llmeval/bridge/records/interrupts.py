"""Interrupts: SIGTERM and SIGHUP end a session as Ctrl-C does, so that no finished row is lost."""

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import FrameType, TracebackType
from typing import Any, cast

import pytest

from pytest_llmeval.bridge.display.progress import write_line
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.child import ECHO_S
from pytest_llmeval.core.clock import now

__all__ = ["Interrupts", "late_reports", "raised_as_interrupt"]

_Handler = Callable[[int, FrameType | None], None]
_LATE_S = 2.0
_STEP_S = 0.1
_SOON_S = 0.01
"""Seconds after which a signal that arrived while the process forked is sent again."""


class Interrupts:
    """The plugin object of a session in which evals may run: a signal ends it as Ctrl-C does, with status 2."""

    def __init__(self, config: pytest.Config) -> None:
        """Handle the signals from now on, until the session has finished."""
        self._config = config
        self._signals = contextlib.ExitStack()
        self._signals.enter_context(raised_as_interrupt())

    @staticmethod
    def watch(config: pytest.Config) -> None:
        """Register once, in the process that the user started; that process ends its xdist workers."""
        if not is_worker(config) and not config.pluginmanager.hasplugin("llmeval-interrupts"):
            config.pluginmanager.register(Interrupts(config), "llmeval-interrupts")

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Give each frame of the traceback a line: pytest fails on a frame without one, and would end with status 1."""
        _give_lines(excinfo.tb)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """End quietly if the signal comes while the summary is shown; after this a signal ends the process at once."""
        try:
            return (yield)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            write_line(self._config, "llmeval: interrupted while the session ended: status 2")
            return None
        finally:
            self._signals.close()

    def pytest_unconfigure(self) -> None:
        """Stop handling the signals if no session has finished."""
        self._signals.close()


def _give_lines(traceback: TracebackType) -> None:
    """Give each frame without a line the previous one: Python 3.11 compiles some jumps without, in pluggy too.

    Only what a signal raises can be raised at such a jump. The first frame is pytest's own, and has a line.
    """
    while (place := traceback.tb_next) is not None:
        if cast("int | None", place.tb_lineno) is None:
            code = place.tb_frame.f_code
            lines = [line for start, _, line in code.co_lines() if start <= place.tb_lasti and line is not None]
            line = lines[-1] if lines else code.co_firstlineno
            place = TracebackType(place.tb_next, place.tb_frame, place.tb_lasti, line)
            traceback.tb_next = place
        traceback = place


@contextlib.contextmanager
def raised_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into a KeyboardInterrupt, unless they have other handlers; a second one ends at once.

    A signal that comes twice within half a second counts once: `timeout 30m pytest evals` sends its signal so. In a
    child that a test forks, the signals do what they do in any process.
    """
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    mine = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        mine = []
    forking = _Forking(mine)
    ours: dict[int, _Handler] = {}

    def interrupt(number: int, frame: FrameType | None) -> None:
        if forking.takes(number):
            return
        ours[number] = _at_once(now())
        signal.signal(number, ours[number])
        raise KeyboardInterrupt(f"received {signal.Signals(number).name}")

    def let_go() -> None:
        for number in mine:
            if signal.getsignal(number) is ours[number]:  # a test may have set a handler of its own since
                signal.signal(number, signal.SIG_DFL)

    for number in mine:
        ours[number] = interrupt
        signal.signal(number, interrupt)
    if mine and hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=forking.begin, after_in_parent=forking.end, after_in_child=lambda: forking.born(let_go)
        )
    try:
        yield
    finally:
        let_go()
        mine.clear()


def _at_once(told_s: float) -> _Handler:
    """Return the handler of a second signal: it ends the process unless it echoes the one received at ``told_s``."""

    def end(number: int, frame: FrameType | None) -> None:
        if now() - told_s >= ECHO_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            os._exit(128 + number)  # the first process of a container outlives its own signal

    return end


class _Forking:
    """Holds back signals while a process forks.

    Python drops a signal that reaches a child before the child is set up, and an exception that a handler raises within
    a fork hook. So the system blocks signals for the child, and those for the parent are sent again after the hooks.
    """

    def __init__(self, signals: list[signal.Signals]) -> None:
        self._signals = signals
        self._forks = 0
        self._late: list[int] = []
        self._before = threading.local()

    def takes(self, number: int) -> bool:
        """Return whether signals are held back now; if so, keep this one."""
        if self._forks:
            self._late.append(number)
        return self._forks > 0

    def begin(self) -> None:
        """Hold back the signals in the thread that forks."""
        self._forks += 1
        self._before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    def end(self) -> None:
        """Let the signals arrive in the parent again."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before.mask)
        self._forks -= 1
        late, self._late = self._late, []
        for number in late:
            threading.Timer(_SOON_S, os.kill, (os.getpid(), number)).start()

    def born(self, let_go: Callable[[], None]) -> None:
        """Let the signals arrive in the child, where they do what they do in any process."""
        self._forks, self._late = 0, []
        let_go()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before.mask)


def late_reports(config: pytest.Config) -> None:
    """Handle the reports that xdist workers sent before they learned of an interrupt; xdist itself would drop them."""
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
            given["rep"].node = given["node"]  # as xdist does: JUnit distinguishes reports by it
            config.hook.pytest_runtest_logreport(report=given["rep"])
        elif name in ("workerfinished", "errordown"):
            working.discard(given["node"])
