"""The record of a case that has ended, for the database and for JUnit."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.case_start import row_input
from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.ids import shown_name
from pytest_llmeval.core.judge.shown import shown_input
from pytest_llmeval.core.text import one_line, storable
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import CaseKey, CaseRecord, CaseStart, Outcome, Score
from pytest_llmeval.store.records import utc_now

__all__ = ["crashed", "properties_of", "record_of", "tell_junit_of_crash"]

_PROPERTY = "llmeval_"


def record_of(
    run: CaseRun,
    param: CaseParam,
    redact: Callable[[str], str],
    *,
    outcome: Outcome,
    kind: str | None,
    error: str | None,
) -> CaseRecord:
    """Return the record of a case that has ended, with its outcome; ``error`` is without secrets."""
    calls = run.calls.all()
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
        waited_s=round(run.waited.seconds, 6),
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


def properties_of(run: CaseRun, record: CaseRecord) -> list[tuple[str, str]]:
    """Return the properties of a case in JUnit's report."""
    outcome, kind = record.outcome, record.error_kind or ErrorKind.CODE
    scores = {f"score_{shown_name(plain(score.name))}": _number(score) for score in run.book.scores}
    return _named(run.key, outcome, kind, {"wait_s": f"{run.waited.seconds:.3f}", **scores})


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
    """Give JUnit the outcome of a case whose worker died: there is no report of the teardown that would carry it."""
    junit: Any = next((each for each in config.pluginmanager.get_plugins() if hasattr(each, "node_reporter")), None)
    if junit is not None:
        for name, value in _named(key, "error", ErrorKind.WORKER_CRASHED, {}):
            junit.node_reporter(report).add_property(name, value)


def _named(key: CaseKey, outcome: str, kind: str, more: Mapping[str, str]) -> list[tuple[str, str]]:
    fields = {
        "outcome": outcome,
        **({"error_kind": str(kind)} if outcome == "error" else {}),
        "suite": one_line(key.suite),
        "model": one_line(key.model),
        "sample": one_line(key.sample_id),
        **more,
    }
    return [(_property(name), value) for name, value in fields.items()]


@functools.lru_cache(maxsize=256)
def _property(name: str) -> str:
    """Return a property's name, the same string object for all cases: pytest keeps their reports to the end."""
    return f"{_PROPERTY}{name}"


def _number(score: Score) -> str:
    return "none" if score.value is None else str(plain(score.value))
