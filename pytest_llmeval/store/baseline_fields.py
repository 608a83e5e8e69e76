"""Validation of the fields of an exported baseline."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

from pytest_llmeval.core.text import one_line, shown_value, storable

__all__ = [
    "COUNT",
    "LIST",
    "MAYBE_TEXT",
    "NUMBER",
    "TEXT",
    "Field",
    "NewerFormatError",
    "NotALineError",
    "check_types",
    "checked",
    "checked_texts",
]

_LARGEST = 2**63
"""Bound of integers: SQLite stores 64 bits with a sign."""
_MISSING: Any = object()


class NotALineError(ValueError):
    """A line is not one that an export writes; the message names the field and shows its value."""


class NewerFormatError(NotALineError):
    """A newer version wrote the line."""


class Field(NamedTuple):
    """Allowed values of one key."""

    types: tuple[type, ...]
    default: Any = _MISSING
    """Value if the key is missing; without a default the key is required."""
    among: tuple[str, ...] = ()
    """Allowed texts; empty allows any."""


TEXT = Field((str,))
MAYBE_TEXT = Field((str, NoneType), None)
NUMBER = Field((float, int, NoneType), None)
COUNT = Field((int, NoneType), None)
LIST = Field((list,), [])


def checked(data: Any, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
    """Return ``data`` with every key of ``fields`` and storable texts; raise NotALineError if it is invalid."""
    if not isinstance(data, dict):
        raise NotALineError(f"{repr(where[:-1]) if where else 'it'} is {shown_value(data)}, and should be an object")
    unknown = sorted(data.keys() - fields.keys())
    if unknown:
        raise NotALineError(f"unknown key {one_line(repr(where + unknown[0]), 80)}")
    found = {}
    for key, (types, default, among) in fields.items():
        value = data.get(key, default)
        kind = type(value)
        if value is _MISSING:
            raise NotALineError(f"{where + key!r} is missing")
        if kind not in types or (among and value not in among):
            raise NotALineError(f"{where + key!r} is {shown_value(value)}")
        if kind is str:
            value = storable(value)
        elif kind is int and not -_LARGEST <= value < _LARGEST:
            raise NotALineError(f"{where + key!r} is beyond 64 bits")
        found[key] = value
    return found


def checked_texts(values: list[Any], where: str) -> list[str]:
    """Return the texts as a database can store them; raise NotALineError if a value is not a text."""
    for value in values:
        if type(value) is not str:
            raise NotALineError(f"{where!r} holds {shown_value(value)}")
    return [storable(value) for value in values]


def check_types(values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Raise NotALineError if a present value has a type that ``kinds`` does not allow; unknown keys are ignored."""
    for key, types in kinds.items():
        if key in values and type(values[key]) not in types:
            raise NotALineError(f"{one_line(f'{where}.{key}', 80)!r} is {shown_value(values[key])}")
