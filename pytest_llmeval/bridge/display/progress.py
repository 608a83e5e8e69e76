"""Progress of a run in the terminal: single lines now and then, which suit a terminal, a pipe and a CI log."""

import time
from collections.abc import Callable

import pytest

__all__ = ["Progress", "write_line"]

_EVERY_S = 10.0
_EVERY_S_IN_LOGS = 30.0


class Progress:
    """Counts finished cases and prints now and then their number, speed, time left and cost."""

    def __init__(
        self,
        total: int,
        write: Callable[[str], None],
        *,
        is_terminal: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start counting.

        Args:
            total: number of cases of the run.
            write: prints one line.
            is_terminal: whether a person watches; then a line comes every 10 seconds, else every 30.
            clock: returns seconds, never going back.
        """
        self._total = total
        self._write = write
        self._every_s = _EVERY_S if is_terminal else _EVERY_S_IN_LOGS
        self._clock = clock
        self._began = self._told = clock()
        self._done = 0
        self._missed = 0
        self._errors = 0
        self._cost_usd = 0.0
        self._unpriced = 0

    def add(self, outcome: str, cost_usd: float | None, *, before: tuple[str, float | None] | None = None) -> None:
        """Count a finished case.

        Args:
            outcome: of the case.
            cost_usd: None if not known.
            before: outcome and cost of an earlier attempt at it, which no longer counts.
        """
        if before is not None:
            self._count(*before, times=-1)
        self._count(outcome, cost_usd, times=1)
        now = self._clock()
        if now - self._told >= self._every_s and self._done < self._total:
            self._told = now
            self._write(self._line(now - self._began))

    def _count(self, outcome: str, cost_usd: float | None, *, times: int) -> None:
        self._done += times
        self._missed += times * (outcome == "missed")
        self._errors += times * (outcome == "error")
        if outcome != "skipped":
            self._unpriced += times * (cost_usd is None)
            self._cost_usd += times * (cost_usd or 0.0)

    def _line(self, passed_s: float) -> str:
        rate = self._done / passed_s
        left_s = round((self._total - self._done) / rate)
        spent = f"${self._cost_usd:.4f}" if self._cost_usd else "$0"
        if self._unpriced:
            spent = f"at least {spent}" if self._cost_usd else "cost unknown"
        counts = f"{self._missed} missed, {self._errors} errors"
        speed = f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"
        return f"llmeval {self._done}/{self._total}, {counts}, {speed}, {left_s // 60}:{left_s % 60:02d} left, {spent}"


def write_line(config: pytest.Config, line: str) -> None:
    """Print a line of its own between pytest's output, if there is a terminal and not ``-qq``."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None and config.option.verbose >= -1:
        terminal.ensure_newline()
        if config.get_terminal_writer().width_of_current_line:  # with -q the dots name no file
            terminal.write_line("")
        terminal.write_line(line)
