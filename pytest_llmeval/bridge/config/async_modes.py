"""Removes marks that modes of anyio and pytest-trio add to evals, which run on this plugin's own event loop."""

from collections.abc import Iterable
from types import FunctionType

import pytest

__all__ = ["drop_backend", "drop_trio", "is_asyncio_auto"]


def drop_backend(collector: pytest.Collector, collected: object) -> None:
    """Remove the mark by which anyio makes its backend a parameter of an eval."""
    own = collected.__dict__.get("pytestmark", ()) if isinstance(collected, FunctionType) else ()
    added = [mark for mark in own if mark.name == "usefixtures" and mark.args == ("anyio_backend",)]
    if added and _is_auto(collector.config):
        marks = {mark.name for mark in (*own, *collector.iter_markers())}
        if "llmeval" in marks and "anyio" not in marks:
            collected.__dict__["pytestmark"] = [mark for mark in own if mark not in added]


def drop_trio(items: Iterable[pytest.Item]) -> None:
    """Remove the mark by which pytest-trio's mode runs the bodies of evals; a mark that an eval itself has stays."""
    for item in items:
        running = [mark for mark in item.own_markers if mark.name == "trio" and "run" in mark.kwargs]
        if running and item.get_closest_marker("llmeval") is not None:
            own = getattr(getattr(item, "obj", None), "pytestmark", ())
            item.own_markers[:] = [mark for mark in item.own_markers if mark not in running or mark in own]


def is_asyncio_auto(config: pytest.Config) -> bool:
    """Whether pytest-asyncio is in its auto mode, in which it makes all async fixtures, even those anyio would make."""
    try:
        return str(config.getoption("asyncio_mode", None) or config.getini("asyncio_mode")) == "auto"
    except ValueError:  # pytest-asyncio is not there
        return False


def _is_auto(config: pytest.Config) -> bool:
    try:
        return "auto" in (config.getoption("anyio_mode", None), config.getini("anyio_mode"))
    except ValueError:  # anyio is not there
        return False
