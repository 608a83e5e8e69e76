"""Recording a run in the process that the user started: every finished case, the gate, the exit status, the summary."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.collection.last_failed import remember_misses
from pytest_llmeval.bridge.config.command_line import resume_command
from pytest_llmeval.bridge.display.progress import Progress, write_line
from pytest_llmeval.bridge.execution.case_records import crashed, tell_junit_of_crash
from pytest_llmeval.bridge.execution.outcomes import OUTCOME_ATTRIBUTE, RECORD_ATTRIBUTE
from pytest_llmeval.bridge.records.begun_cases import BegunCases
from pytest_llmeval.bridge.records.case_log import CaseLog
from pytest_llmeval.bridge.records.closing import Closing
from pytest_llmeval.bridge.records.engine_room import EngineRoom
from pytest_llmeval.bridge.records.gating import Gating
from pytest_llmeval.bridge.records.interrupts import late_reports
from pytest_llmeval.bridge.records.outside import OutsideReport, report_outside
from pytest_llmeval.bridge.records.resuming import check_measures, take_up
from pytest_llmeval.bridge.records.run_ending import RunEnding
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.bridge.records.run_row import run_row
from pytest_llmeval.bridge.records.session_status import SessionStatus
from pytest_llmeval.core.errors import ErrorKind, StoreError, UserError
from pytest_llmeval.core.status import UNMEASURABLE, worse_status
from pytest_llmeval.core.transport import load_case
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.reports.line_room import table_columns
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_text import not_judged_lines, note_lines, run_lines, spending_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.code_state import resumed_on
from pytest_llmeval.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pytest_llmeval.reports.html.report_rows import RunParts

__all__ = ["Recorder"]

_STOP = "llmeval: "
"""Start of every reason for which this plugin, here or in a worker, stops pytest's session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenRun:
    """The parts of a run while its database is open."""

    id: str
    store: SqliteStore
    log: CaseLog
    ending: RunEnding


