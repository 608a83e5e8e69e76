"""The last lines of the summary: how the calls went, what was left out, the verdict, and where the run is stored."""

import contextlib
from collections.abc import Iterator, Sequence

from pytest_llmeval.bridge.records.call_sums import CallSum
from pytest_llmeval.bridge.records.case_turns import CaseTurns
from pytest_llmeval.bridge.records.earlier_runs import is_kept
from pytest_llmeval.bridge.records.engine_room import EngineRoom
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.gate.case import JudgedCase, broke_behind_answer
from pytest_llmeval.core.text import counted, printable
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.reports.open_errors import open_errors
from pytest_llmeval.reports.rule_words import unmeasurable_words
from pytest_llmeval.reports.run_text import run_label, verdict_line
from pytest_llmeval.reports.run_view import RunView
from pytest_llmeval.store.records import Run

__all__ = ["Closing"]

_LONG_S = 5.0


class Closing:
    """Gathers facts for the last lines that the database does not hold."""

    def __init__(self, plan: RunPlan, room: EngineRoom, run: Run, *, again: str) -> None:
        """Prepare. ``again`` is the command that resumes the run."""
        self._plan = plan
        self._settings = plan.settings
        self._room = room
        self._run = run
        self._go_on = f"continue with: {again}"
        self._rescored: str | None = run.settings.get("rescored")
        self.turns = CaseTurns()
        self.notes: list[str] = []
        """Further notes, without their prefix ``note:``."""
        self._without_judge: set[str] = set()
        """Node ids of cases that asked for a judge although there was none."""
        self.unfinished = 0
        """Number of the run's cases that no session ended: a worker died, or a resumed run selected only a part."""
        self._waited_s = 0.0
        """Seconds that cases waited for answers in their turns."""
        self.second_look = CallSum()
        """How the calls of the second look were answered, which another process made."""
        self._held_s = 0.0
        """Seconds spent writing to the database, counting only writes of 5 s or more."""

    @property
    def calls(self) -> CallSum:
        """How the calls of this process were answered."""
        return CallSum.of(self._room, waited_s=self._waited_s)

    def note_case(self, case: CaseRecord) -> None:
        """Count a case that was stored."""
        self._waited_s += case.waited_s or 0.0
        if any(score.status == "none" for score in case.scores):
            self._without_judge.add(case.key.nodeid)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Measure how long the writing to the database within takes; the last lines mention it if it was long."""
        start = now()
        yield
        if (taken_s := now() - start) >= _LONG_S:
            self._held_s += taken_s

    def note_mode(self, journal_mode: str) -> None:
        """Warn if the database has no write-ahead log."""
        if journal_mode != "wal":
            self.notes.append(
                f"the file system of {printable(self._settings.shown(self._settings.db))} does not support a"
                f" write-ahead log (journal_mode {journal_mode}): readers and the run wait for each other,"
                " and each case for the disk; --llmeval-db names another place"
            )

    def broken_off(self, fault: str) -> Iterator[str]:
        """Yield the lines that replace all others if results could not be recorded."""
        yield f"the run broke off; its results are incomplete: {fault}"
        if unkept := self._room.counts.unkept:
            yield (
                f"{counted(unkept, 'answer')} came and could not be stored: to go on means asking, and paying, for as"
                " many again"
            )
        if self._rescored is None and is_kept(self._settings.db, self._run.id):
            yield self._go_on

    def lines(
        self, view: RunView, judged: Sequence[JudgedCase], *, is_stopped: bool, is_answered: bool
    ) -> Iterator[str]:
        """Yield the last lines of a run with the cases ``judged``; ``is_answered``: whether any call was answered."""
        if self._room.limiter.requests or self._room.counts.cached or self._plan.facts.done:
            yield self._calls()
        yield from self.turns.lines()
        yield from unmeasurable_words(self._plan.rules, judged)
        for note in [*self._plan.facts.notes, *self._partial(), *self._held(), *self.notes]:
            yield f"note: {note}"
        if self._room.counts.damaged:
            yield f"note: stored answers that are damaged and were skipped: {self._room.counts.damaged}"
        if self._without_judge:
            cases = counted(len(self._without_judge), "case")
            yield f"note: {cases} asked for a judge, but --judge-model names none: the verdicts leave its scores out"
        yield from self.turns.notes()
        if self._plan.facts.changed:
            yield f"note: resumed although {'; '.join(self._plan.facts.changed)}; the run cannot be a baseline"
        if self.unfinished and self._rescored is None:
            cases = counted(self.unfinished, "case")
            yield (
                f"note: {cases} of the run did not finish, now or before: status 10; resume the run with all its cases"
                if self._run.settings.get("resumes")
                else f"note: {cases} of the run did not finish"
            )
        status = view.run.end.exit_code if view.run.end is not None else None
        yield "gate: stopped, not judged" if is_stopped else verdict_line(view, status)
        yield f"run {run_label(view.run)} is in {printable(self._settings.shown(self._settings.db))}"
        yield f"look at it: {printable(self._settings.llmeval('show', self._run.id))}"
        if self._rescored is None:
            yield from self._next_steps(
                view, judged, is_cut=is_stopped or bool(self.unfinished), is_answered=is_answered
            )
        elif is_stopped:
            yield f"run it again: {printable(self._settings.llmeval('rescore', self._rescored))}"

    def _next_steps(
        self, view: RunView, cases: Sequence[JudgedCase], *, is_cut: bool, is_answered: bool
    ) -> Iterator[str]:
        """Yield the commands that complete a run, if it lacks something.

        Cases that broke after their answer arrived need a change of code, and then scoring the answers again: resuming
        the run would run the same code. Cases without an answer are asked for when the run is resumed.
        """
        broken = open_errors(view.run, cases) if is_answered or _has_results(view) else []
        scored_again = sum(broke_behind_answer(case.error_kind, case.latency_s) for case in broken)
        if is_cut or scored_again < len(broken):
            yield self._go_on
        if scored_again and not is_cut:
            those = "this is an error, not a miss" if scored_again == 1 else "these are errors, not misses"
            message = f"code broke over {counted(scored_again, 'answer')}: {those}"
            yield f"note: {message}; if an answer was not good enough, catch the exception and call pytest.fail()"
            yield f"once the code is fixed: {printable(self._settings.llmeval('rescore', self._run.id))}"

    def _calls(self) -> str:
        counts = self.calls + self.second_look
        faults = ", ".join(f"{count:,} {kind}" for kind, count in counts.faults.most_common())
        told = [counted(counts.requests, "request") + (f" ({faults})" if faults else "")]
        told += [f"at most {counts.peak} in flight"] if counts.requests else []
        source = "the cache" if self._rescored is None else f"run {self._rescored}"
        told += [f"{counted(counts.cached, 'answer')} from {source}"] if counts.cached else []
        told += [f"{counted(counts.recalled, 'answer')} received earlier"] if counts.recalled else []
        told += [f"{counted(self._plan.facts.done, 'case')} finished earlier"] if self._plan.facts.done else []
        return f"calls: {', '.join(told)}; cases waited {counts.waited_s:.1f} s for answers"

    def _held(self) -> list[str]:
        message = f"waited {self._held_s:.0f} s in all for the database: another process held it, or the disk is slow"
        return [message] if self._held_s else []

    def _partial(self) -> list[str]:
        parts = ", ".join(self._run.left_out)
        return [f"partial run ({parts}): rules are judged on what ran; the run cannot be a baseline"] if parts else []


def _has_results(view: RunView) -> bool:
    """Whether any case passed or missed; if none did, a new run is as good as resuming this one."""
    return any(suite.outcomes["passed"] or suite.outcomes["missed"] for suite in view.suites)
