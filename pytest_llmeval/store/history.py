"""Facts from earlier runs for estimates: the number of calls per case of a suite, and the length of answers."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.store.check import schema_of
from pytest_llmeval.store.files import open_to_read
from pytest_llmeval.store.run_order import NEWEST_FIRST

__all__ = ["CallHistory", "call_history", "judge_history"]

_ANSWERED_BY_ANY = """
SELECT 1 FROM cases WHERE run_id = ? AND suite = ? AND (outcome IN ('passed', 'missed') OR outcome = 'skipped'
  AND EXISTS (SELECT 1 FROM calls WHERE calls.case_id = cases.id AND calls.status = 'ok' AND calls.role = 'model'))
"""
"""Finds the passed and missed cases of a suite in a run, and those skipped ones for which a model answered."""
_ANSWERED = f"{_ANSWERED_BY_ANY} AND model = ?"
_MEANS = """
SELECT count(*) * 1.0 / count(DISTINCT calls.case_id), avg(calls.input_tokens), avg(calls.output_tokens)
FROM calls JOIN cases ON cases.id = calls.case_id
WHERE cases.run_id = ?1 AND cases.suite = ?2 AND cases.model = ifnull(?3, cases.model)
  AND calls.status = 'ok' AND calls.role = 'model'
"""
_CALLED = """
SELECT 1 FROM cases JOIN calls ON calls.case_id = cases.id WHERE cases.run_id = ? AND cases.suite = ? LIMIT 1
"""
_JUDGED = """
SELECT 1 FROM cases JOIN calls ON calls.case_id = cases.id
WHERE cases.run_id = ? AND cases.suite = ? AND calls.role = 'judge' AND calls.status = 'ok'
"""
_JUDGED_MEANS = """
SELECT count(*) * 1.0 / (SELECT count(*) FROM cases WHERE run_id = ?1 AND suite = ?2 AND (
         outcome IN ('passed', 'missed') OR outcome = 'skipped'
           AND EXISTS (SELECT 1 FROM calls WHERE calls.case_id = cases.id))),
       avg(calls.input_tokens), avg(calls.output_tokens)
FROM calls JOIN cases ON cases.id = calls.case_id
WHERE cases.run_id = ?1 AND cases.suite = ?2 AND cases.outcome != 'error'
  AND calls.status = 'ok' AND calls.role = 'judge'
GROUP BY calls.model ORDER BY calls.model = ?3 DESC, count(*) DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHistory:
    """Facts about the calls of a suite in its newest run with a model, or with judges."""

    calls_per_case: float | None = None
    """Mean number of calls per case that made any; for a judge, per case except those skipped without a call. None if
    no run is known."""
    input_tokens: float | None = None
    """Mean input tokens per call; None if no server reported them."""
    output_tokens: float | None = None
    """Mean output tokens per answer; None if no server reported them, or if the run used another model, whose answers
    may be longer or shorter."""
    is_silent: bool | None = None
    """Whether its cases have no recorded calls, not even of a judge; None if no run is known."""
    run: str | None = None
    """Id of that run; None if none is known, and for judges."""
    code_digest: str | None = None
    """Digest of the suite's code in that run; None if it was not recorded."""


def call_history(database: Path, suite: str, model: str) -> CallHistory:
    """Return facts from the newest run with the model, or else with another one, as its calls are likely the same.

    All facts are unknown if there is no such run, or no readable database.
    """
    return _read(database, lambda connection: _of_model(connection, suite, model))


def judge_history(database: Path, suite: str, judge: str) -> CallHistory:
    """Return facts from the newest run in which a judge was asked: of ``judge`` if it was one, else of another."""
    return _read(database, lambda connection: _of_judge(connection, suite, judge))


def _read(database: Path, look: Callable[[sqlite3.Connection], CallHistory]) -> CallHistory:
    with contextlib.suppress(sqlite3.Error, OSError, ValueError):  # ValueError: damaged JSON
        if database.exists():
            with contextlib.closing(open_to_read(database)) as connection:
                if schema_of(connection):
                    return look(connection)
    return CallHistory()


def _of_judge(connection: sqlite3.Connection, suite: str, judge: str) -> CallHistory:
    newest = _newest(connection, _JUDGED, suite)
    found = connection.execute(_JUDGED_MEANS, [newest, suite, judge]).fetchone() if newest is not None else None
    if found is None:
        return CallHistory()
    calls, tokens_in, tokens_out = found
    return CallHistory(calls_per_case=calls, input_tokens=tokens_in, output_tokens=tokens_out)


def _of_model(connection: sqlite3.Connection, suite: str, model: str) -> CallHistory:
    its_model: str | None = model
    newest = _newest(connection, _ANSWERED, suite, model)
    if newest is None:
        newest, its_model = _newest(connection, _ANSWERED_BY_ANY, suite), None
    if newest is None:
        return CallHistory()
    calls, tokens_in, tokens_out = connection.execute(_MEANS, [newest, suite, its_model]).fetchone()
    return CallHistory(
        calls_per_case=calls,
        input_tokens=tokens_in,
        output_tokens=None if its_model is None else tokens_out,
        is_silent=connection.execute(_CALLED, [newest, suite]).fetchone() is None,
        run=newest,
        code_digest=_code_digest(connection, newest, suite),
    )


def _code_digest(connection: sqlite3.Connection, run: str, suite: str) -> str | None:
    (settings,) = connection.execute("SELECT settings_json FROM runs WHERE id = ?", [run]).fetchone()
    said = json.loads(settings).get("suites", {}).get(suite, {}).get("code_digest")
    return said if isinstance(said, str) else None


def _newest(connection: sqlite3.Connection, has_rows: str, *of: str) -> str | None:
    """Return the id of the newest run for which a query yields a row; its parameters are the id and ``of``."""
    runs = connection.execute(f"SELECT id FROM runs {NEWEST_FIRST}").fetchall()  # noqa: S608  # of run_order.py
    return next((run_id for (run_id,) in runs if connection.execute(has_rows, [run_id, *of]).fetchone()), None)
