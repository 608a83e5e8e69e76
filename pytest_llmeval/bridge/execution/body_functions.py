"""The bodies of evals that are coroutine functions, and the parameters of functions."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from pytest_llmeval.core.signatures import signature_of

__all__ = ["Body", "arguments_of", "body_of", "is_async", "is_made_async", "parameters_of", "plain_function"]

Body = Callable[..., Coroutine[Any, Any, None]]
"""A coroutine function that is the body of an eval."""


def is_async(item: pytest.Item) -> bool:
    """Whether the body of ``item`` is a coroutine function that this plugin runs."""
    return body_of(item) is not None and not _is_anothers(item)


def body_of(item: pytest.Item) -> Body | None:
    """Return the coroutine function that is the body of ``item``; None if the body is not one.

    While a test runs, pytest-asyncio replaces the function by one that runs it on a loop of its own.
    """
    function = getattr(item, "obj", None)
    if getattr(function, "__globals__", {}).get("__name__") == "pytest_asyncio.plugin":
        function = getattr(function, "__wrapped__", None)
    return function if _is_coroutine_function(plain_function(function)) else None


_is_coroutine_function = functools.lru_cache(maxsize=64)(inspect.iscoroutinefunction)
"""Cached because it is called for every item, and a function may have thousands of items."""


def _is_anothers(item: pytest.Item) -> bool:
    """Whether a test asks for anyio or trio by its mark or its arguments; the modes of their plugins do not count.

    What is written for anyio runs on any loop: if anyio's plugin is not there, this plugin runs it.
    """
    marks = {mark.name for mark in item.iter_markers()}
    if "trio" in marks:
        return True
    named = parameters_of(plain_function(getattr(item, "obj")))  # noqa: B009
    asks = "anyio" in marks or "anyio_backend" in named
    return asks and any(item.config.pluginmanager.hasplugin(name) for name in ("anyio", "anyio.pytest_plugin"))


def arguments_of(function: Body, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``values`` that ``function`` takes as parameters."""
    return {name: values[name] for name in parameters_of(plain_function(function)) if name in values}


def plain_function(function: Any) -> Any:
    """Return the function behind a bound method: all cases share it."""
    return getattr(function, "__func__", function)


@functools.lru_cache(maxsize=64)
def parameters_of(function: Any) -> tuple[str, ...]:
    """Return the names of a plain function's parameters."""
    return tuple(signature_of(function).parameters)


def is_made_async(function: Any) -> bool:
    """Whether a fixture's function is a coroutine function or an async generator function."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
