"""Datasets held in memory: JSON and YAML files, lists, and the result of a callable."""

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.strict_json import NotJsonError, parse, parse_at
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.rows import check_same_id, to_sample
from pytest_llmeval.loaders.source import RowRef, checksum, readable

__all__ = ["MemoryRows", "called_rows", "json_rows", "yaml_rows"]

_BLANK = " \t\r\n"
_EMPTY = "empty dataset; it needs at least one row with the key 'input'"


class MemoryRows:
    """A dataset that keeps each row as compact JSON text, so that no test can change the sample of another."""

    def __init__(self, shown: str, numbered: Iterable[tuple[int, Any]], *, by_code: bool = False) -> None:
        """Prepare to read rows from ``numbered``.

        Args:
            shown: the name of the dataset in messages.
            numbered: pairs of line or row number, from 1, and row; a row that cannot be read comes as its DatasetError.
            by_code: whether code produces the rows, and does so anew in each process.
        """
        self.shown = shown
        self.unit = "row" if by_code else "line"
        self._numbered = numbered
        self._by_code = by_code
        self._texts: list[bytes] = []

    def rows(self) -> Iterator[tuple[RowRef, Sample | DatasetError]]:
        """Yield each row. ``RowRef.line`` is its line in a file, or its number in a list."""
        for number, row in self._numbered:
            where = f"{self.shown}:{number}"
            try:
                raw = _as_json(row, where)
                kept = json.loads(raw)
                sample = to_sample(kept, where)
                if self._by_code:
                    check_same_id(kept, where)
            except DatasetError as error:
                yield RowRef(-1, 0, number, 0), error
            else:
                yield RowRef(self._keep(raw), len(raw), number, self._checksum(raw)), sample

    def read(self, ref: RowRef) -> Sample:
        """Return a fresh copy of a row."""
        return to_sample(json.loads(self._kept(ref)), f"{self.shown}:{ref.line}")

    def _keep(self, raw: bytes) -> int:
        """Keep a row; return its ``position``."""
        self._texts.append(raw)
        return len(self._texts) - 1

    def _kept(self, ref: RowRef) -> bytes:
        return self._texts[ref.position]

    def _checksum(self, raw: bytes) -> int:
        return checksum(raw)


def called_rows(function: Callable[[], Iterable[Any]], shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the numbered rows that ``function()`` returns; raise DatasetError with any exception that it raises."""
    name = getattr(function, "__qualname__", repr(function))
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DatasetError(f"{shown}: {name}() is async; pass a function that returns the rows (by asyncio.run, say)")
    try:
        yield from enumerate(function(), 1)
    except (Exception, SystemExit) as error:
        raise DatasetError(f"{shown}: {name}() raised {type(error).__name__}: {one_line(str(error))}") from error


def json_rows(path: Path, shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a JSON file, an array of rows, each with the line on which it begins."""
    try:
        with readable(shown):
            text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{shown}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    index, line, behind = 0, 1, 0
    try:
        if not text.lstrip(_BLANK).startswith("["):
            parse(text)
            raise DatasetError(f"{shown}:1: a JSON dataset is an array of rows; one object a line is .jsonl")
        index = text.index("[") + 1
        while True:
            index = _skip(text, index)
            if text[index : index + 1] == "]":
                break
            line, behind = line + text.count("\n", behind, index), index
            row, index = parse_at(text, index)
            yield line, row
            index = _skip(text, index)
            if text[index : index + 1] == ",":
                if text.startswith("]", _skip(text, index + 1)):
                    raise NotJsonError("no row after the last ','")
                index += 1
            elif text[index : index + 1] != "]":
                raise NotJsonError("expected ',' or ']' after a row")
        parse("[]" + text[index + 1 :])
    except NotJsonError as error:
        raise DatasetError(f"{shown}:{line + text.count(chr(10), behind, index)}: not valid JSON: {error}") from None


def yaml_rows(path: Path, shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a YAML file, a list of rows, each with its line."""
    # Imported here because PyYAML takes as long to import as 3,000 rows of JSONL to collect.
    from pytest_llmeval.loaders.strict_yaml import Limits, load_strict

    limits = Limits(max_bytes=64 << 20, max_values=20_000_000)
    document = load_strict(path, error=DatasetError, shown_as=shown, limits=limits, if_empty=_EMPTY)
    if not isinstance(document.data, list):
        raise DatasetError(f"{shown}: a YAML dataset is a list of rows, found {type(document.data).__name__}")
    for index, row in enumerate(document.data):
        yield document.line_of((index,)) or 0, row


def _skip(text: str, index: int) -> int:
    while index < len(text) and text[index] in _BLANK:
        index += 1
    return index


def _as_json(row: Any, where: str) -> bytes:
    if isinstance(row, DatasetError):
        raise row
    try:
        text = json.dumps(row, ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: a row holds what JSON can hold; {one_line(str(error))}") from None
    for key in _keys(row):
        if not isinstance(key, str):
            raise DatasetError(f"{where}: a row holds what JSON can hold; the key {shown_value(key)} is not a string")
    return text.encode("ascii")


def _keys(row: Any) -> Iterator[Any]:
    """Yield all keys inside the values of a row; ``json.dumps`` turns numbers into texts, and two keys into one."""
    left = [*row.values()] if isinstance(row, dict) else []
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from value
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
