"""From pytest's reports to the outcome of a case: passed, missed, error or skipped."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_llmeval.bridge.casework.cases import SYNC, CaseParam, CaseRun
from pytest_llmeval.bridge.casework.items import RUN_KEY, param_of
from pytest_llmeval.bridge.casework.raised import is_miss, is_timeout, leaves, name_and_text
from pytest_llmeval.bridge.execution.alone import why_alone
from pytest_llmeval.bridge.execution.body_functions import body_of
from pytest_llmeval.bridge.execution.case_records import properties_of, record_of
from pytest_llmeval.bridge.execution.cleaning import clean_failure, clean_report, clean_skip
from pytest_llmeval.core.errors import CaseError, ErrorKind, RubricError
from pytest_llmeval.core.gate.case import MONEY_KINDS, STRICT_XPASS
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import one_line, printable, shorten
from pytest_llmeval.core.transport import dump, settled
from pytest_llmeval.core.types import CaseRecord, CaseStart, Outcome

__all__ = [
    "JUDGED_OTHERWISE_ATTRIBUTE",
    "KIND_ATTRIBUTE",
    "LATE_ATTRIBUTE",
    "OTHERWISE_ATTRIBUTE",
    "OUTCOME_ATTRIBUTE",
    "PASSED_OVER_ATTRIBUTE",
    "RECORD_ATTRIBUTE",
    "START_ATTRIBUTE",
    "TURN_ATTRIBUTE",
    "Reporter",
]

OUTCOME_ATTRIBUTE = "llmeval_outcome"
"""On the reports of a case, from the phase in which it missed or broke: ``missed`` or ``error``."""
PASSED_OVER_ATTRIBUTE = "llmeval_passed_over"
"""On the report of a miss that fails nothing, because the suite has rules and the gate decides."""
LATE_ATTRIBUTE = "llmeval_late"
"""On the report of a teardown in which a fixture scored a miss after the body had been reported as passed."""
KIND_ATTRIBUTE = "llmeval_error_kind"
"""On the failed report of an error: the kind of error."""
START_ATTRIBUTE = "llmeval_start"
"""On the report of the setup: the case that begins; as JSON if the report leaves an xdist worker, which may die."""
RECORD_ATTRIBUTE = "llmeval_record"
"""On the report of the teardown: the finished case; as JSON if the report leaves an xdist worker."""
TURN_ATTRIBUTE = "llmeval_turn"
"""On the report of the teardown of an async eval: ``AHEAD`` if its body ran ahead, else why it did not.

``SYNC`` on that of any other eval that asked a model in its turn and could run ahead if it were async."""
OTHERWISE_ATTRIBUTE = "llmeval_asked_otherwise"
"""On the report of a case's teardown, if its prompt function returned something else in its turn: its suite."""
JUDGED_OTHERWISE_ATTRIBUTE = "llmeval_judged_otherwise"
"""On the report of a case's teardown, if it asked the judge something else in its turn than ahead: its suite."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_IN_ONE_LINE = (CaseError, RubricError)
"""Errors whose message says everything: a traceback would show this package's code only."""
_LONGEST_ERROR = 2000


