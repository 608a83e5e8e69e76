"""From pytest's reports to the outcome of a case: passed, missed, error or skipped."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.case_start import row_input
from pytest_llmeval.bridge.casework.cases import SYNC, CaseParam, CaseRun
from pytest_llmeval.bridge.casework.items import RUN_KEY, param_of
from pytest_llmeval.bridge.casework.raised import is_miss, is_timeout, leaves, said
from pytest_llmeval.bridge.execution.alone import why_alone
from pytest_llmeval.bridge.execution.body_functions import body_of
from pytest_llmeval.bridge.execution.cleaning import clean_report
from pytest_llmeval.core.errors import CaseError, ErrorKind, RubricError
from pytest_llmeval.core.gate.case import MONEY_KINDS, STRICT_XPASS
from pytest_llmeval.core.ids import shown_name
from pytest_llmeval.core.judge.shown import shown_input
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import one_line, printable, shorten, storable
from pytest_llmeval.core.transport import dump, plain, settled
from pytest_llmeval.core.types import CaseKey, CaseRecord, CaseStart, Outcome, Score
from pytest_llmeval.store.records import utc_now

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
    "crashed",
    "tell_junit_of_crash",
]

OUTCOME_ATTRIBUTE = "llmeval_outcome"
"""On the reports of a case that missed or broke: which of the two, as far as one knows by then."""
PASSED_OVER_ATTRIBUTE = "llmeval_passed_over"
"""On the report of a body or a subtest that missed where the gate decides; of a teardown, see LATE_ATTRIBUTE."""
LATE_ATTRIBUTE = "llmeval_late"
"""On the report of a teardown in which a fixture scored the miss of its case: the body was reported as passed."""
KIND_ATTRIBUTE = "llmeval_error_kind"
"""On the failed report of an error: its kind."""
START_ATTRIBUTE = "llmeval_start"
"""On the report of the setup: which case it is; as JSON where the report leaves an xdist worker, maybe as its last."""
RECORD_ATTRIBUTE = "llmeval_record"
"""On the report of the teardown: the finished case; as JSON where the report leaves an xdist worker."""
TURN_ATTRIBUTE = "llmeval_turn"
"""On the report of the teardown of an async eval: ``ahead`` where its body ran ahead, else why it did not.

``SYNC`` on that of another one that asked a model in its turn, and would not have to if it were async.
"""
OTHERWISE_ATTRIBUTE = "llmeval_asked_otherwise"
"""On the report of the teardown of a case whose prompt came out otherwise in its turn: its suite."""
JUDGED_OTHERWISE_ATTRIBUTE = "llmeval_judged_otherwise"
"""On that of a case whose judge was asked otherwise in its turn: its suite."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_IN_ONE_LINE = (CaseError, RubricError)
"""Errors that say all by themselves: a traceback through this package would say nothing."""
_PROPERTY = "llmeval_"
_LONGEST_ERROR = 2000
_WORD = re.compile(r"[^\t\n\x0b\x0c\r ]+")
"""What textwrap takes for one."""
_LONG_WORD = 30
_COMMAND = re.compile(r"(?i)::((add|internal|remove|save|set|stop)-|debug|echo|(end)?group|error|notice|warning)\b")
"""What GitHub obeys; names and node ids have :: too."""


