"""pytest-html's report of a session with evals, written once its run is judged.

pytest-html makes a row as soon as a test has ended, and writes its page before the gate has judged. ``HtmlReport``
replaces it among the plugins: it keeps the reports, and passes them on at the end, when the database has everything
about each case. Cases that no worker reported are taken from the database.
"""

import copy
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.display.html_safety import close_page, harmless_id, harmless_report
from pytest_llmeval.bridge.execution.outcomes import LATE_ATTRIBUTE
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.html.escape import Html, element
from pytest_llmeval.reports.html.report_page import PAGE_STYLE, SCRIPT
from pytest_llmeval.reports.html.report_rows import COLUMNS, ReportCase, RunParts
from pytest_llmeval.reports.html.style import STYLE
from pytest_llmeval.reports.html.tables import chip

__all__ = ["HtmlReport", "take_over"]

_NO_LOG = "No log output captured."
_TITLES = {"tokens": "Tokens in / out"}
_OUTCOMES = {"passed": "passed", "missed": "passed", "error": "failed", "skipped": "skipped"}
"""Outcome of the report of a case that no process reported, by the case's own outcome."""


def take_over(config: pytest.Config, data: Any, parts: Callable[[], RunParts]) -> None:
    """Replace pytest-html's plugin object by an ``HtmlReport``; do nothing if there is none.

    Args:
        config: of the session.
        data: the object in which pytest-html gathers its page.
        parts: returns, once the run is judged, the parts of the page about it; raises StoreError if it cannot be read.
    """
    base = sys.modules["pytest_html.basereport"].BaseReport
    writer = next((each for each in config.pluginmanager.get_plugins() if isinstance(each, base)), None)
    if writer is not None:
        config.pluginmanager.unregister(writer)
        config.pluginmanager.register(HtmlReport(config, writer, data, parts), "llmeval-html")


