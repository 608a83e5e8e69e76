"""The end of a run: judging it, taking a second look if needed, and setting the session's exit status."""

import textwrap

import pytest

from pytest_llmeval.bridge.display.progress import write_line
from pytest_llmeval.bridge.records.closing import Closing
from pytest_llmeval.bridge.records.engine_room import EngineRoom
from pytest_llmeval.bridge.records.escalating import Escalation
from pytest_llmeval.bridge.records.gating import Gating
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.bridge.records.session_status import SessionStatus
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.gate.judging import GateResult
from pytest_llmeval.core.rules import MORE_EPOCHS
from pytest_llmeval.core.status import BROKEN, FAILED, PASSED, UNMEASURABLE, stored_status, worse_status
from pytest_llmeval.reports.run_view import RunCases
from pytest_llmeval.store.records import Run, RunEnd, RunStatus, utc_now
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["RunEnding"]


class RunEnding:
    """Ends the run of a session in the database."""

    def __init__(
        self,
        plan: RunPlan,
        run: Run,
        store: SqliteStore,
        status: SessionStatus,
        closing: Closing,
        *,
        room: EngineRoom,
        gating: Gating,
    ) -> None:
        """Prepare; the gate has chosen its baseline, and the database is open."""
        self._plan = plan
        self._run = run
        self._store = store
        self._room = room
        self._gating = gating
        self._status = status
        self._closing = closing
        self._escalation = Escalation(plan)

    def end(self, session: pytest.Session) -> RunCases | None:
        """Judge the run, take the second look that it may need, and set the status of the session.

        Returns:
            The cases as they were judged; None if the run did not come to its end and is not judged.

        Raises:
            StoreError: the end cannot be recorded.
        """
        given = session.exitstatus
        try:
            gate, cases = self._judge_and_store(session)
        except KeyboardInterrupt:  # the rest is done again, without waiting for calls
            self._status.is_interrupted, session.exitstatus = True, given
            self._store.set_verdicts(self._run.id, ())
            gate, cases = self._judge_and_store(session)
        self._escalation.tell(self._run.id, self._closing.calls)
        if gate is not None and cases is not None and self._may_look_again(gate):
            cases = self._look_again(session, gate, cases)
        self._closing.second_look = self._escalation.calls
        return cases

    def _judge_and_store(self, session: pytest.Session) -> tuple[GateResult | None, RunCases | None]:
        """Judge the run unless it was stopped, and store its end; return the gate's result and the judged cases."""
        self._status.note_end(session)
        session.exitstatus = self._status.under("none", None)
        self._room.close()
        if self._status.fault is not None:
            raise StoreError(self._status.fault)
        self._room.hand_over(self._store.absorb)
        gate, cases = None, None
        if not self._status.is_stopped:
            cases = self._read_cases()
            self._closing.unfinished = max(0, sum(self._run.expected.values()) - len(cases.judged))
            again = self._escalation.obstacle(self._run, self._room.spent_usd) is None
            gate = self._gating.apply(self._store, self._run, cases, self._run.expected, asks_again=again)
            self._store.set_verdicts(self._run.id, gate.verdicts)
        end = self._end_of(gate, cases)
        session.exitstatus = end.exit_code
        rescored, judged = self._plan.rescored, cases.judged if cases is not None else ()
        name = rescored.name(self._plan.facts, end, judged) if rescored and not self._run.name else None
        failed = map(self._room.redactor, self._status.failed_tests)
        self._store.finish_run(self._run.id, end, name=name, failed_tests=failed)
        return gate, cases

    def _end_of(self, gate: GateResult | None, cases: RunCases | None) -> RunEnd:
        """Return how the run ends; a run that lacks cases never reports success."""
        unfinished, may_lack_cases = self._closing.unfinished, self._plan.earlier is not None
        verdict = gate.verdict if gate is not None else "none"
        status = self._status.under(verdict, gate)
        if may_lack_cases and gate is not None and cases is not None:
            outcomes = ((each.suite, each.outcome, each.error_kind) for each in cases.judged)
            status = worse_status(status, stored_status(gate, self._plan.rules, outcomes))
        state: RunStatus = "finished"
        if self._status.is_stopped or (unfinished and (may_lack_cases or status != UNMEASURABLE)):
            state = "interrupted"
        elif status == UNMEASURABLE or _lacks_answers(gate, cases):
            state = "unmeasurable"
        if unfinished and worse_status(status, UNMEASURABLE) != status:
            status = UNMEASURABLE
            if not may_lack_cases:  # a run that may lack some states their number with the status
                self._closing.notes.append("status 10: a run that lacks cases never reports success")
        status = self._status.with_complaint(status)
        verdict = "none" if state == "interrupted" and verdict != "fail" else verdict
        return RunEnd(finished_at=utc_now(), status=state, exit_code=status, verdict=verdict)

    def _may_look_again(self, gate: GateResult) -> bool:
        """Whether more epochs may decide what is inconclusive; if they could but may not be asked for, add a note."""
        if not self._escalation.is_due(gate):
            return False
        if self._status.with_complaint(self._status.under("pass", gate)) != PASSED:
            return False  # another test failed, say: no answer can make the session pass
        obstacle = self._escalation.obstacle(self._run, self._room.spent_usd)
        if obstacle is not None:
            self._closing.notes.append(f"not escalated: {obstacle}")
        return obstacle is None

    def _look_again(self, session: pytest.Session, gate: GateResult, cases: RunCases) -> RunCases | None:
        """Ask for two more epochs in another process; return all cases, or None if that was interrupted."""
        write_line(self._plan.config, self._escalation.begins(gate))
        try:
            self._room.end_models()
            status, printed = self._escalation.run(self._run, self._room.spent_usd)
        except KeyboardInterrupt:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            self._status.is_stopped = True  # more cases may have ended
            return None
        run, before, cases = self._store.find_run(self._run.id), len(cases.judged), self._read_cases()
        self._status.is_stopped = run.end is None or run.end.status == "interrupted"  # by -x, say
        if run.end is None or self._status.is_stopped or status in BROKEN or not run.settings.get("escalated"):
            self._closing.notes.append(f"the escalation failed with status {status}:\n{textwrap.indent(printed, '  ')}")
            session.exitstatus = worse_status(int(session.exitstatus), FAILED)
            return cases
        more = len(cases.judged) - before
        self._closing.notes.append(
            f"escalated: {MORE_EPOCHS} epochs more, {more:,} cases; each test used half of alpha"
        )
        session.exitstatus = run.end.exit_code
        return cases

    def _read_cases(self) -> RunCases:
        return RunCases.read(self._store, self._run.id, verbosity=self._plan.config.getoption("verbose", 0))


def _lacks_answers(gate: GateResult | None, cases: RunCases | None) -> bool:
    """Whether a run lacks too many answers to be a baseline, even if its status says that something failed."""
    judged = cases.judged if cases is not None else ()
    is_unmeasurable = gate is not None and gate.verdict == "unmeasurable"
    return is_unmeasurable or any(case.error_kind in MONEY_KINDS for case in judged)
