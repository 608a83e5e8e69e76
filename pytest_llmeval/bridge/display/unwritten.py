"""Handles reports that another plugin could not write at the end: a line says so, and the run is judged."""

from collections.abc import Generator
from typing import Any

import pytest

from pytest_llmeval.core.status import BROKEN
from pytest_llmeval.core.text import one_line

__all__ = ["UnwrittenReports"]


class UnwrittenReports:
    """The plugin object around all hooks that end a session: a plugin that cannot write its report would end pytest.

    It must be registered before those plugins, so that its hook ends after theirs.
    """

    def __init__(self) -> None:
        self._fault = ""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let the summary be shown despite a full disk or an invalid path, and end with pytest's internal error."""
        try:
            return (yield)
        except OSError as error:
            self._fault = one_line(str(error))
            if session.exitstatus not in BROKEN:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            return None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what was not written."""
        if self._fault:
            terminalreporter.write_line(f"status 3: a report could not be written: {self._fault}")
