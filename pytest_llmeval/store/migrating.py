"""Bringing a database to the schema of this version: a new file gets its tables, an old one its migrations."""

import contextlib
import sqlite3
from pathlib import Path

from pytest_llmeval.store.check import SCHEMA_VERSION, schema_of
from pytest_llmeval.store.files import make_private

__all__ = ["migrate"]


def migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Apply the missing migrations under an exclusive lock; a second process waits and finds them applied.

    Args:
        connection: to the database.
        file: the database file; one of an older version is copied beside it first.
    """
    if schema_of(connection) == SCHEMA_VERSION:
        return
    _copy(connection, file)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        _apply(connection, schema_of(connection))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _copy(connection: sqlite3.Connection, file: Path) -> None:
    """Copy a file of an older version to ``NAME.schema-N.bak`` before it is migrated.

    SQLite cannot back up over a connection that is writing, and without a write-ahead log no other connection can read
    then.
    """
    connection.execute("BEGIN")  # another process may migrate: copy the version that is checked here
    try:
        version = schema_of(connection)
        if 0 < version < SCHEMA_VERSION:
            name = file.with_name(f"{file.name}.schema-{version}.bak")
            make_private(name)
            with contextlib.closing(sqlite3.connect(name)) as copy:
                connection.backup(copy)
    finally:
        connection.rollback()


def _apply(connection: sqlite3.Connection, version: int) -> None:
    if version == 0:
        for statement in Path(__file__).with_name("schema.sql").read_text("ascii").split(";\n\n"):
            connection.execute(statement)
    elif version < SCHEMA_VERSION:
        # Imported here because it takes 0.1 to 0.7 s of CPU, which only the file of an older version needs.
        from sqlite_utils import Database

        from pytest_llmeval.store.schema import migrations

        migrations.apply(Database(connection))
