"""Which rows there are, and how each is made: from a key of its own, so that no kind disturbs another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .draw import SPLITS, Draw
from .kinds import KINDS
from .spec import Kind, fields_text, object_schema

SEED = "json-extraction-1"
# Nearness of two rows of a kind, in the tokens of the document and in those of the whole input.
MAX_JACCARD = (0.72, 0.8)  # across splits
MAX_JACCARD_WITHIN = (0.85, 0.92)  # inside one split

# Rows of one kind: {split: {slice: numbers for the kinds of the slice, in order}}.
PLAN: dict[str, dict[str, tuple[int, ...]]] = {
    "train": {"easy": (132,) * 5, "medium": (132,) * 5, "hard": (100,) * 4, "domain": (70,) * 4},
    "val": {"easy": (2,) * 5, "medium": (2,) * 5, "hard": (2, 2, 1, 1), "domain": (1,) * 4},
    "test": {"easy": (8,) * 5, "medium": (8,) * 5, "hard": (6,) * 4, "domain": (4,) * 4},
}
_HELD_OUT_ROWS = {8: 3, 6: 2, 4: 2, 2: 1, 1: 1}


@dataclass(frozen=True)
class Row:
    """A row with what the leak tests need: its split, and the entities it took from the split pools."""

    split: str
    data: dict[str, Any]
    entities: tuple[str, ...]

    @property
    def document(self) -> str:
        """The text to extract from."""
        return str(self.data["input"]["document"])


def tokens(text: str) -> frozenset[str]:
    """Return the set of lower-case runs of letters, digits and underscores."""
    return frozenset(re.findall(r"\w+", text.lower()))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of tokens common to both sets."""
    return len(left & right) / len(left | right)


def _layouts(kind: Kind, split: str, count: int) -> list[str]:
    """Return the layout of each of ``count`` rows, as evenly as can be."""
    d = Draw(f"{SEED}/layouts/{kind.name}/{split}", split)
    common, held_out = d.shuffled(list(kind.layouts)), d.shuffled(list(kind.held_out))
    special = 0 if split == "train" else _HELD_OUT_ROWS[count]
    return [held_out[i % len(held_out)] for i in range(special)] + [
        common[i % len(common)] for i in range(count - special)
    ]


def _count(kind: Kind, split: str) -> int:
    """Return how many rows the kind has in the split."""
    peers = [other.name for other in KINDS if other.slice == kind.slice]
    return PLAN[split][kind.slice][peers.index(kind.name)]


def _ids(kind: Kind) -> Iterator[str]:
    """Yield ids of the kind in random order, so that they tell neither split nor position."""
    numbers = Draw(f"{SEED}/ids/{kind.name}", "train").shuffled(range(1, 1000))
    return (f"{kind.name}-{number:04d}" for number in numbers)


def _attempt(kind: Kind, split: str, layout: str, key: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return input, target and metadata of one row, and its entities."""
    d = Draw(key, split)
    facts = kind.facts(d)
    document = {**kind.layouts, **kind.held_out}[layout](d, facts)
    metadata = {"kind": kind.name, "layout": layout, **({"domain": kind.domain} if kind.domain else {})}
    data = {
        "input": {
            "document": document,
            "fields": fields_text(kind.fields),
            "schema": object_schema(kind.fields),
        },
        "target": kind.target(facts, document),
        "slice": kind.slice,
        "metadata": metadata,
    }
    return data, tuple(sorted(d.entities))


Tokens = tuple[frozenset[str], frozenset[str]]


def _tokens(given: dict[str, Any]) -> Tokens:
    """Return the tokens of the document and of the whole input."""
    return tokens(given["document"]), tokens(json.dumps(given, ensure_ascii=False))


def _too_close(row: Tokens, split: str, seen: list[tuple[str, Tokens]]) -> bool:
    """Return whether the row is too near to one made before."""
    for place, other in seen:
        limits = MAX_JACCARD_WITHIN if split == place else MAX_JACCARD
        if any(jaccard(mine, theirs) > limit for mine, theirs, limit in zip(row, other, limits, strict=True)):
            return True
    return False


def kind_rows(kind: Kind) -> list[Row]:
    """Return all rows of a kind, made for test, val and train in turn; near copies are drawn again."""
    ids, rows = _ids(kind), []
    seen: list[tuple[str, Tokens]] = []
    for split in reversed(SPLITS):
        for index, layout in enumerate(_layouts(kind, split, _count(kind, split))):
            for attempt in range(200):
                data, entities = _attempt(kind, split, layout, f"{SEED}/{kind.name}/{split}/{index}/{attempt}")
                text = _tokens(data["input"])
                if not _too_close(text, split, seen):
                    break
            else:
                raise RuntimeError(f"{kind.name}/{layout}: no row that is new enough")
            seen.append((split, text))
            rows.append(Row(split, {"id": next(ids), **data}, entities))
    return rows


def all_rows() -> list[Row]:
    """Return the rows of all kinds."""
    return [row for kind in KINDS for row in kind_rows(kind)]


def line(data: dict[str, Any]) -> str:
    """Return the row as it stands in the file."""
    return json.dumps(data, ensure_ascii=False, separators=(", ", ": ")) + "\n"
