"""Files that are no database of ours."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["foreign", "random_bytes", "text_file"]


def text_file(path: Path) -> None:
    """Write a table of text."""
    path.write_text("id,name\n1,a\n" * 200)


def random_bytes(path: Path) -> None:
    """Write what is nothing at all."""
    path.write_bytes(os.urandom(5000))


def foreign(path: Path) -> None:
    """Write a database of something else, with a table that is called as one of ours."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER)")
