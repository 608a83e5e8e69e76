"""A terminal summary that stays short, and takes no longer than that, however many evals failed.

pytest looks through every report of a session for each failed one that it shows: 58 s for 10,000 rows of which a fifth
failed. The first few are shown as pytest shows them, the others are counted; all stand in the database.
"""

from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from pytest_llmeval.bridge.execution.outcomes import KIND_ATTRIBUTE, OUTCOME_ATTRIBUTE
from pytest_llmeval.core.gate.case import NEVER_ASKED
from pytest_llmeval.core.text import one_line

__all__ = ["Brevity"]

_SHOWN = 20
_CATEGORIES = ("failed", "error")
_OF_AN_EARLIER_CALL = "not asked: the server had refused an earlier call: "
"""What stands before the reason of those that were not asked any more."""


class Brevity:
    """The plugin object that leaves only the first failed evals in the terminal's lists while it shows them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._whole: dict[str, list[Any]] = {}
        self._shown: dict[str, list[Any]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, None, None]:
        """Hide what is too much, and say what is hidden; with ``-vv`` only cases that were never asked are hidden."""
        stats: dict[str, list[Any]] = terminalreporter.stats
        self._whole = {category: stats[category] for category in _CATEGORIES if category in stats}
        told: Counter[str] = Counter()
        reasons: dict[str, str] = {}
        for category, reports in self._whole.items():
            most = len(reports) if self._config.option.verbose > 1 else _SHOWN
            self._shown[category] = _first(reports, told, reasons, most)
        stats.update(self._shown)
        try:
            yield
        finally:
            stats.update(self._whole)
            for kind, count in told.items():
                terminalreporter.write_line(_line(kind, count, reasons.get(kind, "")))

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_terminal_summary")
    def pytest_terminal_summary_of_others(self, terminalreporter: Any) -> Generator[None, None, None]:
        """Hide nothing from what other plugins and conftests add, which comes within the terminal's own lists."""
        terminalreporter.stats.update(self._whole)
        try:
            yield
        finally:
            terminalreporter.stats.update(self._shown)


def _first(reports: list[Any], told: Counter[str], reasons: dict[str, str], most: int) -> list[Any]:
    kept = []
    for report in reports:
        kind = getattr(report, KIND_ATTRIBUTE, "")
        if kind in NEVER_ASKED:
            told[kind] += 1
            if kind not in reasons and isinstance(report.longrepr, str):
                reasons[kind] = report.longrepr.removeprefix(f"{kind}: ").replace(_OF_AN_EARLIER_CALL, "")
        elif getattr(report, OUTCOME_ATTRIBUTE, None) is None:
            kept.append(report)  # an ordinary test
        elif most > 0:
            most -= 1
            kept.append(report)
        else:
            told["failed"] += 1
    return kept


def _line(kind: str, count: int, reason: str) -> str:
    cases = "1 case" if count == 1 else f"{count:,} cases"
    if kind == "failed":
        return f"{cases} more failed; -vv shows each, llmeval show -vv lists them"
    return f"{cases} without an answer: {kind}{reason and f' ({one_line(reason, 200)})'}"
