"""How many rows of which kind each split gets, and from which topic and layout each comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .schema import Layout, Topic

SEED = "qa-1"
SPLITS = ("test", "val", "train")
SLICES = ("factual", "reasoning", "multi_hop")
SIZES = {
    "train": {"factual": 800, "reasoning": 667, "multi_hop": 533},
    "val": {"factual": 12, "reasoning": 10, "multi_hop": 8},
    "test": {"factual": 48, "reasoning": 40, "multi_hop": 32},
}
UNANSWERABLE = {
    "train": {"factual": 80, "reasoning": 67, "multi_hop": 53},
    "val": {"factual": 1, "reasoning": 1, "multi_hop": 1},
    "test": {"factual": 5, "reasoning": 4, "multi_hop": 3},
}
MARKED = {"factual": 16, "reasoning": 13, "multi_hop": 11}


@dataclass(frozen=True)
class Order:
    """One row to make: its place in the plan, not yet its words."""

    split: str
    slice: str
    topic: Topic
    layout: Layout
    number: int
    answerable: bool

    @property
    def key(self) -> str:
        """Return the key that seeds this row; it names no other topic."""
        return f"{SEED}/{self.split}/{self.slice}/{self.topic.name}/{self.layout.name}/{self.number}"


def orders(split: str, topics: Sequence[Topic]) -> Iterator[Order]:
    """Yield the orders of one split; topics take turns, and so do the layouts of a topic."""
    for slice_index, kind in enumerate(SLICES):
        usable = [topic for topic in topics if split != "train" or not topic.held_out]
        # val and test start at different topics, so that together they reach all of them
        start = {"train": 0, "test": 7 * slice_index, "val": 7 * slice_index + SIZES["test"][kind]}[split]
        size, missing = SIZES[split][kind], UNANSWERABLE[split][kind]
        for i in range(size):
            place = start + i
            topic = usable[place % len(usable)]
            turn = place // len(usable)
            answerable = (i * missing) // size == ((i + 1) * missing) // size
            yield Order(split, kind, topic, _layout(topic, kind, split, turn, place), i, answerable)


def _layout(topic: Topic, kind: str, split: str, turn: int, place: int) -> Layout:
    fitting = [entry for entry in topic.layouts if entry.multi == (kind == "multi_hop")]
    seen = [entry for entry in fitting if not entry.held_out]
    unseen = [entry for entry in fitting if entry.held_out]
    if split != "train" and unseen and (turn + place) % 2:
        return unseen[turn % len(unseen)]
    return seen[turn % len(seen)]
