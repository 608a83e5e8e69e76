"""Recording a run in the process that the user started: every finished case, the gate, the exit status, the summary."""

import contextlib
import textwrap
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.collection.last_failed import remember_misses
from pytest_llmeval.bridge.config.command_line import resume_command
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.display.progress import Progress, write_line
from pytest_llmeval.bridge.execution.case_records import crashed, tell_junit_of_crash
from pytest_llmeval.bridge.execution.outcomes import OUTCOME_ATTRIBUTE, RECORD_ATTRIBUTE
from pytest_llmeval.bridge.records.begun_cases import BegunCases
from pytest_llmeval.bridge.records.closing import Closing
from pytest_llmeval.bridge.records.engine_room import EngineRoom
from pytest_llmeval.bridge.records.escalating import Escalation
from pytest_llmeval.bridge.records.gating import Gating
from pytest_llmeval.bridge.records.interrupts import late_reports
from pytest_llmeval.bridge.records.outside import Told, tell_outside
from pytest_llmeval.bridge.records.rescoring import Rescored
from pytest_llmeval.bridge.records.resuming import Resumed, take_up
from pytest_llmeval.bridge.records.run_row import run_row
from pytest_llmeval.bridge.records.session_status import SessionStatus
from pytest_llmeval.core.errors import ErrorKind, StoreError, UserError
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.gate.judging import GateResult
from pytest_llmeval.core.rules import MORE_EPOCHS, Thresholds
from pytest_llmeval.core.status import BROKEN, FAILED, PASSED, UNMEASURABLE, stored_status, worse_status
from pytest_llmeval.core.transport import load_case
from pytest_llmeval.core.types import CaseRecord, Outcome
from pytest_llmeval.reports.line_room import table_columns
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_text import not_judged_lines, note_lines, run_lines, spending_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.code_state import resumed_on
from pytest_llmeval.store.records import RunEnd, RunStatus, utc_now
from pytest_llmeval.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pytest_llmeval.reports.html.report_rows import RunParts

__all__ = ["Recorder"]

_STOP = "llmeval: "
"""How the reason begins that pytest is given where this plugin, here or in a worker, stops the session."""


