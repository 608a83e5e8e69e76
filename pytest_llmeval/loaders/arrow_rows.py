"""Tables of Arrow, from Parquet files and Hugging Face datasets: columns become row keys, values what JSON can hold.

A null cell is an absent key, as an empty cell of a CSV file is; a null inside a struct or a list stays null, as the
file cannot say that a field is absent there. Dates and times become ISO 8601 text, maps become objects. What has no
one meaning in JSON (bytes, decimals, durations, extension types) is an error of its column; NaN, one of its row.
"""

import datetime
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.rows import ROW_KEYS, unknown_key

__all__ = ["BATCH", "arrow_rows", "check_columns"]

BATCH = 256
"""Rows that are in memory at once."""
_PLAIN = ("null", "boolean", "integer", "floating", "string", "large_string", "string_view")
_TIMES = ("date", "time", "timestamp")
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def check_columns(schema: "pa.Schema", shown: str) -> None:
    """Check that the columns are row keys, each once, of types that JSON can hold.

    Raises:
        DatasetError: naming the column and what to do.
    """
    names = list(schema.names)
    if not set(names) <= set(ROW_KEYS):
        raise DatasetError(unknown_key(names, shown))
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise DatasetError(f"{shown}: column {doubled[0]!r} stands twice")
    if "input" not in names:
        raise DatasetError(f"{shown}: column 'input' is missing; found {', '.join(names) or 'no column'}")
    for field in schema:
        for path, found in _refused(field.type, field.name):
            raise DatasetError(
                f"{shown}: column {path!r} holds {one_line(str(found), 60)}, which JSON cannot hold;"
                " write it as text or as a number, or leave it out"
            )


def arrow_rows(batches: Iterable["pa.RecordBatch | pa.Table"], shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows with their numbers, from 1; an error in the place of a row that cannot be read."""
    number = 1
    for batch in batches:
        for row in _rows(batch, number, shown):
            yield number, row
            number += 1


def _rows(batch: Any, first: int, shown: str) -> Iterator[Any]:
    """Yield the rows of one batch; read them one by one where they cannot be read together."""
    try:
        rows = batch.to_pylist(maps_as_pydicts="strict")
    except (ValueError, KeyError, OverflowError) as error:
        if batch.num_rows == 1:
            yield DatasetError(f"{shown}:{first}: cannot be read: {one_line(str(error))}")
            return
        for index in range(batch.num_rows):
            yield from _rows(batch.slice(index, 1), first + index, shown)
    else:
        for number, cells in enumerate(rows, first):
            yield _row(cells, f"{shown}:{number}")


def _row(cells: dict[str, Any], where: str) -> dict[str, Any] | DatasetError:
    row = {}
    for key, value in cells.items():
        try:
            if value is not None:
                row[key] = _plain(value)
        except _NotFiniteError as error:
            return DatasetError(f"{where}: {key} holds {error}, which JSON cannot hold; write null")
    return row


class _NotFiniteError(Exception):
    """A float that JSON cannot hold."""


def _plain(value: Any) -> Any:
    """Return a value with its dates and times as text."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotFiniteError(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def _refused(found: "pa.DataType", path: str) -> Iterator[tuple[str, "pa.DataType"]]:
    """Yield each part of a type that JSON cannot hold, with its path."""
    if _is(found, _PLAIN) or _is(found, _TIMES):
        return
    if _is(found, ("struct",)):
        for index in range(found.num_fields):
            yield from _refused(found.field(index).type, f"{path}.{found.field(index).name}")
    elif _is(found, _LISTS) or _is(found, ("dictionary",)):
        yield from _refused(found.value_type, path)
    elif _is(found, ("map",)) and _is(found.key_type, ("string", "large_string")):
        yield from _refused(found.item_type, path)
    else:
        yield path, found


def _is(found: "pa.DataType", kinds: tuple[str, ...]) -> bool:
    return any(getattr(pa.types, f"is_{kind}")(found) for kind in kinds)
