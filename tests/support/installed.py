"""What is installed, read once in a process: pytest looks for plugins with each session."""

import contextlib
import functools
import importlib.metadata
import sys
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["read_once"]


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """Keep what metadata is read of packages that are on ``sys.path`` now: a third of what a session takes here."""
    find = importlib.metadata.distributions
    known = {entry: list(find(path=[entry])) for entry in sys.path}

    def distributions(**where: Any) -> Iterator[importlib.metadata.Distribution]:
        for entry in () if where else sys.path:
            yield from known[entry] if entry in known else find(path=[entry])
        yield from find(**where) if where else ()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "distributions", distributions)
        for name in ("metadata", "entry_points", "files"):
            read = getattr(importlib.metadata.PathDistribution, name).fget
            patch.setattr(importlib.metadata.PathDistribution, name, property(functools.cache(read)))
        yield