class Recorder:
    """The plugin object that records the run of this session."""

    def __init__(self, plan: RunPlan, room: EngineRoom) -> None:
        """Prepare; nothing is opened before ``begin``."""
        self._plan = plan
        self._room = room
        self._row = run_row(plan)
        self._gating = Gating(plan)
        self._closing = Closing(plan, room, self._row, again=resume_command(plan.config, self._row))
        self._status = SessionStatus(plan)
        self.begun = BegunCases()
        """The cases that have begun and not ended."""
        self._session: pytest.Session | None = None
        self._run: _OpenRun | None = None
        self._cases: RunCases | None = None
        """The cases by which the run was judged; None before that, and if the run was stopped."""
        self._told = OutsideReport()

    def begin(self) -> None:
        """Open the database, start the models of this machine and record that the run began.

        Raises:
            UsageError: the database cannot be opened, or a model or the engine cannot be started.
        """
        if self._run is not None:
            return
        config, resumed = self._plan.config, self._plan.resumed
        terminal = config.pluginmanager.getplugin("terminalreporter")
        is_terminal = getattr(terminal, "isatty", False)  # a reporter of another plugin may not know
        try:
            if resumed is not None:
                check_measures(resumed, self._row, selected=self._plan.facts.selected)
            self._room.start_models(terminal.write_line if terminal else print)
            self._run = self._opened(is_terminal=is_terminal)
            self._room.start(self._row, resumed=resumed is not None, on_fault=self._break_off, on_begin=self.begun.note)
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    def _opened(self, *, is_terminal: bool) -> _OpenRun:
        """Open the database and record that the run began or is resumed; raise UserError if that is impossible."""
        plan, settings = self._plan, self._plan.settings
        with contextlib.ExitStack() as opened:
            with self._closing.writing():
                store = SqliteStore(settings.db, db_option=settings.db_option)
            opened.enter_context(contextlib.closing(store))
            self._closing.note_mode(store.journal_mode)
            self._row = self._gating.choose(store, self._row)
            if plan.resumed is not None:
                take_up(store, self._row, seen=plan.resumed.run)
                for told in resumed_on(self._row):
                    write_line(plan.config, f"llmeval: {told}")
                store.absorb_journals(self._row.id)
            else:
                with self._closing.writing():
                    store.start_run(self._row)
            opened.pop_all()
        progress = Progress(plan.facts.selected, partial(write_line, plan.config), is_terminal=is_terminal)
        log = CaseLog(store, self._row.id, self._status, self._closing, progress=progress, on_fault=self._break_off)
        ending = RunEnding(plan, self._row, store, self._status, self._closing, room=self._room, gating=self._gating)
        return _OpenRun(id=self._row.id, store=store, log=log, ending=ending)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin recording before the first test runs."""
        self._session = session
        self.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a finished case, or one whose worker died."""
        self.begun.note_report(report)
        lost = self.begun.crashed(report) if report.when == "???" else None
        if report.failed and not hasattr(report, "wasxfail") and report.outcome != "rerun":
            self._status.count_failure(report, lost or self.begun.find(report.nodeid))
        record = getattr(report, RECORD_ATTRIBUTE, None)
        self._closing.turns.note_report(report)
        if record is not None:
            self.begun.end(report)
            self._add(record if isinstance(record, CaseRecord) else load_case(record))
            delattr(report, RECORD_ATTRIBUTE)  # it is in the database now
        elif lost is not None:
            setattr(report, OUTCOME_ATTRIBUTE, "error")
            tell_junit_of_crash(self._plan.config, report, lost.key)
            if report.nodeid in self.begun:
                self.begun.end(report)
                self._add(crashed(lost))
            elif not self._plan.rules.has_rules(lost.key.suite):  # it is recorded, without this failure
                self._status.failed_tests[report.nodeid] = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object | None) -> None:
        """Keep other workers from running bodies ahead once one died: a body may have ended it, and is dealt anew."""
        if error is not None:
            self._room.note_crash()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Make no further call, wait a moment for answers that are paid for, and take late reports of the workers."""
        is_own = self._status.fault is not None and str(excinfo.value).startswith(_STOP)
        self._status.is_interrupted |= not is_own
        self._room.stop_soon(ErrorKind.INTERRUPTED, "interrupted")
        with contextlib.suppress(KeyboardInterrupt):  # the second one ends the waiting
            self._room.drain()
            late_reports(self._plan.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """Make no further call: xdist waits some seconds for workers, which go on with what they were given.

        An internal error of a worker arrives here, too; xdist then goes on to its end.
        """
        self._status.is_broken = True
        self._room.stop_soon(ErrorKind.INTERRUPTED, "an internal error ended the session")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge the run and set the status, after plugins that count failures of their own."""
        try:
            return (yield)
        except KeyboardInterrupt:  # in another plugin's hook: the status tells pytest, which shows what there is
            self._status.is_interrupted = True
            return None
        finally:  # a failure in another plugin's hook is not the end of the run
            if self._run is not None:
                self._end_session(session, self._run)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_sessionfinish")
    def pytest_sessionfinish_whole(self, session: pytest.Session) -> Generator[None, object, object]:
        """Store the status that others set once the summary is shown, such as pytest's own with ``--max-warnings``."""
        result = yield
        if self._run is not None and self._status.fault is None:
            with contextlib.suppress(StoreError):  # the summary is shown by now, and the session ends as it says
                self._status.store_last(session, self._run.store, self._run.id)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the run."""
        if self._run is None:
            return
        if self._status.fault is not None:
            terminalreporter.section("llmeval")
            for line in self._closing.broken_off(self._status.fault):
                terminalreporter.write_line(line)
            return
        try:
            lines = self._summary(self._run.store, self._run.id, terminalreporter)
        except StoreError as error:  # it is stored and judged by now
            lines = [f"the run cannot be shown: {error}"]
        terminalreporter.write_sep("=", "llmeval")
        for line in (*lines, *self._told.annotations):
            terminalreporter.write_line(line)

    def _summary(self, store: SqliteStore, run_id: str, terminal: Any) -> list[str]:
        width, is_terminal = terminal._tw.fullwidth, getattr(terminal, "isatty", False)
        tables = table_columns(width, is_terminal=is_terminal, environ=self._plan.settings.environ)
        verbosity = self._plan.config.option.verbose
        cases = self._cases or RunCases.read(store, run_id, verbosity=verbosity)
        view = view_run(store.find_run(run_id), cases, store.verdicts(run_id))
        lines = run_lines(view, width=width, tables=tables, verbosity=verbosity) if verbosity >= -1 else []
        spending = store.spending(run_id)
        lines += [*not_judged_lines(view, width), *spending_lines(spending, width)]
        lines += note_lines(run_notes(view.run, cases.judged, store), lines, width)
        is_stopped, is_answered = self._status.is_stopped, any(each.calls for each in spending)
        against = [] if is_stopped else self._gating.lines(store, view.run, cases)
        self._closing.notes += self._told.notes
        closing = self._closing.lines(view, cases.judged, is_stopped=is_stopped, is_answered=is_answered)
        message = "\n".join([*against, *closing])
        return lines + [part for line in message.split("\n") for part in wrapped(line, width, whole_words=True)]

    def parts(self) -> "RunParts":
        """Return what pytest-html's report shows of the run; raise StoreError if that cannot be read."""
        from pytest_llmeval.reports.html.report_rows import read_parts

        if self._run is None or self._status.fault is not None:
            raise StoreError(self._status.fault or "no run was recorded")
        store, root = self._run.store, self._plan.settings.rootdir
        reader = store.shown(self._room.redactor)
        return read_parts(store.find_run(self._run.id), self._plan.rules, reader=reader, root=root)

    def pytest_unconfigure(self) -> None:
        """Close the database and end the models of this machine."""
        if self._run is not None:
            self._run.store.close()
        self._room.end_models()

    def _add(self, case: CaseRecord) -> None:
        if self._run is not None:
            self._run.log.add(case)

    def _break_off(self, error: StoreError) -> None:
        """Start no further test: answers that would be paid for could not be kept."""
        if self._status.fault is None:
            self._status.fault = str(error)
            self._room.stop_soon(ErrorKind.STORAGE, f"no further call is made: {error}")
            distributed = self._plan.config.pluginmanager.getplugin("dsession")
            for loop in (distributed, self._session):
                if loop is not None and not loop.shouldstop:
                    loop.shouldstop = f"{_STOP}the database cannot be written"

    def _end_session(self, session: pytest.Session, run: _OpenRun) -> None:
        try:
            self._cases = run.ending.end(session)
            self._told = report_outside(run.store.shown(self._room.redactor), run.id, self._plan.settings)
        except StoreError as error:
            self._status.fault = str(error)
            session.exitstatus = worse_status(int(session.exitstatus), UNMEASURABLE)
        remember_misses(self._plan.config, run.log.misses())
