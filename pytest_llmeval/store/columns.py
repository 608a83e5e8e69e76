"""Conversion between a dataclass and a row whose columns have the names of its fields."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

__all__ = ["columns_of", "record_of"]

T = TypeVar("T")


def columns_of(record: Any, /, *but: str, **others: object) -> dict[str, Any]:
    """Return the fields of a record except ``but``, with ``others`` replacing or added."""
    return {**{name: getattr(record, name) for name in _names(type(record), *but, *others)}, **others}


def record_of(kind: type[T], row: Mapping[str, Any], /, **others: Any) -> T:
    """Return the record of a row: fields come from the columns of the same name, or from ``others``."""
    return kind(**{name: row[name] for name in _names(kind, *others)}, **others)


def _fields_of(kind: Any, *but: str) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name not in but)


_names: Callable[..., tuple[str, ...]] = functools.cache(_fields_of)
"""The field names, cached because they are the same for all rows of a table."""
