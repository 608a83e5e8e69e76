"""Write the rows as JSON Lines, or compare them with the files that are shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .questions import Row

SHIPPED = Path(__file__).resolve().parents[2] / "judge"


def encode(rows: Sequence[Row]) -> bytes:
    """Return the rows as JSON Lines in ASCII: what an attack hides from the eye is then seen in the file."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode("ascii")


def write(files: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Write the files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, rows in files.items():
        path = folder / f"{name}.jsonl"
        path.write_bytes(encode(rows))
        paths.append(path)
    return paths


def differing(files: Mapping[str, Sequence[Row]], folder: Path) -> list[str]:
    """Return the names of the files that are absent or differ from the rows."""
    paths = {folder / f"{name}.jsonl": rows for name, rows in files.items()}
    return [path.name for path, rows in paths.items() if not path.is_file() or path.read_bytes() != encode(rows)]
