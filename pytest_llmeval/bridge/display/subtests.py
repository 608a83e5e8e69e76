"""Subtests in a suite with rules: pytest would show one that missed as it shows one that passed."""

from typing import Any

import pytest

from pytest_llmeval.bridge.execution.outcomes import PASSED_OVER_ATTRIBUTE

__all__ = ["Subtests"]


class Subtests:
    """The plugin object that shows which subtests missed, where pytest shows those that passed: with ``-v``."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any, config: pytest.Config) -> Any:
        """Give a subtest that missed a category of its own: the case is counted among the misses."""
        described = getattr(report, "_sub_test_description", None)
        if described is None or not hasattr(report, PASSED_OVER_ATTRIBUTE):
            return None
        if config.get_verbosity("subtests") == 0:
            return "", "", ""
        return "subtests missed", "u", (f"SUBMISSED{described()}", {"yellow": True})
