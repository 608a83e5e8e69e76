"""Seeded choices for one row, and the split of the entity pools.

Every choice is made from ``random.Random(text).random()`` alone: it is the one method whose sequence Python
promises to keep, so the shipped files do not depend on the Python version or on PYTHONHASHSEED.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

T = TypeVar("T")

SPLITS = ("train", "val", "test")
_FIRST_DAY = date(2023, 2, 1)
_DAYS = 1300
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def split_part(pool: Sequence[T], split: str) -> list[T]:
    """Return the entries of an entity pool that one split may use: of ten, val 1, test 3, train 6."""
    part = {"val": (0,), "test": (1, 2, 3), "train": (4, 5, 6, 7, 8, 9)}[split]
    return [entry for index, entry in enumerate(pool) if index % 10 in part]


class Draw:
    """The choices of one row. ``entities`` holds what was taken from the split pools."""

    def __init__(self, key: str, split: str) -> None:
        """Start the choices from a key of the row, for one of the splits."""
        self._random = random.Random(key)
        self.split = split
        self.entities: list[str] = []

    def between(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return True with the given probability."""
        return self._random.random() < share

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.between(0, len(options) - 1)]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different options, in random order."""
        left = list(options)
        return [left.pop(self.between(0, len(left) - 1)) for _ in range(count)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return all options in random order."""
        return self.sample(options, len(options))

    def own(self, pool: Sequence[str]) -> str:
        """Return an entry that only this split uses, not yet used in this row, and record it."""
        free = [entry for entry in split_part(pool, self.split) if entry not in self.entities]
        entry = self.pick(free)
        self.entities.append(entry)
        return entry

    def maybe(self, *options: str, share: float = 0.5) -> str:
        """Return one of the texts, or an empty text."""
        return self.pick(options) if self.chance(share) else ""

    def code(self, pattern: str) -> str:
        """Return the pattern with ``#`` made a digit, ``@`` a capital letter, ``%`` a hex digit."""
        fill = {"#": "0123456789", "@": _LETTERS, "%": "0123456789abcdef"}
        return "".join(self.pick(fill[sign]) if sign in fill else sign for sign in pattern)

    def day(self, low: int = 0, high: int = 6, after: date | None = None) -> date:
        """Return a date with a weekday from low (0 is Monday) to high; within 30 days of ``after``."""
        start, span = (_FIRST_DAY, _DAYS) if after is None else (after + timedelta(days=1), 30)
        while True:
            day = start + timedelta(days=self.between(0, span - 1))
            if low <= day.weekday() <= high:
                return day

    def clock(self, first_hour: int, last_hour: int, step: int = 15) -> str:
        """Return a time of day as HH:MM, on a multiple of ``step`` minutes."""
        hour = self.between(first_hour, last_hour)
        return f"{hour:02d}:{self.between(0, 60 // step - 1) * step:02d}"
