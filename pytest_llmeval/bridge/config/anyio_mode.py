"""What the mode ``auto`` of anyio does to evals, which run in a loop of this plugin's own."""

from types import FunctionType

import pytest

__all__ = ["drop_backend"]


def drop_backend(config: pytest.Config, collector: pytest.Collector, collected: object) -> None:
    """Take from an eval the mark by which anyio makes a backend a parameter of it."""
    own = collected.__dict__.get("pytestmark", ()) if isinstance(collected, FunctionType) else ()
    added = [mark for mark in own if mark.name == "usefixtures" and mark.args == ("anyio_backend",)]
    if added and _is_auto(config):
        marks = {mark.name for mark in (*own, *collector.iter_markers())}
        if "llmeval" in marks and "anyio" not in marks:
            collected.__dict__["pytestmark"] = [mark for mark in own if mark not in added]


def _is_auto(config: pytest.Config) -> bool:
    try:
        return "auto" in (config.getoption("anyio_mode", None), config.getini("anyio_mode"))
    except ValueError:  # anyio is not there
        return False
