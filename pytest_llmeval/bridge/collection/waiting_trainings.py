"""Trainings that nobody asked for: how many there are, and what is said of them."""

from collections.abc import Iterable

import pytest

__all__ = ["TRAININGS", "count_trainings", "trainings_line"]

TRAININGS = "train"
"""What stands for a folder where those that wait are counted: none has to be named to run them."""


def count_trainings(functions: Iterable[pytest.Item]) -> int:
    """Return how many trainings functions marked ``train`` make: one for each configuration, or one without any."""
    return sum(max(1, _configurations(item)) for item in functions)


def trainings_line(count: int) -> str:
    """Return how many trainings wait, and how to run them."""
    waits = "1 training waits; run it" if count == 1 else f"{count:,} trainings wait; run them"
    return f"{waits} with: pytest -m train"


def _configurations(item: pytest.Item) -> int:
    """Return how many lie in the folder that the marker names."""
    marker = item.get_closest_marker("train")
    folders = [item.path.parent / str(name) for name in (marker.args[:1] if marker is not None else ())]
    return sum(path.is_file() for folder in folders for path in folder.glob("*.yaml"))
