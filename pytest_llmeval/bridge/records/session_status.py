"""The exit status of a session: combines the one from pytest and other plugins with the gate's verdict."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.selection import UNCOLLECTED_KEY
from pytest_llmeval.bridge.execution.outcomes import KIND_ATTRIBUTE
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.judging import GateResult, SessionVerdict
from pytest_llmeval.core.status import BROKEN, FAILED, PASSED, exit_status, is_decided, is_unmeasurable, on_inconclusive
from pytest_llmeval.core.types import CaseRecord, CaseStart
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["SessionStatus"]

_MAX_WARNINGS = 6


class SessionStatus:
    """Gathers what decides the status while the session runs, and combines it with the gate's verdict."""

    def __init__(self, plan: RunPlan) -> None:
        self._config = plan.config
        self._facts = plan.facts
        self._rules = plan.rules
        self._failures = 0
        self._decided_failures = 0
        self.failed_tests = plan.config.stash.setdefault(UNCOLLECTED_KEY, {})
        """Node ids of what could not be collected, then of failed tests that are no case, in their order."""
        self._money_errors = False
        self._only_decided_failures = False
        self._natural = PASSED
        self._complaint = PASSED
        self.is_interrupted = False
        """Whether a person or ``pytest.exit`` interrupted the session."""
        self.is_broken = False
        """Whether an internal error was met, in this process or in a worker."""
        self.fault: str | None = None
        """Why nothing can be recorded any more, so that this plugin stops the session; this is no interrupt."""
        self.is_stopped = False
        """Whether the session ended before all of its cases had their turn."""

    def count_failure(self, report: Any, start: CaseStart | None) -> None:
        """Count a failed report; ``start`` is None for an ordinary test, and if a worker died before its case began."""
        self._failures += 1
        is_crash = report.when == "???"
        suite = start.key.suite if start is not None else self._facts.suite_of(report.nodeid) if is_crash else None
        if suite is None:
            self.failed_tests[report.nodeid] = None
        kind = getattr(report, KIND_ATTRIBUTE, ErrorKind.WORKER_CRASHED if is_crash else None)
        if suite is not None and kind is not None:
            is_lost = kind == ErrorKind.STORAGE  # no fault of the case
            self._decided_failures += is_lost or is_decided(suite, kind, self._rules)

    def count_case(self, case: CaseRecord) -> None:
        """Count a finished case."""
        self._money_errors |= is_unmeasurable(case.key.suite, case.error_kind, self._rules)

    def note_end(self, session: pytest.Session) -> None:
        """Take over the status with which pytest and other plugins would end."""
        status = self._noted(session)
        distributed = self._config.pluginmanager.getplugin("dsession")
        told_to_stop = bool(session.shouldstop or getattr(distributed, "shouldstop", False))
        # -x in pytest's own loop stops no worker: xdist counts failures itself, without crashes.
        is_cut = (bool(session.shouldfail) and distributed is None) or (told_to_stop and self.fault is None)
        self.is_stopped = is_cut or self.is_interrupted or status in BROKEN
        is_known = status in (PASSED, FAILED, *BROKEN, _MAX_WARNINGS)
        # Any other status is another plugin's complaint about something else, such as --fail-on-flaky (7).
        self._complaint = PASSED if is_known or self.is_stopped else status
        self._natural = PASSED if self._complaint else status
        self._only_decided_failures = session.testsfailed == self._failures == self._decided_failures

    def under(self, verdict: SessionVerdict, gate: GateResult | None) -> int:
        """Return the status for a verdict of the gate, which found ``gate``; without complaints of other plugins."""
        return exit_status(
            self._natural,
            verdict=verdict,
            on_inconclusive=on_inconclusive(gate, self._rules) if gate is not None else "warn",
            stopped=self.is_stopped,
            only_decided_failures=self._only_decided_failures,
            money_errors=self._money_errors,
        )

    def with_complaint(self, status: int) -> int:
        """Return ``status``; if that is 0, the status with which another plugin would end the session."""
        return status if status != PASSED else self._complaint

    def store_last(self, session: pytest.Session, store: SqliteStore, run_id: str) -> None:
        """Store the status that others set after the run was judged; raise StoreError if that is impossible."""
        end, status = store.find_run(run_id).end, int(session.exitstatus)
        is_interrupted = status == pytest.ExitCode.INTERRUPTED  # while the summary was shown
        if end is None or end.exit_code == status or (self.is_stopped and not is_interrupted):
            return
        if is_interrupted:
            store.set_verdicts(run_id, ())
            end = replace(end, status="interrupted", verdict="none")
        store.finish_run(run_id, replace(end, exit_code=status))

    def _noted(self, session: pytest.Session) -> int:
        """Return the status that pytest would set if it knew of all interrupts and of cases that ended earlier."""
        if self.is_interrupted:  # a second one kept pytest from noting the first
            is_less = session.exitstatus in (PASSED, FAILED, pytest.ExitCode.NO_TESTS_COLLECTED, _MAX_WARNINGS)
            return int(pytest.ExitCode.INTERRUPTED if is_less else session.exitstatus)
        if self.fault is not None and session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return FAILED if session.testsfailed else PASSED
        if self.is_broken and session.exitstatus not in BROKEN:
            return int(pytest.ExitCode.INTERNAL_ERROR)
        is_done = self._facts.done or self._facts.empty_shard
        had_nothing_left = is_done and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        return PASSED if had_nothing_left else int(session.exitstatus)
