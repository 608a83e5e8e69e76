"""Code as a text that decides what it does: of a function its source, of a partial or an object what it holds, too."""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from types import CodeType
from typing import Any
from uuid import UUID

from pytest_llmeval.core.ids import digest

__all__ = ["code_text", "settings_text", "source_digest", "source_text"]

_VALUES = (bytes, complex, Enum, date, time, timedelta, Decimal, Fraction, PurePath, range, re.Pattern, UUID)
"""Types whose ``repr`` says all that there is to say, and nothing else."""


def source_digest(function: Callable[..., Any]) -> str:
    """Return the sha256 in hex of what ``source_text`` says of a callable."""
    return digest(source_text(function))


def source_text(function: Callable[..., object]) -> str:
    """Return the source of a callable, its decorators included and what it calls not, the same in every process.

    Of a function whose source is out of reach it is the compiled code; of a partial the function and its arguments, of
    an object the source of its class and what it holds.
    """
    if isinstance(function, partial):
        return f"{source_text(function.func)}\n{_value_text([function.args, function.keywords])}"
    function = inspect.unwrap(function)
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, built by exec, or an object with __call__
        code = getattr(function, "__code__", None)
        return code_text(code) if code else _source_of_object(function)


def _source_of_object(function: object) -> str:
    slots = [name for kind in type(function).__mro__ for name in _slots_of(kind)]
    held = {name: getattr(function, name, None) for name in slots} | getattr(function, "__dict__", {})
    try:
        source = inspect.getsource(type(function))
    except (OSError, TypeError):
        source = type(function).__qualname__
    return f"{source}\n{_value_text(held)}"


def _slots_of(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def code_text(value: Any) -> str:
    """Return compiled code or one of its constants as a text that is the same in every process."""
    if isinstance(value, CodeType):
        return f"{value.co_code.hex()} {value.co_names} {[code_text(const) for const in value.co_consts]}"
    if isinstance(value, tuple):
        return f"({', '.join(map(code_text, value))}{',' * (len(value) == 1)})"
    return repr(sorted(map(code_text, value)) if isinstance(value, frozenset) else value)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON with sorted keys, the same in every process.

    What JSON cannot say is told by its type: of a dataclass with its fields, of what is a value (a date, a pattern, a
    path, ...) with its ``repr``, of a function or a class with its name, of anything else alone, as its ``repr`` may
    tell where it lies in memory, or what it was used for meanwhile.
    """
    try:
        return _encode(settings)
    except (TypeError, ValueError, RecursionError):  # keys that JSON has not, a value that holds itself
        return repr([(key, _value_text(value)) for key, value in sorted(settings.items())])


def _value_text(value: Any) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError):
        return type(value).__qualname__


def _described(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(_value_text(each) for each in value)}
    if isinstance(value, Mapping):
        return dict(value)
    kind = type(value)
    if isinstance(value, partial):
        return {"partial": [value.func, value.args, value.keywords]}
    if is_dataclass(value) and not isinstance(value, type):
        return {kind.__qualname__: {each.name: getattr(value, each.name, None) for each in fields(value)}}
    if isinstance(value, _VALUES):
        return {kind.__qualname__: repr(value)}
    return {kind.__qualname__: getattr(value, "__qualname__", None)}


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_described).encode
