"""Refuses options of other plugins with which no eval can run: in another process, or several times over."""

from collections.abc import Iterator

import pytest

__all__ = ["refused_modes"]


def refused_modes(config: pytest.Config, *, only_shows: bool) -> Iterator[str]:
    """Yield the problems of the options of a session with evals; ``only_shows``: whether it runs no test."""
    if config.pluginmanager.hasplugin("dsession") and config.option.dist == "each":
        yield "--dist=each would make every call once in each worker; use load or another mode"
    if only_shows:
        return
    if config.getoption("forked", False):  # of pytest-forked
        yield "--forked runs each test in a child process, which cannot ask a model: leave it out"
    if config.pluginmanager.hasplugin("_run-parallel"):  # of pytest-run-parallel, which awaits no coroutine
        for name in ("parallel_threads", "iterations"):
            if str(config.getoption(name, 1)) != "1":
                option = f"--{name.replace('_', '-')}"
                yield f"{option} calls each test several times, and awaits no async one: use {option}=1"
