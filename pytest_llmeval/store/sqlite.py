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
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run, RunEnd, StoredCase, stored_case
from pytest_llmeval.store.schema import SCHEMA_VERSION, migrations

__all__ = ["SqliteStore", "check_database"]

_BUSY_TIMEOUT_S = 30.0
_HEADER = b"SQLite format 3\x00"


class SqliteStore:
    """Runs in a database file, which is made where it is missing."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` and bring its tables up to date.

        Raises:
            StoreError: the file is no database, is not ours, is newer than this version, or cannot be written.
        """
        check_database(path)
        self.path = path
        with _readable_errors(path):
            _create(path)
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
            self._db = Database(self._connection)
            self._db.enable_wal()
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""
        with _readable_errors(self.path):
            self._insert("runs", [rows.from_run(run)])

    def add_case(self, run_id: str, case: CaseRecord) -> None:
        """Record a finished case, its scores and calls, in one commit; one recorded before is replaced."""
        stored = stored_case(run_id, case)
        with _readable_errors(self.path), self._db.atomic():
            self._connection.execute("DELETE FROM cases WHERE id = ?", [stored.id])
            self._insert("cases", [rows.from_case(run_id, stored)])
            self._insert("scores", rows.from_scores(stored))
            self._insert("calls", rows.from_calls(run_id, stored.id, case.calls))

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""
        with _readable_errors(self.path), self._db.atomic():
            self._connection.execute("DELETE FROM verdicts WHERE run_id = ?", [run_id])
            self._insert("verdicts", [rows.from_verdict(run_id, verdict) for verdict in verdicts])

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended, and leave the whole database in its one file."""
        with _readable_errors(self.path):
            self._db.table("runs").update(
                run_id,
                {
                    "finished_at": end.finished_at,
                    "status": end.status,
                    "exit_code": end.exit_code,
                    "verdict": end.verdict,
                },
            )
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

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
        if values:
            self._db.table(table).insert_all(map(_bindable, values))

    def _query(self, sql: str, *parameters: str) -> Iterator[dict[str, Any]]:
        return self._db.query(sql, parameters)

    def _migrate(self) -> None:
        """Apply what is missing while no other process can; a second one waits and finds it done."""
        if _version(self._connection) == SCHEMA_VERSION:
            return
        self._connection.execute("BEGIN EXCLUSIVE")
        try:
            migrations.apply(self._db)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise


def check_database(path: Path) -> None:
    """Look whether ``path`` can hold the store, without making or changing anything.

    Raises:
        StoreError: the file is no database, is not ours, is newer than this version, or cannot be written.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise StoreError(f"{path}: not a regular file; name a database file with --llmeval-db")
    with _readable_errors(path):
        with open(path, "rb") as file:
            header = file.read(len(_HEADER))
        if header and header != _HEADER:
            raise StoreError(f"{path}: not a database; nothing was changed. Name another file with --llmeval-db")
        if not os.access(path, os.W_OK):
            raise StoreError(f"{path}: cannot be written; change its mode or name another file with --llmeval-db")
        with contextlib.closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as connection:
            version = _version(connection)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}); upgrade"
            " pytest-llmeval or name another file with --llmeval-db"
        )
    if tables and "schema_version" not in tables:
        raise StoreError(f"{path}: a database of something else; nothing was changed. Name another with --llmeval-db")


def _create(path: Path) -> None:
    """Make the file readable by its owner alone, in a folder that git leaves alone where the folder is new."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
        if path.parent.name.startswith("."):
            (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _bindable(row: dict[str, Any]) -> dict[str, Any]:
    return {key: storable(value) if isinstance(value, str) else value for key, value in row.items()}


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: the database cannot be used: {error}") from error
