"""The digest that tells whether two scores came from one scorer with one set of settings."""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

from pytest_llmeval.core.ids import code_text, digest
from pytest_llmeval.scorers.registry import Scorer

__all__ = ["scorer_digest"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def scorer_digest(scorer: Scorer, settings: Mapping[str, Any]) -> str:
    """Return the sha256 in hex over what decides a scorer's values.

    For a shipped scorer that is its name and version, for a user's its name, version and source (decorators
    included, what it calls not; of an object or a partial what it holds, too), for both the settings, defaults
    filled in. Settings are written as JSON with
    sorted keys; one that JSON cannot say is written as its ``repr`` without memory addresses.
    """
    return digest(f"{_identity(scorer)}\n{_settings_text(settings)}")


@cache
def _identity(scorer: Scorer) -> str:
    if scorer.shipped:
        return f"shipped {scorer.name} {scorer.version}"
    return f"user {scorer.name} {scorer.version}\n{_source(scorer.function)}"


def _source(function: Callable[..., object]) -> str:
    if isinstance(function, partial):
        return f"{_source(function.func)}\n{_one_setting([function.args, function.keywords])}"
    function = inspect.unwrap(function)
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, built by exec, or an object with __call__
        code = getattr(function, "__code__", None)
        return code_text(code) if code else _source_of_object(function)


def _source_of_object(function: object) -> str:
    """Return the source of its class and what it holds."""
    try:
        source = inspect.getsource(type(function))
    except (OSError, TypeError):
        return _nameless(function)
    slots = [name for kind in type(function).__mro__ for name in _slots_of(kind)]
    held = {name: getattr(function, name, None) for name in slots} | getattr(function, "__dict__", {})
    return f"{source}\n{_nameless(function)}\n{_one_setting(held)}"


def _slots_of(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def _settings_text(settings: Mapping[str, Any]) -> str:
    try:
        return _encode(settings)
    except (TypeError, ValueError, RecursionError):  # keys that JSON has not, a value that holds itself
        return repr([(key, _one_setting(value)) for key, value in sorted(settings.items())])


def _one_setting(value: Any) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError):
        return _nameless(value)


def _described(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(_one_setting(each) for each in value)}
    if isinstance(value, Mapping):
        return dict(value)
    return {type(value).__qualname__: _nameless(value)}


def _nameless(value: object) -> str:
    return _ADDRESS.sub("", repr(value))


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_described).encode
