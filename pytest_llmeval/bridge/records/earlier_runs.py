"""Reads the runs of earlier sessions before this one writes anything."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.workers import Place
from pytest_llmeval.core.errors import SettingsError, StoreError
from pytest_llmeval.core.gate.case import STRICT_XPASS, broke_behind_answer
from pytest_llmeval.core.ids import Identity
from pytest_llmeval.core.shards import Shard
from pytest_llmeval.store import rows
from pytest_llmeval.store.check import RESTORE, check_database, readable_errors, schema_of
from pytest_llmeval.store.files import open_to_read
from pytest_llmeval.store.gone_rows import is_gone
from pytest_llmeval.store.journal import orphans
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.run_order import NEWEST_FIRST
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = [
    "current_reader",
    "earlier_runs",
    "finished_cases",
    "has_all_answers",
    "is_kept",
    "rows_taken",
]


@contextlib.contextmanager
def earlier_runs(settings: Settings, asked: str) -> Iterator[tuple[list[Run], sqlite3.Connection]]:
    """Yield all runs, the newest first, and a read-only connection.

    Args:
        settings: of the session.
        asked: the option that needs the runs, as it was given.

    Raises:
        StoreError: the database cannot be read.
        SettingsError: there is no database, or no run in it yet.
    """
    if not settings.db.exists() and any(orphans(settings.db)):  # the database was removed during a run
        from pytest_llmeval.store.sqlite import SqliteStore

        SqliteStore(settings.db).close()  # takes over what the runs left
    if not settings.db.exists():
        raise SettingsError(f"{asked}: there is no database {settings.shown(settings.db)} yet")
    with readable_errors(settings.db, if_damaged=RESTORE), contextlib.closing(open_to_read(settings.db)) as connection:
        if not schema_of(connection):  # the process that made the file was killed at once
            raise SettingsError(f"{asked}: the database {settings.shown(settings.db)} has no runs yet")
        found = connection.execute(f"SELECT * FROM runs {NEWEST_FIRST}")  # noqa: S608
        yield [rows.to_run(row) for row in found], connection


def finished_cases(
    connection: sqlite3.Connection, run_id: str, place: Place | None, *, errors: bool
) -> tuple[dict[Identity, str], Place]:
    """Return the finished cases of a run with the digests of their rows, and their place for other processes.

    Args:
        connection: of ``earlier_runs``.
        run_id: of the run.
        place: where the process that the user started has found the cases; None in that process itself. Cases recorded
            later are not included.
        errors: whether cases count that ended with an error, or passed although they had to fail.
    """
    sql = "SELECT suite, model, sample_id, epoch, input_digest, rowid FROM cases WHERE run_id = ? AND rowid <= ?"
    sql += "" if errors else f" AND outcome != 'error' AND ifnull(error, '') NOT LIKE '{STRICT_XPASS}%'"
    found = connection.execute(sql, [run_id, 2**62 if place is None else place[1]]).fetchall()
    last = max((row[5] for row in found), default=0)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in found}, place or (run_id, last)


def has_all_answers(connection: sqlite3.Connection, run: Run) -> bool:
    """Whether a run came to its end and every case with an error has its answer."""
    sql = f"SELECT error_kind, latency_s FROM cases WHERE run_id = ?1 AND outcome = 'error' AND NOT {is_gone()}"  # noqa: S608
    errors = connection.execute(sql, [run.id])
    is_whole = run.end is not None and run.end.status != "interrupted"
    return is_whole and all(broke_behind_answer(*error) for error in errors)


def rows_taken(run: Run) -> dict[str, Any]:
    """Return the settings that select the rows of a run."""
    options = run.settings.get("options", {})
    return {
        "dataset": options.get("dataset"),
        "limit": options.get("limit"),
        "slices": tuple(options.get("slice", ())),
        "shard": Shard.parse(options["shard"]) if options.get("shard") else None,
    }


@contextlib.contextmanager
def current_reader(path: Path, *, db_option: str = "") -> Iterator[SqliteReader | None]:
    """Yield a reader of a database; None if the file does not exist, or has tables of an older version."""
    if not path.exists():
        yield None
        return
    with contextlib.closing(SqliteReader.open(path, db_option=db_option)) as reader:
        yield reader if reader.is_current else None


def is_kept(path: Path, run_id: str) -> bool:
    """Whether a run is stored in the database, or in a journal beside it that the next opening absorbs."""
    try:
        check_database(path)
        if any(orphan.run.id == run_id for orphan in orphans(path)):
            return True
        with current_reader(path) as reader:
            return reader is not None and reader.run(run_id) is not None
    except StoreError:
        return False
