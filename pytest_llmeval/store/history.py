"""What earlier runs say of the calls of a suite: how many a case makes, and how long their answers are."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.store.check import schema_of

__all__ = ["CallHistory", "call_history"]

_NEWEST = """
SELECT cases.run_id FROM cases JOIN runs ON runs.id = cases.run_id
WHERE cases.suite = ? AND cases.model = ? AND cases.outcome != 'error' ORDER BY runs.started_at DESC LIMIT 1
"""
_MEANS = """
SELECT count(*) * 1.0 / count(DISTINCT calls.case_id), avg(calls.output_tokens)
FROM calls JOIN cases ON cases.id = calls.case_id
WHERE cases.run_id = ? AND cases.suite = ? AND cases.model = ? AND calls.status = 'ok' AND calls.role = 'model'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHistory:
    """The newest run of a suite with a model."""

    calls_per_case: float | None = None
    """Mean over the cases that made any; None where no run is known."""
    output_tokens: float | None = None
    """Mean of an answer; None where no server said."""


def call_history(database: Path, suite: str, model: str) -> CallHistory:
    """Return what the newest run says; nothing where there is none, or no database that can be read."""
    with contextlib.suppress(sqlite3.Error, OSError):
        if database.exists():
            uri = f"{database.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
                return _read(connection, suite, model)
    return CallHistory()


def _read(connection: sqlite3.Connection, suite: str, model: str) -> CallHistory:
    if not schema_of(connection):
        return CallHistory()
    newest = connection.execute(_NEWEST, [suite, model]).fetchone()
    if newest is None:
        return CallHistory()
    calls, tokens = connection.execute(_MEANS, [newest[0], suite, model]).fetchone()
    return CallHistory(calls_per_case=calls, output_tokens=tokens)
