"""Keeps the terminal summary short, and quick to print, however many evals failed.

pytest looks through every report of a session for each failed one that it shows: 58 s for 10,000 rows of which a fifth
failed. The first few are shown as pytest shows them, the others are counted; all are in the database.
"""

import re
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pytest_llmeval.bridge.execution.outcomes import KIND_ATTRIBUTE, OUTCOME_ATTRIBUTE
from pytest_llmeval.core.gate.case import NEVER_ASKED
from pytest_llmeval.core.text import counted, one_line

__all__ = ["Brevity"]

_SHOWN = 20
_REASONS = 3
"""Largest number of reasons shown for cases without an answer, the most frequent first."""
_NUMBER = re.compile(r"\S*\d\S*")
_CATEGORIES = ("failed", "error")
_OF_AN_EARLIER_CALL = "not asked: the server had refused an earlier call: "
"""Text before the reason of cases that were not asked any more."""


class Brevity:
    """The plugin object that limits the terminal's lists to the first failed evals while they are shown."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._whole: dict[str, list[Any]] = {}
        self._shown: dict[str, list[Any]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, None, None]:
        """Hide all but the first failed evals, and say how many; with ``-vv`` hide only cases that were never asked."""
        stats: dict[str, list[Any]] = terminalreporter.stats
        self._whole = {category: stats[category] for category in _CATEGORIES if category in stats}
        unasked: dict[tuple[str, ...], list[str]] = {}
        hidden = 0
        for category, reports in self._whole.items():
            most = len(reports) if self._config.option.verbose > 1 else _SHOWN
            self._shown[category], more = _first(reports, unasked, most)
            hidden += more
        stats.update(self._shown)
        try:
            yield
        finally:
            stats.update(self._whole)
            for line in _lines(unasked, hidden):
                terminalreporter.write_line(line)

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_terminal_summary")
    def pytest_terminal_summary_of_others(self, terminalreporter: Any) -> Generator[None, None, None]:
        """Show all reports to other plugins and conftests, whose hooks run within the terminal's own lists."""
        terminalreporter.stats.update(self._whole)
        try:
            yield
        finally:
            terminalreporter.stats.update(self._shown)


def _first(reports: list[Any], unasked: dict[tuple[str, ...], list[str]], most: int) -> tuple[list[Any], int]:
    """Return the reports to show, and the number of further failed evals; add cases never asked to ``unasked``."""
    kept, more = [], 0
    for report in reports:
        kind = getattr(report, KIND_ATTRIBUTE, "")
        if kind in NEVER_ASKED:
            told = _reason(report, kind)
            unasked.setdefault(_alike(told), []).append(told)
        elif getattr(report, OUTCOME_ATTRIBUTE, None) is None:
            kept.append(report)  # an ordinary test
        elif most > 0:
            most -= 1
            kept.append(report)
        else:
            more += 1
    return kept, more


def _reason(report: Any, kind: str) -> str:
    """Return the kind of an error, followed by its message in brackets."""
    said = report.longrepr if isinstance(report.longrepr, str) else ""
    reason = one_line(said.removeprefix(f"{kind}: ").replace(_OF_AN_EARLIER_CALL, ""), 200)
    return kind + (reason and f" ({reason})")


def _alike(reason: str) -> tuple[str, ...]:
    """Return a key for reasons that differ only in numbers; the model or judge at the start is kept whole."""
    who, _, said = reason.partition(": ")
    return who, _NUMBER.sub("", said)


def _lines(unasked: dict[tuple[str, ...], list[str]], hidden: int) -> Iterator[str]:
    if hidden:
        yield f"{counted(hidden, 'case')} more failed; -vv shows each, llmeval show -vv lists them"
    groups = sorted(unasked.values(), key=len, reverse=True)
    for group in groups[:_REASONS]:
        yield f"{counted(len(group), 'case')} without an answer: {group[0]}"
    if others := sum(map(len, groups[_REASONS:])):
        yield f"{counted(others, 'case')} more without an answer, for other reasons; llmeval show -vv lists them"