class Reporter:
    """Decides the outcome of each case from the reports of its phases."""

    def __init__(self, thresholds: Thresholds, redact: Callable[[str], str], *, leaves: bool) -> None:
        """Prepare.

        Args:
            thresholds: the rules, which decide whether a miss fails its item.
            redact: takes secrets out of a text.
            leaves: whether reports go to another process.
        """
        self._as_cargo = dump if leaves else settled
        self._thresholds = thresholds
        self._redact = redact

    def safe(self, text: str) -> str:
        """Return a text without secrets, and harmless on a terminal."""
        return printable(self._redact(text))

    @contextmanager
    def by_last_frame(self, item: pytest.Item, run: CaseRun, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Have pytest represent one frame alone of an error that is told in one line: all of them take it 30 ms a case.

        An expected failure is shown as pytest shows it.
        """
        caught, is_expected = call.excinfo, item.get_closest_marker("xfail") is not None
        if caught is None or is_expected or not isinstance(self._deciding(run, caught.value), _IN_ONE_LINE):
            yield
            return
        whole = caught.traceback
        caught.traceback = whole[-1:]
        try:
            yield
        finally:
            caught.traceback = whole  # which debuggers look at

    def passes_over(self, run: CaseRun, error: BaseException | None) -> bool:
        """Whether what a body raised is a miss that fails nothing, as the gate decides."""
        return error is not None and self._is_gated(run) and is_miss(self._deciding(run, error))

    def after(self, item: pytest.Item, run: CaseRun, raised: BaseException | None, report: pytest.TestReport) -> None:
        """Decide what a phase came to, which ``raised`` so, and mark its report."""
        error = self._deciding(run, raised) if raised is not None else None
        is_late = error is not None and error is run.late
        _decide(run, report, error, self._redact, may_miss=report.when == "call" or is_late)
        if run.outcome == "missed" and report.failed:
            self._let_miss(run, report, is_late=is_late)
        if run.outcome == "error":  # also of a report that pytest calls failed later: of a call with a broken subtest
            setattr(report, KIND_ATTRIBUTE, run.error_kind)
        if report.failed:
            _tidy(report, run, error, self.safe)
        if report.skipped or hasattr(report, "wasxfail"):
            _tidy_skip(report, self.safe, wraps=item.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) > 1)
        clean_report(report, self.safe, self._redact)
        if run.outcome in ("missed", "error") or (run.outcome == "skipped" and report.failed):
            setattr(report, OUTCOME_ATTRIBUTE, run.outcome)
        if report.when == "setup":
            setattr(report, START_ATTRIBUTE, run.start or CaseStart(key=run.key))
        if report.when == "teardown":
            param = param_of(item)
            assert param is not None
            record = _record(run, param, self._redact)
            report.user_properties += _properties(run, record)  # JUnit reads them off this report alone
            setattr(report, RECORD_ATTRIBUTE, self._as_cargo(record))
            _tell_turn(report, item, run)
            del item.stash[RUN_KEY]

    def _let_miss(self, run: CaseRun, report: pytest.TestReport, *, is_late: bool) -> None:
        """Mark the report of a miss, and have it fail nothing where the gate decides."""
        if is_late:
            setattr(report, LATE_ATTRIBUTE, True)
        if (report.when == "call" or is_late) and self._is_gated(run):
            report.outcome, report.longrepr = "passed", None
            setattr(report, PASSED_OVER_ATTRIBUTE, True)

    def _deciding(self, run: CaseRun, error: BaseException) -> BaseException:
        """Return what decides the outcome: of a group, as of tasks that failed together, one of its exceptions.

        That is, before any other error of a case and before a miss, one that is none of them or one that ends paying:
        the former where it fails the session by itself, as in a suite without rules. A call that ended paying counts
        among them whatever was made of it.
        """
        is_gated = self._is_gated(run)

        def rank(each: BaseException) -> int:
            if is_miss(each):
                return 4
            found = _behind(each)
            if found is not None:
                return (0 if is_gated else 2) if found.kind in MONEY_KINDS else 3
            return 1

        failure = run.met_failure
        is_ended = failure is not None and failure.kind in MONEY_KINDS and not isinstance(error, pytest.skip.Exception)
        return min([*leaves(error), *([failure] if failure is not None and is_ended else [])], key=rank)

    def _is_gated(self, run: CaseRun) -> bool:
        return self._thresholds.has_rules(run.key.suite)


def _decide(
    run: CaseRun,
    report: pytest.TestReport,
    error: BaseException | None,
    redact: Callable[[str], str],
    *,
    may_miss: bool,
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
        told = said(error)[1] if error is not None else report.longreprtext  # of another plugin's report
        run.error = None if run.book.misses else shorten(printable(redact(told)), _LONGEST_ERROR)
    elif report.failed and error is not None and run.outcome != "error":
        run.outcome = "error"
        run.error_kind = _kind(error)
        run.error = one_line(redact(_message(error, run.met_failure)), _LONGEST_ERROR)
    elif report.when == "call" and run.outcome not in ("missed", "error"):  # pytest reports each subtest as a call too
        run.outcome = "passed"


def _tell_turn(report: pytest.TestReport, item: pytest.Item, run: CaseRun) -> None:
    could_be_beside = run.turn != SYNC or (body_of(item) is None and not why_alone(item))
    if run.turn and could_be_beside:
        setattr(report, TURN_ATTRIBUTE, run.turn)
    if run.asked_otherwise:
        setattr(report, OTHERWISE_ATTRIBUTE, run.key.suite)
    if run.judged_otherwise:
        setattr(report, JUDGED_OTHERWISE_ATTRIBUTE, run.key.suite)


def _behind(error: BaseException) -> CaseError | None:
    """Return the error of ours that an exception is, or that was handled when it was raised: applications wrap them."""
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
    """Whether a body passed that was to fail: as any other xfail it is judged by nobody, whatever the answer was.

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
    """Return what an error says; of what a body raises that caught a ``failure`` before, with that one told."""
    name, text = said(error)
    if isinstance(error, _IN_ONE_LINE):
        return text
    found = None if is_timeout(error) else _behind(error)
    if found is not None:
        text = _ADDRESS.sub("", text)  # that of the future in tenacity's RetryError
        text = text if str(found) in text else f"{text} ({found})" if text else str(found)
    told = f"{name}: {text}" if text else name
    return told if found is not None or failure is None else f"{told}; before it a call had failed: {failure}"


def _tidy(report: pytest.TestReport, run: CaseRun, error: BaseException | None, safe: Callable[[str], str]) -> None:
    """Make the text of a failure harmless, and one line where a traceback would say nothing."""
    if isinstance(error, _IN_ONE_LINE):
        report.longrepr = f"{run.error_kind}: {run.error}"
    elif isinstance(report.longrepr, str):
        report.longrepr = safe(report.longrepr)
    else:
        _clean(report.longrepr, set(), safe)


def _tidy_skip(report: pytest.TestReport, safe: Callable[[str], str], *, wraps: bool) -> None:
    """Make the reason of a skip or an xfail harmless, where pytest ``wraps`` it wherever it is broken."""

    def unbegun(word: re.Match[str]) -> str:
        text = word.group()
        if wraps and len(text) >= _LONG_WORD and _COMMAND.search(text):  # it may be broken anywhere
            return text.replace("::", ":\\:").replace("::", ":\\:")
        return f"\\{text}" if text.lstrip().startswith("::") else text

    report.longrepr = _cleaned(report.longrepr, set(), safe)
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, _WORD.sub(unbegun, reason))
    if hasattr(report, "wasxfail"):
        report.wasxfail = _WORD.sub(unbegun, safe(str(report.wasxfail or "")))


