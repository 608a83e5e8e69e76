"""A process that this one starts and waits for, and that is told when this one is to end."""

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

__all__ = ["ECHO_S", "run_child", "run_told"]

_PASSED_ON = ("SIGTERM", "SIGHUP")
_LONGEST_TOLD = 4000
"""Characters of what a process printed."""
ECHO_S = 0.5
"""Within these a signal that comes again is the same one: a terminal that is lost tells of it twice, its shell and the
kernel, and ``timeout`` tells first its command and then the command's process group."""


def run_child(
    command: Sequence[str],
    *,
    output: IO[bytes],
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    interrupted: Callable[[], None] = lambda: None,
) -> subprocess.Popen[bytes]:
    """Return the ended process of ``command``.

    It reads nothing, and is in a process group of its own: a Ctrl-C of the terminal reaches this process alone, which
    passes it on once, as it does SIGTERM and SIGHUP. Then it waits all the same: whoever records something ends better
    by itself than killed. A second interrupt kills. Where this process is killed, the other one can tell by
    ``parent_pid``.

    Args:
        command: the program and its arguments.
        output: a file for what it prints, to both streams.
        cwd: the folder that it starts in; None for this process' own.
        environ: its environment; None for this process' own.
        interrupted: called at an interrupt, once it is passed on and before the other process has ended.

    Raises:
        KeyboardInterrupt: this process was interrupted, and the other has ended since.
        BaseException: what a signal's handler of this process raises; the other was sent SIGTERM and has ended since.
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


def run_told(
    command: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Return the ended process of ``command`` as ``run_child`` does, and the end of what it printed."""
    with tempfile.TemporaryFile() as output:
        ended = run_child(command, output=output, cwd=cwd, environ=environ)
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - 4 * _LONGEST_TOLD))  # a character has four bytes at most
        return ended, output.read().decode(errors="replace")[-_LONGEST_TOLD:]


@contextlib.contextmanager
def _passed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass signals on that would end this process and leave the other one behind; then they act here as before."""
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

    for number in before:  # not where nobody is to hear it, or C code does, whose handler none could put back
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
