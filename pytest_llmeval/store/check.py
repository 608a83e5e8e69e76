"""Checks of a database file before any call is made, with nothing but the standard library."""

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pytest_llmeval.core.errors import StoreError

__all__ = [
    "RESTORE",
    "SCHEMA_VERSION",
    "check_database",
    "check_readable",
    "check_sound",
    "exists",
    "is_writable",
    "read_only",
    "readable_errors",
    "schema_of",
]

SCHEMA_VERSION = 10
"""Number of the newest migration; the file keeps it as ``user_version`` and in the table schema_version."""
RESTORE = "; restore a copy of it, or name another file with --llmeval-db"
"""Advice for error messages about a damaged database."""
_OUR_TABLES = frozenset({"schema_version", "runs", "cases", "scores", "calls", "verdicts"})
_HAS_VERSION = "SELECT 1 FROM pragma_table_info('schema_version') WHERE name = 'version'"
_VERSION = "SELECT max(version) FROM schema_version WHERE typeof(version) = 'integer'"
_HEADER = b"SQLite format 3\x00"


def exists(path: Path) -> bool:
    """Return whether the path exists; raise OSError if the system cannot tell, unlike Path.exists of newer Pythons."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def check_database(path: Path, *, to_write: bool = True) -> None:
    """Check that ``path`` can hold the store, without creating or changing anything.

    Raises:
        StoreError: the file is not a database, belongs to something else, or was written by a newer version; it is
            ``to_write`` and not writable; or its folder is a file or cannot be written.
    """
    with readable_errors(path, if_damaged=RESTORE):
        if not exists(path):
            _check_folder(path, to_write=to_write)
            return
        if not path.is_file():
            raise StoreError(f"{path}: not a regular file; name a database file with --llmeval-db")
        if not _begins_as_database(path):
            raise StoreError(f"{path}: not a database; nothing was changed. Name another file with --llmeval-db")
        if to_write and not os.access(path, os.W_OK):
            raise StoreError(f"{path}: cannot be written; change its mode or name another file with --llmeval-db")
        if to_write and not is_writable(path):
            raise _unwritable(path, path.resolve().parent)
        version, tables = _contents(path)
    if tables and not tables >= _OUR_TABLES:
        raise StoreError(f"{path}: a database of something else; nothing was changed. Name another with --llmeval-db")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}); upgrade"
            " pytest-llmeval or name another file with --llmeval-db"
        )


def check_readable(path: Path) -> None:
    """Check that ``path`` is a database that this version can read without a migration.

    Raises:
        StoreError: the file does not exist, is not a database, belongs to something else, or has the schema of another
            version.
    """
    with readable_errors(path):
        if path.is_dir():
            raise StoreError(f"{path}: a folder; name the databases in it")
        if not path.is_file():
            raise StoreError(f"{path}: no such file")
        if not _begins_as_database(path):
            raise StoreError(f"{path}: not a database")
        version, tables = _contents(path)
    if not tables:
        raise StoreError(
            f"{path}: it has no tables; if a killed session left it, its records are in {path.name}-wal and the journal"
            " beside it: copy the whole folder"
        )
    if not tables >= _OUR_TABLES:
        raise StoreError(f"{path}: a database of something else")
    if version != SCHEMA_VERSION:
        todo = f"`llmeval runs --llmeval-db {shlex.quote(str(path))}` brings it up to date"
        if not is_writable(path):
            todo = "copy it to where it can be written, and `llmeval runs --llmeval-db COPY` brings the copy up to date"
        raise StoreError(
            f"{path}: written by another version (schema {version}, this one knows {SCHEMA_VERSION});"
            f" {'upgrade pytest-llmeval' if version > SCHEMA_VERSION else todo}"
        )


def check_sound(path: Path) -> None:
    """Check all pages of an existing database; raise StoreError if they are inconsistent."""
    with readable_errors(path, if_damaged=RESTORE):
        # As immutable only if nobody is writing: a writer of a file in this mode keeps a log beside it.
        uri = read_only(path) if _is_in_wal_mode(path) else f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30.0)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(found.split()))


def is_writable(path: Path) -> bool:
    """Whether SQLite can write to an existing file: it also creates files in the folder of the link's target."""
    whole = path.resolve()
    return os.access(whole, os.W_OK) and os.access(whole.parent, os.W_OK)


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the number of the newest migration of a database; 0 for a new one.

    A database that was restored from a dump has the number only in its table.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not version and connection.execute(_HAS_VERSION).fetchone():
        (version,) = connection.execute(_VERSION).fetchone()
    return int(version or 0)


def _check_folder(path: Path, *, to_write: bool) -> None:
    """Raise StoreError if ``path``, which does not exist, cannot be created because of a file or missing rights."""
    nearest = next((each for each in path.absolute().parents if exists(each)), None)
    if nearest is not None and not nearest.is_dir():
        raise StoreError(
            f"{nearest}: a file, where the folder of the database {path} is to be; move or remove it, or name another"
            " database with --llmeval-db"
        )
    if to_write and nearest is not None and not os.access(nearest, os.W_OK):
        raise _unwritable(path, nearest)


def _unwritable(path: Path, folder: Path) -> StoreError:
    """Return the error for a database whose ``folder`` is not writable."""
    return StoreError(
        f"{path}: the database cannot be used: {folder}: Permission denied, or a read-only file system; SQLite puts"
        " files beside a database, so change who may write there, or name another place with --llmeval-db or LLMEVAL_DB"
    )


def _is_in_wal_mode(path: Path) -> bool:
    """Whether the header of a database says that it uses a write-ahead log: bytes 18 and 19 are 2."""
    with open(path, "rb") as file:
        return file.read(20)[18:] == b"\x02\x02"


def _begins_as_database(path: Path) -> bool:
    """Whether a file is empty, like a new database, or starts with SQLite's header."""
    with open(path, "rb") as file:
        return file.read(len(_HEADER)) in (b"", _HEADER)


def _contents(path: Path) -> tuple[int, set[str]]:
    """Return the number of the newest migration of a file, and the names of its tables."""
    with contextlib.closing(sqlite3.connect(read_only(path), uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names, version = {name for (name,) in tables}, schema_of(connection)
        if version and names >= _OUR_TABLES:
            (told,) = connection.execute(_VERSION).fetchone()
            version = told if told and told > SCHEMA_VERSION else version
        return version, names


def read_only(path: Path) -> str:
    """Return the URI for reading ``path``.

    If there is no write-ahead log, the file is opened as immutable, so that a look at it does not create one.
    """
    name = path.resolve()
    has_log = name.with_name(f"{name.name}-wal").exists()
    quoted = str(name).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=ro{'' if has_log else '&immutable=1'}"


@contextlib.contextmanager
def readable_errors(path: Path, *, if_damaged: str = "") -> Iterator[None]:
    """Turn errors of SQLite and the system into a StoreError that names ``path``, with advice ``if_damaged``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        is_damage = type(error) is sqlite3.DatabaseError  # its subclasses mean locks, rights and statements
        todo = if_damaged if is_damage else ""
        if "database is locked" in str(error):
            todo = "; it stayed locked by another process: end that one"
        log = f"{os.path.realpath(path)}-wal"
        if "unable to open" in str(error) and os.path.exists(log) and not os.access(os.path.dirname(log), os.W_OK):
            todo = f"; copy it and {os.path.basename(log)} to a folder that can be written, where SQLite reads the log"
        raise StoreError(f"{path}: the database cannot be used: {error}{todo}") from error