def _clean(value: Any, seen: set[int], safe: Callable[[str], str]) -> None:
    """Make every text inside a failure's representation printable, in place."""
    if id(value) in seen or not hasattr(value, "__dict__"):
        return
    seen.add(id(value))
    for name, inner in vars(value).items():
        if isinstance(inner, str):
            object.__setattr__(value, name, safe(inner))
        elif isinstance(inner, list):
            object.__setattr__(value, name, [_cleaned(each, seen, safe) for each in inner])
        else:
            _clean(inner, seen, safe)


def _cleaned(value: Any, seen: set[int], safe: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(each, seen, safe) for each in value)
    _clean(value, seen, safe)
    return value


def _record(run: CaseRun, param: CaseParam, redact: Callable[[str], str]) -> CaseRecord:
    outcome: Outcome = run.outcome or "error"  # type: ignore[assignment]  # only outcomes are assigned to it
    kind, error = (run.error_kind or ErrorKind.CODE if outcome == "error" else None), run.error
    failure = run.met_failure
    if outcome != "error" and failure is not None and failure.kind in MONEY_KINDS:
        # Who expects a failure, or skips for one, means none that ends the calls of all; the report stays pytest's.
        outcome, kind, error = "error", failure.kind, one_line(redact(_message(failure)), _LONGEST_ERROR)
    calls = run.all_calls()
    asked = sum(call.role == "model" for call in calls)
    return CaseRecord(
        key=run.key,
        slices=run.sample.slices,
        outcome=outcome,
        error_kind=kind,
        error=error,
        input_digest=run.row.digest,
        started_at=run.started_at,
        scores=tuple(_unsecret(score, redact) for score in run.book.scores),
        judges=tuple(run.judges.values()),
        calls=calls,
        waited_s=round(run.waited_s, 6),
        target=run.row.target,
        cluster=run.row.cluster,
        input=_input(run, param) if asked > 1 else None,
    )


def _input(run: CaseRun, param: CaseParam) -> str | None:
    found = row_input(run, param)
    return None if found is None else storable(shown_input(found))


def _unsecret(score: Score, redact: Callable[[str], str]) -> Score:
    said = score.reason
    if isinstance(said, str) and redact(said) != said:
        score = replace(score, reason=redact(said))
    if score.votes:
        score = replace(score, votes=tuple(replace(vote, reason=redact(vote.reason)) for vote in score.votes))
    return score


def _properties(run: CaseRun, record: CaseRecord) -> list[tuple[str, str]]:
    """Return what JUnit is told of a case."""
    outcome, kind = record.outcome, record.error_kind or ErrorKind.CODE
    scores = {f"score_{shown_name(plain(score.name))}": _number(score) for score in run.book.scores}
    return _named(run.key, outcome, kind, {"wait_s": f"{run.waited_s:.3f}", **scores})


def crashed(start: CaseStart) -> CaseRecord:
    """Return the record of a case whose worker died."""
    return CaseRecord(
        key=start.key,
        slices=start.slices,
        outcome="error",
        error_kind=ErrorKind.WORKER_CRASHED,
        error="the worker process died while it ran this case",
        input_digest=start.input_digest,
        started_at=utc_now(),
        cluster=start.cluster,
    )


def tell_junit_of_crash(config: pytest.Config, report: pytest.TestReport, key: CaseKey) -> None:
    """Give the outcome of a case to JUnit where its worker died: such a report has no teardown, which tells."""
    junit: Any = next((each for each in config.pluginmanager.get_plugins() if hasattr(each, "node_reporter")), None)
    if junit is not None:
        for name, value in _named(key, "error", ErrorKind.WORKER_CRASHED, {}):
            junit.node_reporter(report).add_property(name, value)


def _named(key: CaseKey, outcome: str, kind: str, more: Mapping[str, str]) -> list[tuple[str, str]]:
    told = {
        "outcome": outcome,
        **({"error_kind": str(kind)} if outcome == "error" else {}),
        "suite": one_line(key.suite),
        "model": one_line(key.model),
        "sample": one_line(key.sample_id),
        **more,
    }
    return [(f"{_PROPERTY}{name}", value) for name, value in told.items()]


def _number(score: Score) -> str:
    return "none" if score.value is None else str(plain(score.value))