class Reporter:
    """Decides the outcome of each case from the reports of its phases."""

    def __init__(self, thresholds: Thresholds, redact: Callable[[str], str], *, leaves: bool) -> None:
        """Prepare. ``redact`` removes secrets from a text; ``leaves`` says whether reports go to another process."""
        self._as_cargo = dump if leaves else settled
        self._thresholds = thresholds
        self._redact = redact

    def safe(self, text: str) -> str:
        """Return a text without secrets, and safe to show on a terminal."""
        return printable(self._redact(text))

    @contextmanager
    def by_last_frame(self, item: pytest.Item, run: CaseRun, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Show pytest only the last frame of an error that is reported in one line: formatting all takes 30 ms a case.

        An expected failure is shown in pytest's own way.
        """
        caught = call.excinfo
        if (
            caught is None
            or item.get_closest_marker("xfail") is not None
            or not isinstance(self._deciding(run, caught.value), _IN_ONE_LINE)
        ):
            yield
            return
        whole = caught.traceback
        caught.traceback = whole[-1:]
        try:
            yield
        finally:
            caught.traceback = whole  # which debuggers look at

    def passes_over(self, run: CaseRun, error: BaseException | None) -> bool:
        """Whether a body's exception is a miss that fails nothing, because the gate decides."""
        return error is not None and self._is_gated(run) and is_miss(self._deciding(run, error))

    def after(self, item: pytest.Item, run: CaseRun, raised: BaseException | None, report: pytest.TestReport) -> None:
        """Update the outcome of a case after a phase, from the exception that it ``raised``, and mark its report."""
        error = self._deciding(run, raised) if raised is not None else None
        is_late = error is not None and error is run.late
        _decide(run, report, error, self._redact, may_miss=report.when == "call" or is_late, raised=raised)
        if run.outcome == "missed" and report.failed:
            self._let_miss(run, report, is_late=is_late)
        if run.outcome == "error":  # also on a report that pytest fails later: a call with a broken subtest
            setattr(report, KIND_ATTRIBUTE, run.error_kind)
        if report.failed and isinstance(error, _IN_ONE_LINE):
            report.longrepr = f"{run.error_kind}: {run.error}"
        elif report.failed:
            clean_failure(report, self.safe)
        if report.skipped or hasattr(report, "wasxfail"):
            clean_skip(report, self.safe, wraps=item.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 1)
        clean_report(report, self.safe, self._redact)
        if run.outcome in ("missed", "error") or (run.outcome == "skipped" and report.failed):
            setattr(report, OUTCOME_ATTRIBUTE, run.outcome)
        if report.when == "setup":
            setattr(report, START_ATTRIBUTE, run.start or CaseStart(key=run.key))
        if report.when == "teardown":
            param = param_of(item)
            assert param is not None
            record = self._record(run, param)
            report.user_properties += properties_of(run, record)  # JUnit reads them off this report alone
            setattr(report, RECORD_ATTRIBUTE, self._as_cargo(record))
            _tell_turn(report, item, run)
            del item.stash[RUN_KEY]

    def _record(self, run: CaseRun, param: CaseParam) -> CaseRecord:
        """Return the record of a case that has ended."""
        outcome: Outcome = run.outcome or "error"  # type: ignore[assignment]  # only outcomes are assigned to it
        kind, error = (run.error_kind or ErrorKind.CODE if outcome == "error" else None), run.error
        failure = run.met_failure
        if outcome != "error" and failure is not None and failure.kind in MONEY_KINDS:
            # An xfail or a skip is not meant for errors that stop all calls; pytest's report stays as it is.
            message = _message(failure)
            outcome, kind, error = "error", failure.kind, one_line(self._redact(message), _LONGEST_ERROR)
        return record_of(run, param, self._redact, outcome=outcome, kind=kind, error=error)

    def _let_miss(self, run: CaseRun, report: pytest.TestReport, *, is_late: bool) -> None:
        """Mark the report of a miss; in a suite with rules make it a passed one, as the gate decides."""
        if is_late:
            setattr(report, LATE_ATTRIBUTE, True)
        if (report.when == "call" or is_late) and self._is_gated(run):
            report.outcome, report.longrepr = "passed", None
            setattr(report, PASSED_OVER_ATTRIBUTE, True)

    def _deciding(self, run: CaseRun, error: BaseException) -> BaseException:
        """Return the exception that decides the outcome: one of a group, such as that of tasks that failed together.

        An error goes before a miss. Two kinds of errors go first: one that is not ours, such as a bug in the test, and
        one that stops all further calls (budget, authentication, quota). In a suite with rules the latter goes before
        the former. In a suite without rules the former goes first, as it fails the session by itself. An error that
        stopped all calls counts even if the body caught it, and before a single exception that the body raised then:
        what an application makes of a missing answer says nothing about the application.
        """
        raised = [*leaves(error)]
        goes_first = self._is_gated(run) or len(raised) == 1

        def rank(each: BaseException) -> int:
            if is_miss(each):
                return 4
            found = _behind(each)
            if found is not None:
                return (0 if goes_first else 2) if found.kind in MONEY_KINDS else 3
            return 1

        failure = run.met_failure
        is_ended = failure is not None and failure.kind in MONEY_KINDS and not isinstance(error, pytest.skip.Exception)
        if failure is not None and is_ended and run.error_kind != failure.kind:  # else an earlier phase reported it
            raised.append(failure)
        return min(raised, key=rank)

    def _is_gated(self, run: CaseRun) -> bool:
        return self._thresholds.has_rules(run.key.suite)


def _decide(
    run: CaseRun,
    report: pytest.TestReport,
    error: BaseException | None,
    redact: Callable[[str], str],
    *,
    may_miss: bool,
    raised: BaseException | None,
) -> None:
    if report.skipped or _is_xpass(report, error):
        is_late = report.when == "teardown" and (run.outcome == "skipped" or not hasattr(report, "wasxfail"))
        if run.outcome not in ("missed", "error") and not is_late:  # by an earlier subtest, or the body
            run.outcome = "skipped"
            run.error = one_line(redact(str(report.longrepr)), _LONGEST_ERROR) if report.failed else None
    elif report.failed and (error is None or (may_miss and is_miss(error))):
        if run.outcome == "error":  # an earlier subtest of this case
            return
        run.outcome = "missed"
        told = name_and_text(error)[1] if error is not None else report.longreprtext  # of another plugin's report
        run.error = None if run.book.misses else shorten(printable(redact(told)), _LONGEST_ERROR)
    elif report.failed and error is not None and run.outcome != "error":
        run.outcome = "error"
        run.error_kind = _kind(error)
        told = _message(error, run.met_failure)
        if raised is not None and all(each is not error for each in leaves(raised)):
            told = f"{told}; behind it the case raised {': '.join(filter(None, name_and_text(raised)))}"
        run.error = one_line(redact(told), _LONGEST_ERROR)
    elif report.when == "call" and run.outcome not in ("missed", "error"):  # pytest reports each subtest as a call too
        run.outcome = "passed"


def _tell_turn(report: pytest.TestReport, item: pytest.Item, run: CaseRun) -> None:
    could_be_beside = run.turn != SYNC or (body_of(item) is None and not why_alone(item))
    if run.turn and could_be_beside:
        setattr(report, TURN_ATTRIBUTE, run.turn)
    if run.own.is_other:
        setattr(report, OTHERWISE_ATTRIBUTE, run.key.suite)
    if run.judged_otherwise:
        setattr(report, JUDGED_OTHERWISE_ATTRIBUTE, run.key.suite)


def _behind(error: BaseException) -> CaseError | None:
    """Return our error that an exception is, or was raised from: applications wrap them. None if there is none."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop()
        if isinstance(each, CaseError):
            return each
        if id(each) not in seen:
            seen.add(id(each))
            inner = reversed(each.exceptions) if isinstance(each, BaseExceptionGroup) else ()
            todo += [found for found in (each.__context__, each.__cause__, *inner) if found is not None]
    return None


def _is_xpass(report: pytest.TestReport, error: BaseException | None) -> bool:
    """Whether a body passed that was expected to fail: like any other xfail, it is not judged.

    A strict one fails the session.
    """
    if report.failed:
        return error is None and str(report.longrepr).startswith(STRICT_XPASS)
    return hasattr(report, "wasxfail")


def _kind(error: BaseException) -> str:
    if is_timeout(error):
        return str(ErrorKind.TIMEOUT)
    found = _behind(error)
    return str(ErrorKind.CODE if found is None else found.kind)


def _message(error: BaseException, failure: CaseError | None = None) -> str:
    """Return the message of an error; a ``failure`` that the body had caught before is appended."""
    name, text = name_and_text(error)
    if isinstance(error, _IN_ONE_LINE):
        return text
    found = None if is_timeout(error) else _behind(error)
    if found is not None:
        text = _ADDRESS.sub("", text)  # the future's address in tenacity's RetryError
        text = text if str(found) in text else f"{text} ({found})" if text else str(found)
    told = f"{name}: {text}" if text else name
    is_told = found is not None or failure is None or str(failure) in text  # an endpoint's 400 repeats it
    return told if is_told else f"{told}; before it a call had failed: {failure}"
