"""The three files: order of the rows, marks, and the bytes."""

from __future__ import annotations

import hashlib
from typing import Any

from .draw import SPLITS
from .rows import SEED, Row, all_rows, line

# How many rows of each slice of test carry the mark.
REGRESSION = {"easy": 13, "medium": 13, "hard": 8, "domain": 6}
_KEYS = ("id", "input", "target", "slice", "marks", "metadata")


def _rank(purpose: str, row: Row) -> str:
    """Return a key that puts rows in a random order of which every row keeps its place."""
    return hashlib.sha256(f"{SEED}/{purpose}/{row.data['id']}".encode()).hexdigest()


def _marked(rows: list[Row]) -> set[str]:
    """Return the ids of the test rows that carry the mark, spread over slices and kinds."""
    chosen: set[str] = set()
    for name, count in REGRESSION.items():
        of_slice = sorted((row for row in rows if row.data["slice"] == name), key=lambda row: _rank("marks", row))
        turn: dict[str, int] = {}
        keyed = []
        for row in of_slice:
            kind = row.data["metadata"]["kind"]
            turn[kind] = turn.get(kind, 0) + 1
            keyed.append((turn[kind], row.data["id"]))
        chosen |= {row_id for _, row_id in sorted(keyed, key=lambda pair: pair[0])[:count]}
    return chosen


def _finished(row: Row, marked: set[str]) -> dict[str, Any]:
    """Return the row as a mapping with its keys in order, marked where it is to be."""
    data = {**row.data, "marks": ["regression"]} if row.data["id"] in marked else row.data
    return {key: data[key] for key in _KEYS if key in data}


def file_bytes(rows: list[Row] | None = None) -> dict[str, bytes]:
    """Return the content of each file by its name, of the given rows or of those that are made now."""
    rows = all_rows() if rows is None else rows
    files = {}
    for split in SPLITS:
        mine = sorted((row for row in rows if row.split == split), key=lambda row: _rank("order", row))
        marked = _marked(mine) if split == "test" else set()
        files[f"{split}.jsonl"] = "".join(line(_finished(row, marked)) for row in mine).encode()
    return files
