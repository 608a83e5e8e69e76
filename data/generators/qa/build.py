"""Make all rows: compose the orders, refuse near-duplicates, give ids and marks, and shuffle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .compose import Draft, compose
from .draw import Draw, digest
from .plan import MARKED, SEED, SLICES, SPLITS, Order, orders
from .schema import Topic, UnsuitableError
from .topics import TOPICS

Row = dict[str, Any]
JACCARD_LIMIT = 0.75
ATTEMPTS = 400
STRICT = 60


def tokens(row: Row) -> frozenset[str]:
    """Return the set of lower-case word tokens of context and question."""
    text = f"{row['input']['context']} {row['input']['question']}".lower()
    return frozenset(re.findall(r"\w+", text))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of common tokens among all tokens of two rows."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


class _Memory:
    """What a topic has produced so far, over all splits: later rows must differ from it."""

    def __init__(self) -> None:
        self.bags: list[frozenset[str]] = []
        self.combos: set[tuple[str, tuple[str, ...]]] = set()
        self.answers: dict[tuple[bool, str], int] = {}
        self.ids: set[str] = set()

    def refuses(self, order: Order, row: Row) -> bool:
        """Return whether the row repeats an earlier one too closely."""
        meta = row["metadata"]
        if (meta["layout"], tuple(meta["entities"])) in self.combos:
            return True
        if meta["answerable"] and self._worn(order, row["target"]["answer"]):
            return True
        bag = tokens(row)
        return any(jaccard(bag, other) > JACCARD_LIMIT for other in self.bags)

    def _worn(self, order: Order, answer: str) -> bool:
        """Return whether this topic has given this answer often enough."""
        limit = 6 if order.split == "train" else 1
        return self.answers.get((order.split == "train", answer), 0) >= limit

    def keep(self, order: Order, row: Row) -> None:
        """Remember an accepted row."""
        meta, answer = row["metadata"], row["target"]["answer"]
        self.bags.append(tokens(row))
        self.combos.add((meta["layout"], tuple(meta["entities"])))
        self.ids.add(row["id"])
        key = (order.split == "train", answer)
        self.answers[key] = self.answers.get(key, 0) + 1


def build(topics: Sequence[Topic] = TOPICS) -> dict[str, list[Row]]:
    """Return the rows of every split, in the order of the files."""
    memories = {topic.name: _Memory() for topic in topics}
    splits: dict[str, list[Row]] = {}
    for split in SPLITS:
        rows = [_make(order, memories[order.topic.name]) for order in orders(split, topics)]
        if split == "test":
            _mark(rows)
        splits[split] = _shuffle(rows, split)
    return splits


def _make(order: Order, memory: _Memory) -> Row:
    for attempt in range(ATTEMPTS):
        draw = Draw(order.key, attempt)
        try:
            draft = compose(order.topic, order.layout, order.slice, order.answerable, draw, lenient=attempt >= STRICT)
        except UnsuitableError:
            continue
        row = _row(order, draft, memory)
        if not memory.refuses(order, row):
            memory.keep(order, row)
            return row
    raise RuntimeError(f"no sound row for {order.key}")


def _row(order: Order, draft: Draft, memory: _Memory) -> Row:
    return {
        "id": _id(order, memory),
        "input": {"context": draft.context, "question": draft.question},
        "target": {"answer": draft.answer, "aliases": list(draft.aliases)},
        "slice": order.slice,
        "metadata": {
            "topic": order.topic.name,
            "layout": f"{order.topic.name}/{order.layout.name}",
            "operation": draft.operation,
            "answerable": draft.answerable,
            "entities": list(draft.entities),
            **draft.details,
        },
    }


def _id(order: Order, memory: _Memory) -> str:
    for attempt in range(ATTEMPTS):
        name = f"{order.topic.name}-{digest(order.key, 'id', attempt) % 10000:04d}"
        if name not in memory.ids:
            return name
    raise RuntimeError(f"no free id for {order.key}")


def _mark(rows: Sequence[Row]) -> None:
    """Give the marks, spread over the slices and over rows with and without an answer."""
    for kind in SLICES:
        here = sorted((row for row in rows if row["slice"] == kind), key=lambda row: digest("mark", row["id"]))
        for row in _strata(here)[: MARKED[kind]]:
            row["marks"] = ["regression"]


def _strata(rows: Sequence[Row]) -> list[Row]:
    """Return the rows so that every beginning holds a fair share of each stratum."""
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["slice"], row["metadata"]["answerable"]), []).append(row)
    placed = []
    for group in groups.values():
        for i, row in enumerate(group):
            jitter = digest(SEED, "place", row["id"]) / 2**64
            placed.append(((i + jitter) / len(group), row["id"], row))
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]


def _shuffle(rows: Sequence[Row], split: str) -> list[Row]:
    mixed = sorted(rows, key=lambda row: digest(SEED, split, row["id"]))
    return [_ordered(row) for row in _strata(mixed)]


def _ordered(row: Row) -> Row:
    keys = ("id", "input", "target", "slice", "marks", "metadata")
    return {key: row[key] for key in keys if key in row}
