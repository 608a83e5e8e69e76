"""The journal of a run: a file beside the database in which each answer is durable before it is used.

The process that makes the calls writes it. When the run ends, the database takes over its answers and the journal is
removed. The journal of a killed process is taken over when the database is opened next.
"""

import contextlib
import glob
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path
from typing import Any

from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.disk import is_there
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.ids import case_id, identity_of
from pytest_llmeval.core.types import Call, CallName, CaseKey, Kept
from pytest_llmeval.store import rows
from pytest_llmeval.store.call_table import CALL_COLUMNS, CALL_TABLE
from pytest_llmeval.store.check import check_sound, readable_errors
from pytest_llmeval.store.files import BUSY_TIMEOUT_S, first_row, make_private, open_to_read, write_row
from pytest_llmeval.store.records import LONGEST_SILENCE, Run

__all__ = ["Orphan", "SqliteJournal", "damaged_journals", "orphans", "unread"]

_SUFFIX = ".journal"
_APPLICATION_ID = 0x6C6C6D65
"""Mark of a journal in SQLite's file header: ``llme`` in ASCII."""
_PRAGMAS = ("journal_mode = wal", "synchronous = NORMAL", f"application_id = {_APPLICATION_ID}")
_TABLES = (
    "CREATE TABLE run (facts TEXT NOT NULL)",
    CALL_TABLE.format(name="answers", run=""),
    "CREATE TABLE begun (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE INDEX answers_key ON answers (cache_key) WHERE cache_key IS NOT NULL",
)
_BEGUN = "INSERT OR IGNORE INTO begun VALUES (?)"
_FAILED = "DELETE FROM begun WHERE id = ?"
_NEWEST = (
    "SELECT * FROM {table} WHERE cache_key = ? AND status = 'ok' AND cached = {copied} ORDER BY rowid DESC LIMIT 1"
)


