"""Whether a file can hold the store: looked at before any call, with nothing but the standard library."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pytest_llmeval.core.errors import StoreError

__all__ = ["SCHEMA_VERSION", "check_database", "readable_errors", "schema_of"]

SCHEMA_VERSION = 4
"""The number of the newest migration; the file keeps it as ``user_version`` and in the table schema_version."""
_OUR_TABLES = frozenset({"schema_version", "runs", "cases", "scores", "calls", "verdicts"})
_HEADER = b"SQLite format 3\x00"


def check_database(path: Path) -> None:
    """Look whether ``path`` can hold the store, without making or changing anything.

    Raises:
        StoreError: the file is no database, is not ours, is newer than this version, or cannot be written.
    """
    with readable_errors(path):
        if not path.exists():
            return
        if not path.is_file():
            raise StoreError(f"{path}: not a regular file; name a database file with --llmeval-db")
        with open(path, "rb") as file:
            header = file.read(len(_HEADER))
        if header and header != _HEADER:
            raise StoreError(f"{path}: not a database; nothing was changed. Name another file with --llmeval-db")
        if not os.access(path, os.W_OK):
            raise StoreError(f"{path}: cannot be written; change its mode or name another file with --llmeval-db")
        with contextlib.closing(sqlite3.connect(_read_only(path), uri=True)) as connection:
            version = schema_of(connection)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and not tables >= _OUR_TABLES:
        raise StoreError(f"{path}: a database of something else; nothing was changed. Name another with --llmeval-db")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}); upgrade"
            " pytest-llmeval or name another file with --llmeval-db"
        )


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the number of the newest migration that a database has seen; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _read_only(path: Path) -> str:
    """Return the URI under which SQLite reads ``path``.

    Where no write-ahead log lies beside it, the file is read as it is: a look must not make one.
    """
    name = path.resolve()
    has_log = name.with_name(f"{name.name}-wal").exists()
    quoted = str(name).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=ro{'' if has_log else '&immutable=1'}"


@contextlib.contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a StoreError that names ``path``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: the database cannot be used: {error}") from error
