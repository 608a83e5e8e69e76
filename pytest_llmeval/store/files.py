"""Files that SQLite keeps: how they are made, how rows are written into them, and how one is read."""

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
_STEP_S = 0.01


def make_private(path: Path) -> None:
    """Make the file readable by its owner alone, in a folder that git leaves alone where the folder is new.

    One that is there is taken from everybody, if it is ours: a copy or an artifact comes so. What a group may do stays
    where nobody else may do anything.
    """
    if not path.parent.exists():
        if path.parent.name.startswith("."):
            _make_hidden(path.parent)
        else:
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)  # another process may make it at this moment
    name = os.path.realpath(path)  # a link may lead to a file that is yet to be made
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        for each in (name, *(f"{name}-{kind}" for kind in ("wal", "shm", "journal"))):
            _take_from_all(each)


def _make_hidden(folder: Path) -> None:
    """Make a folder that git leaves alone, whole or not at all, unless another process does at this moment."""
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
    """Let readers and a writer work at the same time; the file remembers it.

    SQLite does not wait for a lock while it switches, whatever the timeout of the connection, so that several processes
    that open a new file at one moment would fail: https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode

    Returns:
        The mode that the file has: ``wal``, or another one where the file system gives processes no shared memory.
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
    """Take a file out of the mode that it brought from another file system: https://sqlite.org/wal.html#noshm."""
    for pragma in ("locking_mode = exclusive", "journal_mode = delete", "locking_mode = normal"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return str(connection.execute("PRAGMA journal_mode = wal").fetchall()[0][0])


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that writes nothing, for any thread; the columns of its rows have names."""
    connection = connected_to_read(path)
    connection.row_factory = sqlite3.Row
    return connection


def connected_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that writes nothing, for any thread, and can read a file of another file system.

    SQLite puts files beside one that it reads; where none can be written, the file is read as it is.
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
    """Whether a file is there, and the log that it says to have can be: other faults are met by who reads it."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "unable to open" not in str(error)
    return True


def first_row(connection: sqlite3.Connection, path: Path, sql: str, *parameters: str) -> Any:
    """Return the first row that a query finds, None without one; raise StoreError, which names ``path``."""
    with readable_errors(path):
        return connection.execute(sql, parameters).fetchone()


def write_row(connection: sqlite3.Connection, table: str, row: dict[str, Any], *, verb: str = "INSERT") -> int:
    """Write a row; return 1, or 0 where the verb left it out."""
    return connection.execute(_insertion(table, tuple(row), verb), _storable(row.values())).rowcount


@functools.cache
def _insertion(table: str, columns: tuple[str, ...], verb: str) -> str:
    """Return the SQL that writes a row; the names are those of rows.py, never of a dataset."""
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def bindable(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as SQLite can keep it."""
    return dict(zip(row, _storable(row.values()), strict=True))


def _storable(values: Iterable[Any]) -> list[Any]:
    return [storable(value) if isinstance(value, str) else value for value in values]
