"""Write the rows as JSON Lines, or compare them with the files that are shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .build import Row

SHIPPED = Path(__file__).resolve().parents[2] / "qa"


def encode(rows: Sequence[Row]) -> bytes:
    """Return the rows as UTF-8 JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def write(splits: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Write one file a split and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for split, rows in splits.items():
        path = folder / f"{split}.jsonl"
        path.write_bytes(encode(rows))
        paths.append(path)
    return paths


def differing(splits: Mapping[str, Sequence[Row]], folder: Path) -> list[str]:
    """Return the names of the files that are absent or differ from the rows."""
    names = []
    for split, rows in splits.items():
        path = folder / f"{split}.jsonl"
        if not path.is_file() or path.read_bytes() != encode(rows):
            names.append(path.name)
    return names
