"""Write rows as JSON Lines, or compare them with the files that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[dict[str, Any]]
Encode = Callable[[Rows], bytes]


def write(files: Mapping[str, Rows], folder: Path, encode: Encode) -> list[Path]:
    """Write one file for each name and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, rows in files.items():
        path = folder / f"{name}.jsonl"
        path.write_bytes(encode(rows))
        paths.append(path)
    return paths


def differing(files: Mapping[str, Rows], folder: Path, encode: Encode) -> list[str]:
    """Return the names of the files that are absent or differ from the rows."""
    paths = {folder / f"{name}.jsonl": rows for name, rows in files.items()}
    return [path.name for path, rows in paths.items() if not path.is_file() or path.read_bytes() != encode(rows)]
