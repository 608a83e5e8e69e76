"""Modules that cannot be imported and were collected only because of ``-m``: errors only if they may be meant."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.core.text import one_line

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts

__all__ = ["BrokenModules"]

_LONGEST = 200


class BrokenModules:
    """Holds back the import errors of such modules until it is known what was selected."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._config = config
        self._selection = selection
        self._held: list[tuple[pytest.CollectReport, str]] = []

    def watch(self) -> None:
        """Register, if there are such folders."""
        if self._selection.added and not self._selection.asks_for_own_marks:
            self._config.pluginmanager.register(self, "llmeval-broken-modules")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Give pytest an empty module in place of a broken one, for now."""
        report = yield
        if not report.failed or not self._selection.brought_in(collector.path):
            return report
        call = vars(report).pop("call", None)  # as pytest does before it reports
        if call is None:  # another plugin's report
            return report
        error: BaseException = call.excinfo.value
        if isinstance(error, pytest.Collector.CollectError):
            error = error.__cause__ or error
        message = one_line(f"{report.nodeid}: {type(error).__name__}: {error}", _LONGEST)
        self._held.append((report, message))
        return pytest.CollectReport(report.nodeid, "passed", None, [])

    def leave_no_run(self, session: pytest.Session, facts: "CollectionFacts") -> bool:
        """Begin no run if a module could not be imported: pytest stops before the first test, a worker would not.

        Returns:
            Whether there would have been a run.
        """
        goes_on = not session.testsfailed or self._config.option.continue_on_collection_errors
        if goes_on or not facts.is_run or facts.count_only:
            return False
        facts.suites, facts.unrun, facts.empty_shard = {}, {}, False
        facts.notes = ["a module could not be imported; no eval was run"]
        return True

    def settle(self, items: list[pytest.Item]) -> list[str]:
        """Report held errors if evals or training may have been asked for, or nothing is left; else return notes."""
        held, self._held = self._held, []
        if items and not any(map(self._selection.is_own, items)):
            return [f"not run: {told}" for _, told in held]
        for report, _ in held:
            self._config.hook.pytest_collectreport(report=report)
        return []
