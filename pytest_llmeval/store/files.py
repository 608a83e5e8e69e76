"""Files that SQLite keeps: how they are made, and how rows are written into them."""

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

from pytest_llmeval.core.text import storable

__all__ = ["bindable", "insertion", "make_private"]


def make_private(path: Path) -> None:
    """Make the file readable by its owner alone, in a folder that git leaves alone where the folder is new."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)  # another process may make it at this moment
        if path.parent.name.startswith("."):
            (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@functools.cache
def insertion(table: str, columns: tuple[str, ...], verb: str = "INSERT") -> str:
    """Return the SQL that writes a row; the names are those of rows.py, never of a dataset."""
    places = ", ".join(f":{column}" for column in columns)
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({places})"


def bindable(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as SQLite can keep it."""
    return {key: storable(value) if isinstance(value, str) else value for key, value in row.items()}
