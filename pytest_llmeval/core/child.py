"""Running a child process to its end, passing on the signals that ask this process to stop."""

import contextlib
import math
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from pytest_llmeval.core.parent import PARENT

__all__ = ["ECHO_S", "run_captured", "run_child"]

_PASSED_ON = ("SIGTERM", "SIGHUP")
_LONGEST_TOLD = 4000
"""Most characters of a process's output that ``run_captured`` returns."""
ECHO_S = 0.5
"""Seconds within which a repeated signal counts as the same one: when a terminal is lost, both the shell and the kernel
send SIGHUP, and ``timeout`` signals first its command and then the command's process group."""


def run_child(
    command: Sequence[str],
    *,
    output: IO[bytes],
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    interrupted: Callable[[], None] = lambda: None,
) -> subprocess.Popen[bytes]:
    """Run ``command`` and return its process once it has ended.

    The child has no standard input and its own process group, so Ctrl-C in the terminal reaches only this process.
    This process passes an interrupt, SIGTERM or SIGHUP on to the child once and goes on waiting, because a child that
    records results should end by itself. A second interrupt kills the child. If this process is killed, the child can
    find out with ``parent_pid``.

    Args:
        command: the program and its arguments.
        output: file for the child's standard output and standard error.
        cwd: working directory of the child; None for this process's own.
        environ: environment of the child; None for this process's own.
        interrupted: called on an interrupt, after it was passed on and before the child has ended.

    Raises:
        KeyboardInterrupt: this process was interrupted, and the child has ended.
        BaseException: raised by a signal handler of this process; the child was sent SIGTERM and has ended.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**(os.environ if environ is None else environ), PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    with process, _passed_on(process):
        try:
            process.wait()
        except BaseException as error:
            with contextlib.suppress(KeyboardInterrupt):
                is_interrupt = isinstance(error, KeyboardInterrupt)
                _pass_on(process, signal.SIGINT if is_interrupt else signal.SIGTERM)
                if is_interrupt:
                    interrupted()
                process.wait()
            if process.poll() is None:
                process.kill()
            raise
    return process


def run_captured(
    command: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Return the ended process of ``command``, as ``run_child`` does, and the last 4,000 characters of its output."""
    with tempfile.TemporaryFile() as output:
        ended = run_child(command, output=output, cwd=cwd, environ=environ)
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - 4 * _LONGEST_TOLD))  # a character has four bytes at most
        return ended, output.read().decode(errors="replace")[-_LONGEST_TOLD:]


@contextlib.contextmanager
def _passed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass SIGTERM and SIGHUP on to the child instead of leaving it behind, and restore their handlers afterwards."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in _PASSED_ON if is_main and hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = {number: each for number, each in handlers.items() if each not in (None, signal.SIG_IGN)}
    came: list[int] = []
    at = -math.inf

    def pass_on(number: int, frame: FrameType | None) -> None:
        nonlocal at
        is_echo = number in came and time.monotonic() - at < ECHO_S
        came.append(number)
        at = time.monotonic()
        if not is_echo:
            _pass_on(process, number)

    for number in before:  # neither ignored signals nor those handled in C, whose handler could not be restored
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            raise KeyboardInterrupt(f"received {signal.Signals(came[0]).name}")


def _pass_on(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
