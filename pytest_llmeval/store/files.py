"""Helpers for SQLite files: private creation, write-ahead log, read-only connections, writing of rows."""

import contextlib
import functools
import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_llmeval.core.text import storable
from pytest_llmeval.store.check import is_writable, read_only, readable_errors

__all__ = [
    "BUSY_TIMEOUT_S",
    "bindable",
    "connected_to_read",
    "first_row",
    "make_private",
    "open_to_read",
    "switch_to_wal",
    "write_row",
]

BUSY_TIMEOUT_S = 30.0
"""Seconds to wait for a lock that another process holds."""
_STEP_S = 0.01
"""Seconds between two attempts to switch the journal mode."""


def make_private(path: Path) -> None:
    """Create the file readable by its owner alone; a new hidden folder for it gets a .gitignore.

    An existing file of ours that everybody may access (a copy or an artifact, say) is restricted to its owner. If only
    a group has access, that stays.
    """
    if not path.parent.exists():
        if path.parent.name.startswith("."):
            _make_hidden(path.parent)
        else:
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)  # another process may create it just now
    name = os.path.realpath(path)  # a link may point to a file that does not exist yet
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        for each in (name, *(f"{name}-{kind}" for kind in ("wal", "shm", "journal"))):
            _take_from_all(each)


def _make_hidden(folder: Path) -> None:
    """Create a folder that git ignores, atomically, unless another process creates it at the same moment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        (made / ".gitignore").write_text("*\n", encoding="ascii")
        made.rename(folder)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if not (isinstance(error, OSError) and folder.is_dir()):
            raise


def _take_from_all(name: str) -> None:
    with contextlib.suppress(OSError):
        found = os.stat(name)
        if found.st_mode & stat.S_IRWXO and found.st_uid == os.geteuid():
            os.chmod(name, found.st_mode & stat.S_IRWXU)


def switch_to_wal(connection: sqlite3.Connection) -> str:
    """Switch the file to a write-ahead log, which lets readers and a writer work at once; the file remembers it.

    SQLite does not wait for a lock during the switch, whatever the connection's timeout, so several processes that open
    a new file at the same moment would fail:
    https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode

    Returns:
        The file's journal mode: ``wal``, or another one if the file system offers no shared memory.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = wal").fetchall()[0][0])
        except sqlite3.OperationalError as error:
            if "unable to open" in str(error):
                return _without_log(connection)
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_STEP_S)


def _without_log(connection: sqlite3.Connection) -> str:
    """Leave the write-ahead mode of a file that came from another file system: https://sqlite.org/wal.html#noshm."""
    for pragma in ("locking_mode = exclusive", "journal_mode = delete", "locking_mode = normal"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return str(connection.execute("PRAGMA journal_mode = wal").fetchall()[0][0])


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a read-only connection for any thread, whose rows have column names."""
    connection = connected_to_read(path)
    connection.row_factory = sqlite3.Row
    return connection


def connected_to_read(path: Path) -> sqlite3.Connection:
    """Return a read-only connection for any thread; it can also read a file from another file system.

    SQLite creates files beside one that it reads. In a folder that is not writable, the file is read as immutable.
    """
    uri = f"{path.absolute().as_uri()}?mode="
    connect = functools.partial(sqlite3.connect, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    if not is_writable(path):
        return connect(read_only(path))
    connection = connect(f"{uri}ro")
    try:
        if not _can_read(connection):
            with contextlib.closing(connect(f"{uri}rw")) as writing:
                _without_log(writing)
    except BaseException:
        connection.close()
        raise
    return connection


def _can_read(connection: sqlite3.Connection) -> bool:
    """Whether the file and its write-ahead log can be opened; other faults are raised when the file is read."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "unable to open" not in str(error)
    return True


def first_row(connection: sqlite3.Connection, path: Path, sql: str, *parameters: str) -> Any:
    """Return the first row of a query, or None; raise StoreError, naming ``path``, if it cannot be read."""
    with readable_errors(path):
        return connection.execute(sql, parameters).fetchone()


def write_row(connection: sqlite3.Connection, table: str, row: dict[str, Any], *, verb: str = "INSERT") -> int:
    """Write a row; return 1, or 0 if the verb skipped it (OR IGNORE)."""
    return connection.execute(_insertion(table, tuple(row), verb), _storable(row.values())).rowcount


@functools.cache
def _insertion(table: str, columns: tuple[str, ...], verb: str) -> str:
    """Return the SQL that writes a row; the column names come from rows.py, never from a dataset."""
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def bindable(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with texts that SQLite can store."""
    return dict(zip(row, _storable(row.values()), strict=True))


def _storable(values: Iterable[Any]) -> list[Any]:
    return [storable(value) if isinstance(value, str) else value for value in values]
