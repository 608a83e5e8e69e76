"""Runs one command and tells what its whole process tree took. Linux only: it reads /proc."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Cost", "Memory", "end_group", "measure", "start"]

SAMPLE_S = 0.05
Memory = Literal["rss", "pss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one command took, from its start to its exit."""

    status: int | None
    """The exit status, negative for a signal; None where it was ended because it took too long."""
    started_at: float
    """On the monotonic clock."""
    wall_s: float
    cpu_s: float
    """User and system time of the process and of all descendants that were waited for."""
    peak_kib: int
    """The largest sum over all living processes of the tree, looked at every 50 ms."""


def start(command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``command`` in a process group of its own; its output goes to ``output.txt`` in ``folder``."""
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def measure(
    command: Sequence[str], *, folder: Path, environ: Mapping[str, str], timeout_s: float, memory: Memory = "rss"
) -> Cost:
    """Run ``command`` to its end, or for ``timeout_s`` at most."""
    started_at = time.monotonic()
    process = start(command, folder=folder, environ=environ)
    sampler = _Sampler(process.pid, memory)
    too_long = threading.Event()

    def give_up() -> None:
        too_long.set()
        end_group(process.pid)

    timer = threading.Timer(timeout_s, give_up)
    sampler.start()
    timer.start()
    try:
        _, waited, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started_at
        process.returncode = os.waitstatus_to_exitcode(waited)
    finally:
        timer.cancel()
        sampler.stop()
        end_group(process.pid)
    return Cost(
        status=None if too_long.is_set() else process.returncode,
        started_at=started_at,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_kib=sampler.peak_kib,
    )


def end_group(group: int) -> None:
    """Kill what is left of the process group of a command that ``start`` started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class _Sampler(threading.Thread):
    """Keeps the largest memory of a process tree."""

    def __init__(self, root: int, memory: Memory) -> None:
        super().__init__(daemon=True)
        self.peak_kib = 0
        self._root = root
        self._read = _rss_kib if memory == "rss" else _pss_kib
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            self.peak_kib = max(self.peak_kib, sum(self._read(pid) for pid in _tree(self._root)))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _tree(pid: int) -> Iterator[int]:
    """Yield ``pid`` and all its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:  # the thread ended meanwhile
            continue
        for child in found:
            yield from _tree(int(child))


def _rss_kib(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except (OSError, IndexError):
        return 0


def _pss_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
