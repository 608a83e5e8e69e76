"""A keyed source of choices that rests on ``random.Random.random`` alone.

``Random.random`` is the one method whose sequence Python promises to keep, and string seeds
do not depend on PYTHONHASHSEED, so the same key gives the same choices everywhere.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(*key: object) -> int:
    """Return a 64-bit number that depends on the key alone."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


class Draw:
    """Choices for one row; two instances with the same key choose alike."""

    def __init__(self, *key: object) -> None:
        """Seed the choices with the parts of the key."""
        self._random = random.Random("/".join(str(part) for part in key))

    def below(self, limit: int) -> int:
        """Return an integer from 0 to ``limit - 1``."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int, step: int = 1) -> int:
        """Return an integer from ``low`` to ``high``, both included, in steps."""
        return low + step * self.below((high - low) // step + 1)

    def chance(self, probability: float) -> bool:
        """Return true with the given probability."""
        return self._random.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in a random order, as a new list."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]
