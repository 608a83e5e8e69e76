"""Dataset rows from Arrow tables (Parquet files, Hugging Face datasets): columns become row keys, values become JSON.

A null cell means that the row lacks the key, like an empty cell of a CSV file. A null inside a struct or a list stays
null, because the file cannot express that a field is absent there. Dates and times become ISO 8601 text, and maps
become objects. Half and single precision floats become the number that was written: 0.1, not 0.10000000149011612. A
type without an unambiguous JSON form (bytes, decimals, durations, extension types) is an error of its column; NaN is an
error of its row.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.rows import ROW_KEYS, unknown_key

__all__ = ["BATCH", "arrow_rows", "check_columns"]

BATCH = 256
"""Number of rows held in memory at once."""
_PLAIN = ("null", "boolean", "integer", "floating", "string", "large_string", "string_view")
_Reading = Callable[[Any], Any]
_TIMES = ("date", "time", "timestamp")
_LISTS = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def check_columns(schema: "pa.Schema", shown: str) -> None:
    """Check that every column is a row key, occurs only once, and has a type that JSON can express.

    Raises:
        DatasetError: naming the column and what to do.
    """
    names = list(schema.names)
    if not set(names) <= set(ROW_KEYS):
        raise DatasetError(unknown_key(names, shown))
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise DatasetError(f"{shown}: column {doubled[0]!r} appears twice")
    if "input" not in names:
        raise DatasetError(f"{shown}: column 'input' is missing; found {', '.join(names) or 'no column'}")
    for field in schema:
        for path, found in _refused(field.type, field.name):
            raise DatasetError(
                f"{shown}: column {path!r} holds {one_line(str(found), 60)}, which JSON cannot hold;"
                " write it as text or as a number, or leave it out"
            )


def arrow_rows(batches: Iterable["pa.RecordBatch | pa.Table"], shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows, numbered from 1. A row that cannot be read comes as the DatasetError that says why."""
    number = 1
    for batch in batches:
        for row in _rows(batch, number, shown):
            yield number, row
            number += 1


def _rows(batch: Any, first: int, shown: str) -> Iterator[Any]:
    """Yield the rows of one batch; if the batch cannot be converted as a whole, convert row by row."""
    try:
        rows = batch.to_pylist(maps_as_pydicts="strict")
    except (ValueError, KeyError, OverflowError) as error:
        if batch.num_rows == 1:
            yield DatasetError(f"{shown}:{first}: cannot be read: {one_line(str(error))}")
            return
        for index in range(batch.num_rows):
            yield from _rows(batch.slice(index, 1), first + index, shown)
    else:
        readings = {field.name: _reading(field.type) for field in batch.schema}
        for number, cells in enumerate(rows, first):
            yield _row(cells, readings, f"{shown}:{number}")


def _row(cells: dict[str, Any], readings: Mapping[str, _Reading], where: str) -> dict[str, Any] | DatasetError:
    row = {}
    for key, value in cells.items():
        try:
            if value is not None:
                row[key] = readings[key](value)
        except _NotFiniteError as error:
            return DatasetError(f"{where}: {key} holds {error}, which JSON cannot hold; write null")
    return row


class _NotFiniteError(Exception):
    """Raised for a NaN or infinite float, which JSON cannot express."""


def _reading(found: "pa.DataType") -> _Reading:
    """Return the function that converts a value (never None) of an Arrow type into a JSON value."""
    if _is(found, ("dictionary",)):
        return _reading(found.value_type)
    if _is(found, ("struct",)):
        fields = {field.name: _reading(field.type) for field in found}
        return lambda value: {key: _inner(fields[key], inner) for key, inner in value.items()}
    if _is(found, ("map",)):
        items = _reading(found.item_type)
        return lambda value: {key: _inner(items, inner) for key, inner in value.items()}
    if _is(found, _LISTS):
        if _is(found.value_type, ("float32",)):
            return _singles
        each = _reading(found.value_type)
        return lambda value: [_inner(each, inner) for inner in value]
    if _is(found, ("float32",)):
        return lambda value: _singles([value])[0]
    if _is(found, ("floating",)):
        return _half if _is(found, ("float16",)) else _finite
    return (lambda value: value.isoformat()) if _is(found, _TIMES) else (lambda value: value)


def _inner(reading: _Reading, value: Any) -> Any:
    return None if value is None else reading(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise _NotFiniteError(number)
    return number


def _singles(values: list[Any]) -> list[Any]:
    """Return single precision floats with the fewest digits that identify them; Arrow formats the list at once."""
    written = pa.array(values, pa.float32()).cast(pa.string()).cast(pa.float64())
    return [_inner(_finite, number) for number in written.to_pylist()]


def _half(value: Any) -> float:
    """Return a half precision float with the fewest digits that identify it. Arrow would write more."""
    packed = struct.pack("<e", number := _finite(value))
    return next(short for digits in range(1, 18) if _packed(short := float(f"{number:.{digits}g}")) == packed)


def _packed(value: float) -> bytes | None:
    """Return the bytes of a number as a half precision float; None if it is too large for one."""
    try:
        return struct.pack("<e", value)
    except OverflowError:
        return None


def _refused(found: "pa.DataType", path: str) -> Iterator[tuple[str, "pa.DataType"]]:
    """Yield each part of a type that JSON cannot express, with its path."""
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
