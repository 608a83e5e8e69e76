"""The category in which pytest counts a case or one of its subtests, and the letter that pytest prints."""

from collections.abc import Container
from typing import Any

import pytest

from pytest_llmeval.bridge.execution.outcomes import LATE_ATTRIBUTE, OUTCOME_ATTRIBUTE, PASSED_OVER_ATTRIBUTE

__all__ = ["CaseLetters"]

_MISSED = ("missed", "m", ("MISSED", {"yellow": True}))
_ERROR = ("error", "E", ("ERROR", {"red": True}))
_FAILED = ("failed", "F", "FAILED")


class CaseLetters:
    """The plugin object that gives misses a category of their own, and counts errors of a body as errors."""

    def __init__(self, config: pytest.Config, begun: Container[str]) -> None:
        """Prepare; ``begun`` has the node ids of the cases that have begun and not ended."""
        self._config = config
        self._begun = begun

    def pytest_report_teststatus(self, report: Any) -> Any:
        """Return category, letter and word of a case's report; None leaves that to pytest."""
        outcome, is_late = getattr(report, OUTCOME_ATTRIBUTE, None), hasattr(report, LATE_ATTRIBUTE)
        if outcome == "missed" and report.passed and (report.when == "call" or is_late):
            return _MISSED
        if report.failed and is_late:
            return _FAILED
        if report.failed and (report.nodeid in self._begun or outcome) and outcome not in ("missed", "skipped"):
            return _ERROR
        return None

    @pytest.hookimpl(tryfirst=True, specname="pytest_report_teststatus")
    def pytest_report_teststatus_of_subtest(self, report: Any) -> Any:
        """Show a missed subtest in a suite with rules only where pytest shows passed ones: with ``-v``.

        The case itself is counted among the misses.
        """
        described = getattr(report, "_sub_test_description", None)
        if described is None or not hasattr(report, PASSED_OVER_ATTRIBUTE):
            return None
        if self._config.get_verbosity("subtests") == 0:
            return "", "", ""
        return "subtests missed", "u", (f"SUBMISSED{described()}", {"yellow": True})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remove a case from those that passed if a fixture scored a miss in the teardown."""
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is None or not hasattr(report, LATE_ATTRIBUTE):
            return
        passed = terminal.stats.get("passed", [])
        for index in range(len(passed) - 1, -1, -1):
            if passed[index].nodeid == report.nodeid:
                del passed[index]
                return
