"""The store in one SQLite file: WAL, one commit for each finished case."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate import Verdict
from pytest_llmeval.core.gate_case import JudgedCase
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store import rows
from pytest_llmeval.store.check import SCHEMA_VERSION, check_database, readable_errors, schema_of
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run, RunEnd, StoredCase, stored_case
from pytest_llmeval.store.schema import migrations

__all__ = ["SqliteStore"]

_BUSY_TIMEOUT_S = 30.0


class SqliteStore:
    """Runs in a database file, which is made where it is missing."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` and bring its tables up to date.

        Raises:
            StoreError: the file is no database, is not ours, is newer than this version, or cannot be written.
        """
        check_database(path)
        self.path = path
        with readable_errors(path):
            _create(path)
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
            self._file = path.absolute()
            self._opened = _identity(self._file)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""
        with self._transaction():
            self._insert("runs", [rows.from_run(run)])

    def add_case(self, run_id: str, case: CaseRecord) -> None:
        """Record a finished case, its scores and calls, in one commit; one recorded before is replaced."""
        stored = stored_case(run_id, case)
        with self._transaction():
            self._connection.execute("DELETE FROM cases WHERE id = ?", [stored.id])
            self._insert("cases", [rows.from_case(run_id, stored)])
            self._insert("scores", rows.from_scores(stored))
            self._insert("calls", rows.from_calls(run_id, stored.id, case.calls))

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""
        with self._transaction():
            self._connection.execute("DELETE FROM verdicts WHERE run_id = ?", [run_id])
            self._insert("verdicts", [rows.from_verdict(run_id, verdict) for verdict in verdicts])

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended, and leave the whole database in its one file."""
        with self._transaction():
            self._connection.execute(
                "UPDATE runs SET finished_at = ?, status = ?, exit_code = ?, verdict = ? WHERE id = ?",
                [end.finished_at, end.status, end.exit_code, end.verdict, run_id],
            )
        with readable_errors(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        return [rows.to_run(row) for row in self._query("SELECT * FROM runs ORDER BY started_at DESC, rowid DESC")]

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` means; raise StoreError where none or several do."""
        return pick_run(self.runs(), ref, where=str(self.path))

    def judged_cases(self, run_id: str) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case, in the order of recording."""
        return (rows.to_judged(case) for case in self.cases(run_id))

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording."""
        scores = self._query(
            "SELECT scores.* FROM scores JOIN cases ON cases.id = scores.case_id WHERE cases.run_id = ?"
            " ORDER BY cases.rowid, scores.name",
            run_id,
        )
        pending = next(scores, None)
        for row in self._query("SELECT * FROM cases WHERE run_id = ? ORDER BY rowid", run_id):
            own = []
            while pending is not None and pending["case_id"] == row["id"]:
                own.append(rows.to_score(pending))
                pending = next(scores, None)
            yield rows.to_case(row, tuple(own))

    def verdicts(self, run_id: str) -> list[Verdict]:
        """Return the verdicts of a run, in the order of judging."""
        return [
            rows.to_verdict(row)
            for row in self._query("SELECT * FROM verdicts WHERE run_id = ? ORDER BY rowid", run_id)
        ]

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._connection.close()

    def _insert(self, table: str, values: list[dict[str, Any]]) -> None:
        for row in values:
            columns, places = ", ".join(row), ", ".join(f":{column}" for column in row)
            sql = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  # the names are those of rows.py
            self._connection.execute(sql, _bindable(row))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is written inside, or nothing of it.

        The connection's own context, as an interrupt may strike between a BEGIN and what would take it back: all that
        is stored later would then be lost.
        """
        if _identity(self._file) != self._opened:
            raise StoreError(
                f"{self.path}: the file was removed or replaced while the run was recorded; SQLite would write to the"
                " old one, and nobody would find it"
            )
        with readable_errors(self.path), self._connection:
            yield

    def _query(self, sql: str, *parameters: str) -> Iterator[Any]:
        """Yield rows whose columns are found by name."""
        with readable_errors(self.path):
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            yield from cursor.execute(sql, parameters)

    def _prepare(self) -> None:
        for pragma in ("journal_mode = wal", "synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._migrate()

    def _migrate(self) -> None:
        """Apply what is missing while no other process can; a second one waits and finds it done."""
        if schema_of(self._connection) == SCHEMA_VERSION:
            return
        self._connection.execute("BEGIN EXCLUSIVE")
        try:
            migrations.apply(Database(self._connection))
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise


def _create(path: Path) -> None:
    """Make the file readable by its owner alone, in a folder that git leaves alone where the folder is new."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)  # another process may make it at this moment
        if path.parent.name.startswith("."):
            (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _bindable(row: dict[str, Any]) -> dict[str, Any]:
    return {key: storable(value) if isinstance(value, str) else value for key, value in row.items()}
