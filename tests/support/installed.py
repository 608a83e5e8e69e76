"""What is installed, read once in a process: pytest looks for plugins, and through each of them, with each session."""

import contextlib
import functools
import importlib.metadata
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
import pytest

__all__ = ["read_once"]

_PLACES = (sysconfig.get_path("purelib"), str(Path(__file__).parents[2] / "pytest_llmeval"))
"""Where modules lie that no test changes: those of packages, and our own."""


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """Keep what metadata is read of packages that are on ``sys.path`` now, and what hooks and fixtures plugins have.

    Each of the two is a third of what a session takes here.
    """
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
        for looking in (pytest.FixtureDef, pluggy.PluginManager):
            patch.setattr(sys.modules[looking.__module__], "dir", _names, raising=False)
        yield


def _names(plugin: object) -> list[str]:
    """Return ``dir(plugin)``; of what is installed, those that a hook or a fixture can have."""
    owner: Any = plugin if isinstance(plugin, ModuleType) or inspect.isclass(plugin) else type(plugin)
    module = owner if isinstance(owner, ModuleType) else sys.modules.get(owner.__module__)
    if not str(getattr(module, "__file__", "")).startswith(_PLACES):
        return dir(plugin)
    return sorted({*_telling(owner), *(getattr(plugin, "__dict__", ()) if owner is not plugin else ())})


@functools.cache
def _telling(owner: ModuleType | type) -> list[str]:
    """Return which names of it begin as hooks do, or are of what wraps a function, as each fixture does."""
    return [
        name
        for name in dir(owner)
        if name.startswith("pytest_") or hasattr(inspect.getattr_static(owner, name, None), "__wrapped__")
    ]
