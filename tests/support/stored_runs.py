"""Runs to put into a store, and a look at its file from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_llmeval.store.records import Run, RunEnd
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["END", "look", "newer", "run"]

END = RunEnd(finished_at="2025-01-02T04:00:00.000+00:00", status="finished", exit_code=0, verdict="pass")


def run(id: str = "20250102-030405-abc123", **fields: Any) -> Run:
    """Return a run that goes on in this process."""
    made: dict[str, Any] = {"started_at": "2025-01-02T03:04:05.678+00:00", "version": "0.1.0", "models": ("m",)}
    return Run(id=id, **{**made, **fields})


def look(path: Path, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Return what a query finds in a database file, read by nothing of ours."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]


def newer(path: Path) -> None:
    """Write the database of a version that is not there yet."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
