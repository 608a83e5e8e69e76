"""The code of a test or fixture, with the functions of its own module that it uses."""

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from pytest_llmeval.bridge.collection.code_digests import globals_in

__all__ = ["globals_of", "is_among", "seen"]


def seen(look: Callable[[Callable[..., Any]], str], function: Callable[..., Any]) -> str:
    """Return the first non-empty text of ``look`` for a function or the helpers of its module that it uses.

    An empty string if there is none, or if one of the user's objects raises when it is examined.
    """
    try:
        return next(filter(None, map(look, _with_helpers(function))), "")
    except Exception:  # noqa: BLE001  # a callable without a hash, a class that is made when it is asked for its name
        return ""


@functools.lru_cache(maxsize=256)
def _with_helpers(function: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """Return a function and the functions of its module that it names, directly or through other helpers."""
    found, known = [function], globals_of(function)
    for each in found:
        named = [known[name] for name in sorted(globals_in(each)) if name in known]
        helpers = [value for value in named if type(value) is FunctionType and globals_of(value) is known]
        found += [value for value in helpers if not is_among(value, found)]
    return tuple(found)


def globals_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the variables of the module in which a function is defined, whatever decorates it."""
    found: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    return found


def is_among(value: object, others: list[Any]) -> bool:
    """Whether a value is one of these objects themselves, whatever its class makes of ``==``."""
    return any(each is value for each in others)