class HtmlReport:
    """The plugin object that replaces pytest-html's and passes reports on to it at the end."""

    def __init__(self, config: pytest.Config, writer: Any, data: Any, parts: Callable[[], RunParts]) -> None:
        """Prepare; see ``take_over``. ``writer`` is pytest-html's plugin object."""
        self._writer = writer
        self._data = data
        self._read = parts
        given = os.path.expandvars(config.getoption("htmlpath"))
        self._path = Path.cwd() / at_home(given)
        self._held: dict[str, list[pytest.TestReport]] = {}
        self._parts: RunParts | None = None
        self._cases: dict[str, ReportCase] = {}
        self._has_media = False
        self._problem = ""
        self._is_written = False

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Pass on what could not be collected."""
        self._writer.pytest_collectreport(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Pass on the number of tests."""
        self._writer.pytest_collection_finish(session)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report for the end."""
        self._held.setdefault(report.nodeid, []).append(report)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the page once the gate has judged; the recorder is registered later, so that its hook ends earlier."""
        try:
            return (yield)
        finally:
            self._write(session)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the path of the page, and a problem with it."""
        if self._is_written:
            self._writer.pytest_terminal_summary(terminalreporter)
        if self._problem:
            terminalreporter.write_line(self._problem)

    @pytest.hookimpl(wrapper=True, tryfirst=True, optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[Any]) -> Generator[None, object, object]:
        """Add our cells, after every other plugin has made its changes."""
        result = yield
        if cells:
            case = self._cases.get(report.nodeid)
            own = case.cells if case is not None else _ordinary_cells(report)
            cells[:] = self._merged(cells, [str(cell) for cell in own])
        return result

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: Any, data: list[str]) -> None:
        """Leave the log of a case empty if it printed nothing."""
        if report.nodeid in self._cases and data == [_NO_LOG]:
            data.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str], postfix: list[str]) -> None:
        """Add the head of the page, and the controls that filter rows."""
        if self._parts is None:
            return
        prefix.insert(0, f"<style>{STYLE}{PAGE_STYLE}</style>")
        prefix.insert(1, str(element("section", self._parts.summary, id="llmeval", data_media=self._has_media)))
        prefix.insert(2, f"<script>{SCRIPT}</script>")
        postfix += [self._parts.filters, *self._parts.details]

    def _write(self, session: pytest.Session) -> None:
        try:
            self._parts = self._read()
        except StoreError as error:
            self._problem = f"the report could not read the database: {one_line(str(error))}"
        cases = self._parts.cases if self._parts is not None else {}
        self._cases = {harmless_id(nodeid): case for nodeid, case in cases.items()}
        self._find_place()
        for nodeid in dict.fromkeys([*cases, *self._held]):
            self._hand_on(nodeid, cases.get(nodeid))
        self._writer.pytest_sessionfinish(session)
        self._is_written = True
        if self._parts is not None:
            try:
                close_page(self._path)
            except OSError as error:
                self._problem = f"the report cannot be protected from scripts: {one_line(str(error))}"

    def _hand_on(self, nodeid: str, case: ReportCase | None) -> None:
        """Pass on the reports of one test, or only count it if it has no row."""
        held = _with_late_misses(self._held.pop(nodeid, []))
        reports = list(_whole(held or ([_stored(case)] if case is not None else [])))
        if case is not None and not case.is_shown:
            for report in reports[-2:-1]:
                self._data.outcomes = report.outcome  # setting it counts one more
            return
        made = [harmless_report(report) for report in reports]
        if case is not None and made:
            place = {"name": None, "format_type": "html", "content": str(case.place), "extension": None}
            getattr(made[-1], "extras").append({**place, "mime_type": None})  # noqa: B009 - pytest-html's own
        for report in made:
            self._has_media |= any(each["format_type"] in ("image", "video") for each in getattr(report, "extras"))  # noqa: B009
            self._writer.pytest_runtest_logreport(report)

    def _find_place(self) -> None:
        """Add our column titles to the table: the outcome first, the others after the name of the test."""
        titles = self._data.table_header
        is_name = ['data-column-type="testId"' in str(title) for title in titles]
        self._behind = is_name.index(True) + 1 if True in is_name else 0
        self._data.table_header = self._merged(titles, [str(_title(column)) for column in COLUMNS])

    def _merged(self, cells: list[Any], own: list[str]) -> list[Any]:
        return [own[0], *cells[: self._behind], *own[1:], *cells[self._behind :]]


def _title(column: str) -> Html:
    name = _TITLES.get(column, column.capitalize())
    return element("th", name, class_="sortable", data_column_type=f"llmeval_{column}")


def _ordinary_cells(report: Any) -> list[Html]:
    """Return the cells of a test that is not a case: its outcome, and nothing else."""
    kind = {"passed": "pass", "failed": "fail"}.get(report.outcome, "")
    cells = [element("td", chip(kind, report.outcome), class_="col-llmeval_outcome")]
    return cells + [element("td", class_=f"col-llmeval_{column}") for column in COLUMNS[1:]]


def _with_late_misses(reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """Return the reports of a test with a miss scored in its teardown moved to its body, so that it has one row."""
    found: list[pytest.TestReport] = []
    for report in reports:
        if report.passed or not hasattr(report, LATE_ATTRIBUTE):
            found.append(report)
            continue
        body = next(index for index in range(len(found) - 1, -1, -1) if found[index].when == "call")
        found[body] = _told(found[body], report.outcome, report.longrepr)
        if report.failed:  # else the test is run again
            found.append(_told(report, "passed", None))
    return found


def _told(report: pytest.TestReport, outcome: Any, longrepr: Any) -> pytest.TestReport:
    """Return a copy of a report with another outcome and text."""
    made = copy.copy(report)
    made.outcome, made.longrepr = outcome, longrepr
    return made


def _whole(reports: list[pytest.TestReport]) -> Iterator[pytest.TestReport]:
    """Yield the reports of a test as pytest-html expects them: that of a dead worker as a failed call."""
    dead = [report for report in reports if report.when == "???"]  # type: ignore[comparison-overlap]  # xdist's own
    for report in reports:
        if report in dead:
            report.when = "call"
        elif dead and report.when == "call":
            continue
        yield report
    if dead:
        yield _report(dead[-1].nodeid, "teardown", "passed")


def _stored(case: ReportCase) -> pytest.TestReport:
    """Return a report of a case that ended in another process, for example in an earlier session."""
    return _report(case.nodeid, "???", _OUTCOMES[case.outcome], case.error, case.latency_s or 0.0)


def _report(nodeid: str, when: Any, outcome: Any, said: str | None = None, duration: float = 0.0) -> pytest.TestReport:
    skipped = (nodeid, 0, said or "") if outcome == "skipped" else said
    return pytest.TestReport(
        nodeid=nodeid,
        location=(nodeid.partition("::")[0], 0, nodeid),
        keywords={},
        outcome=outcome,
        longrepr=skipped,
        when=when,
        duration=duration,
    )