class Recorder:
    """The plugin object that records the run of this session."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        facts: CollectionFacts,
        *,
        room: EngineRoom,
        thresholds: Thresholds | None,
        resumed: Resumed | None,
        rescored: Rescored | None,
    ) -> None:
        """Prepare; nothing is opened before ``begin``.

        Args:
            config: of the session.
            settings: of the session.
            facts: what is to run.
            room: where the calls are made.
            thresholds: the rules; None for none.
            resumed: the run that goes on; None for a new one.
            rescored: the run whose answers are scored again; None where models are asked.
        """
        self._config = config
        self._settings = settings
        self._facts = facts
        self._thresholds = thresholds or Thresholds()
        self._room = room
        self._resumed = resumed
        self._rescored = rescored
        self._store: SqliteStore | None = None
        self._may_lack_cases = resumed is not None or rescored is not None
        self._row = run_row(config, settings, facts, resumed, rescored)
        self._gating = Gating(self._thresholds, settings)
        self._escalation = Escalation(config, settings, self._thresholds)
        self._closing = Closing(
            settings, self._thresholds, facts, room, self._row, again=resume_command(config, self._row)
        )
        self.begun = BegunCases()
        """The cases that run."""
        self._status = SessionStatus(config, facts, self._thresholds)
        self._unpassed: dict[str, tuple[Outcome, float | None]] = {}
        """Outcome and cost of each case that did not pass: another attempt at it may follow."""
        self._gate: GateResult | None = None
        self._cases: RunCases | None = None
        self._is_unwritable = False
        self._fault: str | None = None
        self._told = Told()
        self._write_line = partial(write_line, config)
        self._session: pytest.Session | None = None

    def begin(self) -> None:
        """Open the database, start the embedded model and record that the run began.

        Raises:
            UsageError: one of them cannot be had.
        """
        if self._store is not None:
            return
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        try:
            self._room.start_models(terminal.write_line if terminal else print)
            with contextlib.ExitStack() as opened:
                with self._closing.writing():
                    store = SqliteStore(self._settings.db, db_option=self._settings.db_option)
                opened.enter_context(contextlib.closing(store))
                self._closing.note_mode(store.journal_mode)
                self._row = self._gating.choose(store, self._row)
                if self._resumed is not None:
                    take_up(store, self._row, seen=self._resumed.run)
                    for told in resumed_on(self._row):
                        self._write_line(f"llmeval: {told}")
                    store.absorb_journals(self._row.id)
                else:
                    with self._closing.writing():
                        store.start_run(self._row)
                opened.pop_all()
            self._store = store
            self._room.start(
                self._row, resumed=self._resumed is not None, on_fault=self._break_off, on_begin=self.begun.note
            )
        except UserError as error:
            raise pytest.UsageError(str(error)) from None
        is_terminal = getattr(terminal, "isatty", False)  # a reporter of another plugin may not know
        self._progress = Progress(self._facts.selected, self._write_line, is_terminal=is_terminal)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin before the first test runs."""
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
        self._closing.note_report(report)
        if record is not None:
            self.begun.end(report)
            self._add(record if isinstance(record, CaseRecord) else load_case(record))
            delattr(report, RECORD_ATTRIBUTE)  # it is in the database now
        elif lost is not None:
            setattr(report, OUTCOME_ATTRIBUTE, "error")
            tell_junit_of_crash(self._config, report, lost.key)
            if report.nodeid in self.begun:
                self.begun.end(report)
                self._add(crashed(lost))
            elif not self._thresholds.has_rules(lost.key.suite):  # it is recorded, and says nothing of what failed
                self._status.failed_tests[report.nodeid] = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object | None) -> None:
        """Let no other worker run bodies ahead where one died: it may have been of them, and those wait for another."""
        if error is not None:
            self._room.note_crash()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Make no further call, wait a moment for what is paid, and take what the workers still have to tell."""
        is_own = self._status.is_broken_off and str(excinfo.value).startswith(_STOP)
        self._status.is_interrupted |= not is_own
        self._room.stop_soon(ErrorKind.INTERRUPTED, "interrupted")
        with contextlib.suppress(KeyboardInterrupt):  # the second one ends the waiting
            self._room.drain()
            late_reports(self._config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """Make no further call: xdist waits some seconds for workers that go on with what they were given.

        One of a worker is told here, too, and xdist goes on to its end.
        """
        self._status.is_broken = True
        self._room.stop_soon(ErrorKind.INTERRUPTED, "an internal error ended the session")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge the run and set the status, after plugins that count failures of their own."""
        try:
            return (yield)
        except KeyboardInterrupt:  # in another plugin's: pytest is told by the status, and shows what there is
            self._status.is_interrupted = True
            return None
        finally:  # another plugin's failure there is not the end of the run
            if self._store is not None:
                self._end_session(session, self._store)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_sessionfinish")
    def pytest_sessionfinish_whole(self, session: pytest.Session) -> Generator[None, object, object]:
        """Store the status that others set once the summary is shown: pytest's own with ``--max-warnings``, say."""
        result = yield
        if self._store is not None and self._fault is None:
            with contextlib.suppress(StoreError):  # the session has been told by now, and ends as it was told
                self._status.store_last(session, self._store, self._row.id)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the run."""
        if self._store is None:
            return
        if self._fault is not None:
            terminalreporter.section("llmeval")
            for line in self._closing.broken_off(self._fault):
                terminalreporter.write_line(line)
            return
        try:
            lines = self._summary(self._store, terminalreporter)
        except StoreError as error:  # it is stored and judged by now
            lines = [f"the run cannot be shown: {error}"]
        terminalreporter.write_sep("=", "llmeval")
        for line in (*lines, *self._told.annotations):
            terminalreporter.write_line(line)

    def _summary(self, store: SqliteStore, terminal: Any) -> list[str]:
        width, is_terminal = terminal._tw.fullwidth, getattr(terminal, "isatty", False)
        tables = table_columns(width, is_terminal=is_terminal, environ=self._settings.environ)
        cases, verbosity = self._cases or self._read(store), self._config.option.verbose
        view = view_run(store.find_run(self._row.id), cases, store.verdicts(self._row.id))
        lines = run_lines(view, width=width, tables=tables, verbosity=verbosity) if verbosity >= -1 else []
        spending = store.spending(self._row.id)
        lines += [*not_judged_lines(view, width), *spending_lines(spending, width)]
        lines += note_lines(run_notes(view.run, cases.judged, store), lines, width)
        against = [] if self._status.is_stopped else self._gating.lines(store, view.run, cases)
        self._closing.notes += self._told.notes
        is_answered = any(each.calls for each in spending)
        is_stopped = self._status.is_stopped
        closing = self._closing.lines(view, cases.judged, is_stopped=is_stopped, is_answered=is_answered)
        told = "\n".join([*against, *closing])
        return lines + [part for line in told.split("\n") for part in wrapped(line, width, whole_words=True)]

    def parts(self) -> "RunParts":
        """Return what a report of pytest-html shows of the run; raise StoreError where it cannot be read."""
        from pytest_llmeval.reports.html.report_rows import read_parts

        if self._store is None or self._fault is not None:
            raise StoreError(self._fault or "no run was recorded")
        run, root = self._store.find_run(self._row.id), self._settings.rootdir
        return read_parts(run, self._thresholds, reader=self._store.shown(self._room.redactor), root=root)

    def pytest_unconfigure(self) -> None:
        """Close the database and end the embedded model."""
        if self._store is not None:
            self._store.close()
        self._room.end_models()

    def _add(self, case: CaseRecord) -> None:
        if self._store is None or self._is_unwritable:  # one that is locked would make each case wait anew
            return
        try:
            with self._closing.writing():
                stored = self._store.add_case(self._row.id, case)
        except StoreError as error:
            self._is_unwritable = True
            self._break_off(error)
            return
        self._closing.waited_s += case.waited_s or 0.0
        if any(score.status == "none" for score in case.scores):
            self._closing.without_judge.add(case.key.nodeid)
        self._status.count_case(case)
        ended = (case.outcome, stored.cost_usd if case.calls else 0.0)
        self._progress.add(*ended, before=self._unpassed.pop(case.key.nodeid, None))
        if case.outcome != "passed":
            self._unpassed[case.key.nodeid] = ended

    def _break_off(self, error: StoreError) -> None:
        """Start no further test: what would be paid for could not be kept."""
        if self._fault is None:
            self._fault = str(error)
            self._status.is_broken_off = True
            self._room.stop_soon(ErrorKind.STORAGE, f"no further call is made: {error}")
            distributed = self._config.pluginmanager.getplugin("dsession")
            for loop in (distributed, self._session):
                if loop is not None and not loop.shouldstop:
                    loop.shouldstop = f"{_STOP}the database cannot be written"

    def _end_session(self, session: pytest.Session, store: SqliteStore) -> None:
        given = session.exitstatus
        try:
            try:
                self._conclude(session, store)
            except KeyboardInterrupt:  # what is left to do is done, without waiting for calls
                self._status.is_interrupted, session.exitstatus = True, given
                self._gate = self._cases = None
                store.set_verdicts(self._row.id, ())
                self._conclude(session, store)
            self._escalation.tell(self._row.id, self._closing.calls)
            self._escalate(session, store)
            self._closing.second_look = self._escalation.calls
            self._told = tell_outside(store.shown(self._room.redactor), self._row.id, self._settings)
        except StoreError as error:
            self._fault = str(error)
            session.exitstatus = worse_status(int(session.exitstatus), UNMEASURABLE)
        remember_misses(self._config, [nodeid for nodeid, (kind, _) in self._unpassed.items() if kind == "missed"])

    def _conclude(self, session: pytest.Session, store: SqliteStore) -> None:
        self._status.note_end(session)
        session.exitstatus = self._status.under("none", None)
        self._room.close()
        if self._fault is not None:
            raise StoreError(self._fault)
        self._room.hand_over(store.absorb)
        if not self._status.is_stopped:
            self._cases = self._read(store)
            self._closing.unfinished = max(0, sum(self._row.expected.values()) - len(self._cases.judged))
            again = self._escalation.obstacle(self._row, self._room.spent_usd) is None
            self._gate = self._gating.apply(store, self._row, self._cases, self._row.expected, asks_again=again)
            store.set_verdicts(self._row.id, self._gate.verdicts)
        end = self._end()
        session.exitstatus = end.exit_code
        judged = self._cases.judged if self._cases is not None else ()
        name = self._rescored.name(self._facts, end, judged) if self._rescored and not self._row.name else None
        failed = map(self._room.redactor, self._status.failed_tests)
        store.finish_run(self._row.id, end, name=name, failed_tests=failed)

    def _escalate(self, session: pytest.Session, store: SqliteStore) -> None:
        """Ask for two epochs more where that may decide what is inconclusive, and take over what came of it."""
        if self._gate is None or not self._escalation.is_due(self._gate):
            return
        if self._status.with_complaint(self._status.under("pass", self._gate)) != PASSED:
            return  # a test failed beside the evals, say: no answer can make the session pass
        spent = self._room.spent_usd
        obstacle = self._escalation.obstacle(self._row, spent)
        if obstacle is not None:
            self._closing.notes.append(f"not escalated: {obstacle}")
            return
        self._write_line(self._escalation.begins(self._gate))
        try:
            self._room.end_models()
            status, printed = self._escalation.run(self._row, spent)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            self._status.is_stopped, self._cases = True, None  # more of them may have ended
            return
        run, before = store.find_run(self._row.id), len(self._cases.judged) if self._cases is not None else 0
        self._cases = self._read(store)
        self._status.is_stopped = run.end is None or run.end.status == "interrupted"  # by -x, say
        if run.end is None or self._status.is_stopped or status in BROKEN or not run.settings.get("escalated"):
            self._closing.notes.append(
                f"the escalation broke off with status {status}:\n{textwrap.indent(printed, '  ')}"
            )
            session.exitstatus = worse_status(int(session.exitstatus), FAILED)
            return
        more = len(self._cases.judged) - before
        self._closing.notes.append(f"escalated: {MORE_EPOCHS} epochs more, {more:,} cases; each look had half of alpha")
        session.exitstatus = run.end.exit_code

    def _read(self, store: SqliteStore) -> RunCases:
        return RunCases.read(store, self._row.id, verbosity=self._config.getoption("verbose", 0))

    def _end(self) -> RunEnd:
        verdict = self._gate.verdict if self._gate is not None else "none"
        status = self._status.under(verdict, self._gate)
        if self._may_lack_cases and self._gate is not None and self._cases is not None:
            cases = ((each.suite, each.outcome, each.error_kind) for each in self._cases.judged)
            status = worse_status(status, stored_status(self._gate, self._thresholds, cases))
        state: RunStatus = "finished"
        if self._status.is_stopped or (self._closing.unfinished and (self._may_lack_cases or status != UNMEASURABLE)):
            state = "interrupted"
        elif status == UNMEASURABLE or self._lacks_answers():
            state = "unmeasurable"
        if self._closing.unfinished and worse_status(status, UNMEASURABLE) != status:
            status = UNMEASURABLE
            if not self._may_lack_cases:  # where some may be lacking, their number is said with the status
                self._closing.notes.append("status 10: a run that lacks cases never reports success")
        status = self._status.with_complaint(status)
        verdict = "none" if state == "interrupted" and verdict != "fail" else verdict  # it never reports success
        return RunEnd(finished_at=utc_now(), status=state, exit_code=status, verdict=verdict)

    def _lacks_answers(self) -> bool:
        """Whether the run says too little to be compared with, though something failed beside that."""
        judged = self._cases.judged if self._cases is not None else ()
        is_unmeasurable = self._gate is not None and self._gate.verdict == "unmeasurable"
        return is_unmeasurable or any(case.error_kind in MONEY_KINDS for case in judged)