class SqliteJournal:
    """The answers of one run. An instance must be used by one thread at a time."""

    def __init__(self, database: Path, run: Run) -> None:
        """Create the journal of ``run`` beside ``database``.

        Raises:
            StoreError: the file cannot be written, or holds the journal of an earlier session of the run.
        """
        self.path = _path_of(database, run.id)
        self._run_id = run.id
        self._database = database
        self._history: sqlite3.Connection | None = None
        self.damaged: set[str] = set()
        is_left = self.path.exists()
        try:
            with readable_errors(self.path):
                self._open(run)
        except StoreError as error:
            raise (unread(self.path, error) if is_left else error) from error

    def keep(self, answers: Sequence[Kept], *, begun: Sequence[CallName] = (), failed: Sequence[CallName] = ()) -> None:
        """Make answers durable, and note calls that began or failed; raise StoreError if they cannot be written."""
        if not is_there(self.path):
            raise StoreError(f"{self.path}: the journal was removed while the run wrote it")
        with readable_errors(self.path), self._connection:
            for kept in answers:
                row = rows.from_call(self._run_id, self._case_id(kept.case), kept.call)
                write_row(self._connection, "answers", row, verb="INSERT OR REPLACE")
            for sql, names in ((_BEGUN, begun), (_FAILED, failed)):
                self._connection.executemany(sql, [[self._call_id(*each)] for each in names])

    def recall(self, case: CaseKey, name: str) -> Call | None:
        """Return the call that this session recorded under a name; None if there is none, or its answer is damaged."""
        sql = "SELECT * FROM answers WHERE id = ?"
        found = first_row(self._connection, self.path, sql, self._call_id(case, name))
        return self._sound(found, found is not None and rows.is_whole(found))

    def recall_earlier(self, case: CaseKey, name: str) -> Call | None:
        """Return the call that an earlier session of the run recorded; None without one, or before ``open_history``."""
        if self._history is None:
            return None
        sql = "SELECT * FROM calls WHERE id = ? AND status = 'ok'"
        found = first_row(self._history, self._database, sql, self._call_id(case, name))
        return self._sound(found, found is not None and rows.is_whole(found))

    def cached(self, cache_key: str, request: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> Call | None:
        """Return the newest answer of any run under a cache key; None if it is damaged or answers another request.

        A copy that a run took from the cache is used if no run is left that asked for the answer.
        """
        self.open_history()
        assert self._history is not None
        places = ((self._connection, self.path, "answers"), (self._history, self._database, "calls"))
        rows_found = (
            first_row(connection, path, _NEWEST.format(table=table, copied=copied), cache_key)
            for copied in (0, 1)
            for connection, path, table in places
        )
        found = next((row for row in rows_found if row is not None), None)
        return self._sound(found, found is not None and rows.is_reply(found, request, sent))

    def _sound(self, found: Any, is_sound: bool) -> Call | None:
        """Return the call of a row; None if there is no row, or its answer is damaged (its id goes to ``damaged``)."""
        if found is not None and not is_sound:
            self.damaged.add(found["id"])
        return rows.to_call(found) if is_sound else None

    def open_history(self) -> None:
        """Also look for answers in the database: those of earlier sessions of this run, or of all runs."""
        if self._history is None:
            with readable_errors(self._database):
                self._history = open_to_read(self._database)

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._connection.close()
        if self._history is not None:
            self._history.close()

    def _open(self, run: Run) -> None:
        make_private(self.path)
        self._connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            with self._connection:
                self._begin(run)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, run: Run) -> None:
        """Create the tables and the row of the run; replace empty tables that an older version may have left."""
        self._connection.execute("BEGIN IMMEDIATE")
        if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'run'").fetchone():
            if self._connection.execute("SELECT 1 FROM run UNION ALL SELECT 1 FROM answers").fetchone():
                raise StoreError("it is not of a run as this version knows them")
            for table in ("run", "answers", "begun"):
                self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES:
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO run VALUES (?)", [dumps(rows.from_run(run))])

    def _call_id(self, case: CaseKey, name: str) -> str:
        return f"{self._case_id(case)}-{name}"

    def _case_id(self, case: CaseKey) -> str:
        return case_id(self._run_id, *identity_of(case))


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A journal that its run has not handed over to the database."""

    path: Path
    run: Run
    facts: str | None = None
    """The journal's record of the run and its process; None if no other process can take the journal over."""
    written_at: float = math.inf
    """Time of the last write, in seconds since the epoch; infinite if no other process can take the journal over."""

    @property
    def is_silent(self) -> bool:
        """Whether the file was not written to for LONGEST_SILENCE; its process counts as dead then, wherever it ran."""
        return utc().timestamp() - self.written_at > LONGEST_SILENCE.total_seconds()

    @property
    def is_there(self) -> bool:
        """Whether the file is still this journal; a session that took it over writes another one to the same path."""
        if self.facts is None:
            return True
        with contextlib.suppress(sqlite3.Error, TypeError):  # no file any more, or one that is just being created
            return _facts_in(self.path) == self.facts
        return False

    @property
    def uri(self) -> str:
        """URI for SQLite's ATTACH; it never creates the file."""
        return f"{self.path.absolute().as_uri()}?mode=rw"

    def remove(self) -> None:
        """Remove the file and its log; call this once the database holds the answers."""
        if not self.is_there:
            return
        for name in (str(self.path), f"{self.path}-wal", f"{self.path}-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


def unread(path: Path, error: StoreError) -> StoreError:
    """Return the error for a journal of an earlier session that cannot be taken over because of ``error``."""
    return StoreError(
        f"{path}: the journal of an earlier session of this run cannot be read ({error.__cause__ or error}); if"
        " it is damaged restore it, or move it away: what it holds is asked, and paid for, again then"
    )


def orphans(database: Path) -> Iterator[Orphan]:
    """Yield the readable journals beside ``database``; damaged ones are left where they are."""
    for path in _journals(database):
        with contextlib.suppress(sqlite3.Error, OSError, ValueError, KeyError, TypeError):
            yield _orphan(path)


def damaged_journals(database: Path, run_id: str | None = None) -> Iterator[tuple[Path, StoreError]]:
    """Yield the unreadable journals beside ``database``, of one run or of all, each with the error to show.

    A journal without tables is no error: its process was killed at once, or is just creating it.
    """
    for path in _journals(database, "*" if run_id is None else glob.escape(run_id)):
        try:
            check_sound(path)
            with readable_errors(path), contextlib.closing(open_to_read(path)) as connection:
                if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    connection.execute(f"SELECT {', '.join(CALL_COLUMNS)} FROM answers LIMIT 1").fetchall()  # noqa: S608
                    _orphan(path)
        except (StoreError, ValueError, KeyError, TypeError) as error:
            if path.exists():  # otherwise its run has ended in the meantime
                other = StoreError(f"it is not of a run as this version knows them: {error}")
                yield path, unread(path, error if isinstance(error, StoreError) else other)


def _journals(database: Path, run: str = "*") -> list[Path]:
    """Return the journals beside the file itself, and those that earlier versions left beside a link to it."""
    places = {os.path.realpath(database), os.path.join(os.path.realpath(database.parent), database.name)}
    return [Path(name) for each in sorted(places) for name in sorted(glob.glob(f"{glob.escape(each)}.{run}{_SUFFIX}"))]


def _path_of(database: Path, run_id: str) -> Path:
    """Return the path of a run's journal: beside the real file, as a database may be opened through various links."""
    return Path(f"{os.path.realpath(database)}.{run_id}{_SUFFIX}")


def _orphan(path: Path) -> Orphan:
    written_at = _written_at(path)  # before opening, which may fold in the log of a killed process
    facts = _facts_in(path)
    return Orphan(path=path, run=rows.to_run(loads(facts)), facts=facts, written_at=written_at)


def _written_at(path: Path) -> float:
    log = Path(f"{path}-wal")
    return max(each.stat().st_mtime for each in (path, log) if each.exists())


def _facts_in(path: Path) -> str:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        (facts,) = connection.execute("SELECT facts FROM run").fetchone()
    return str(facts)
