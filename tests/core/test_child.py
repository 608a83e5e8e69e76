"""Processes that this one starts and waits for."""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from pytest_llmeval.core.child import run_child

CHILD = """
import os, signal, sys, time

def end(number, frame):
    print("told", flush=True)
    sys.exit()

signal.signal(signal.SIGTERM, end)
time.sleep(1)  # the other one has to wait for it first
os.kill(os.getppid(), signal.SIGALRM)
time.sleep(20)
"""


class OutOfTime(BaseException):
    """What pytest-timeout raises, which is no Exception."""


@pytest.fixture
def alarmed() -> Iterator[None]:
    """Have SIGALRM raise in this process, as pytest-timeout does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, end)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarmed")
def test_a_process_is_told_where_the_time_of_this_one_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    with open(tmp_path / "output.txt", "wb") as output, pytest.raises(OutOfTime):
        run_child([sys.executable, "-c", CHILD], output=output, environ=os.environ)
    assert (tmp_path / "output.txt").read_text("utf-8") == "told\n"
    assert time.monotonic() - began < 20


def test_a_handler_that_python_does_not_know_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """C code set it, where Python is embedded: nobody could put it back."""
    before, known = signal.getsignal(signal.SIGHUP), signal.getsignal
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGHUP else known(number))
    with open(tmp_path / "output.txt", "wb") as output:
        assert run_child([sys.executable, "-c", ""], output=output).returncode == 0
    assert known(signal.SIGHUP) is before


SLOW = """
import os, signal, time

def end(number, frame):
    time.sleep(0.5)
    print("ended", flush=True)
    os._exit(0)

signal.signal(signal.SIGINT, end)
time.sleep(1)  # the other one has to wait for it first
os.kill(os.getppid(), signal.SIGINT)
time.sleep(20)
"""


def test_an_interrupt_is_told_of_before_the_other_process_has_ended(tmp_path: Path) -> None:
    """Which may take its time; whoever pressed Ctrl-C would not know that it was heard."""
    path, printed = tmp_path / "output.txt", list[str]()
    gc.disable()  # as below
    try:
        with open(path, "wb") as output, pytest.raises(KeyboardInterrupt):
            run_child(
                [sys.executable, "-c", SLOW],
                output=output,
                interrupted=lambda: printed.append(path.read_text("utf-8")),
            )
    finally:
        gc.enable()
    assert printed == [""]
    assert path.read_text("utf-8") == "ended\n"


COUNTING = """
import signal, sys, time

signal.signal(signal.SIGHUP, lambda number, frame: print("told", flush=True))
print("ready", flush=True)
time.sleep(1.2)
time.sleep(1.2)
"""


def test_a_terminal_that_is_lost_tells_twice_and_is_heard_once(tmp_path: Path) -> None:
    """Its shell hangs this process up, and the kernel does; a later one is another."""

    def hang_up() -> None:
        while "ready" not in (tmp_path / "output.txt").read_text("utf-8"):
            time.sleep(0.02)
        for pause in (0, 0.01, 0.8):
            time.sleep(pause)
            os.kill(os.getpid(), signal.SIGHUP)

    with open(tmp_path / "output.txt", "wb") as output:
        other = threading.Thread(target=hang_up)
        gc.disable()  # what hypothesis measures of it would swallow an interrupt that comes meanwhile
        other.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                run_child([sys.executable, "-c", COUNTING], output=output)
        finally:
            gc.enable()
            other.join()
    assert (tmp_path / "output.txt").read_text("utf-8").count("told") == 2
