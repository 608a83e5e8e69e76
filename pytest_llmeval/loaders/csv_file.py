"""CSV datasets with a header, read as a stream.

A column is a row key, or one field of an object: ``input.NAME``, ``target.NAME``, ``metadata.NAME``. Every cell is
text. ``slice`` and ``marks`` may contain several names separated by ``;``. An empty cell means that the row lacks the
key.
"""

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import and_more, counted, shown_value
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.rows import ROW_KEYS, to_sample, unknown_key
from pytest_llmeval.loaders.source import RowRef, checksum, readable, reread

__all__ = ["CsvFile", "uneven"]

_BOM = b"\xef\xbb\xbf"
_LONGEST_CELL = 2**31 - 1
"""Largest number of characters in a cell: the most that ``csv`` accepts on every platform."""
_LIFTED = threading.Lock()
"""Held while the limit of ``csv`` is raised. The limit is global, and each thread must restore the value that it
found."""
_SEVERAL = ("slice", "marks")
_NESTED = ("input", "target", "metadata")
_KNOWN = frozenset(ROW_KEYS)
_OTHER_SIGNS = (";", "\t", "|")
"""Separators that spreadsheets write instead of commas."""


class CsvFile:
    """The rows of a CSV file."""

    unit = "line"

    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.shown = shown
        self._header: list[str] = []
        self._header_line = 1

    def rows(self) -> Iterator[tuple[RowRef, Sample | DatasetError]]:
        """Yield the row of each record; a record may span several lines."""
        with readable(self.shown), open(self.path, "rb") as file:
            records = _records(file, self.shown)
            ref, raw = next(records, (RowRef(0, 0, 1, 0), b""))
            self._header, self._header_line = self._checked(raw, f"{self.shown}:{ref.line}"), ref.line
            is_empty = True
            for ref, raw in records:
                is_empty = False
                try:
                    yield ref, self._sample(raw, ref)
                except DatasetError as error:
                    yield ref, error
            if is_empty:
                message = f"line {self._header_line} names the columns, and no row follows"
                raise DatasetError(f"{self.shown}: empty dataset; {message}")

    def read(self, ref: RowRef) -> Sample:
        """Return the row of one record, reading it from the file again."""
        return self._sample(reread(self.path, self.shown, ref), ref)

    def _checked(self, raw: bytes, where: str) -> list[str]:
        header = _cells(raw.removeprefix(_BOM), where) if raw else []
        if not header:
            raise DatasetError(f"{where}: no header; the first line names the columns, such as id,input,target")
        if header[0].startswith("sep="):
            line = raw.removeprefix(_BOM).decode().strip()
            raise DatasetError(f"{where}: {line!r} is a line only for Excel; delete it")
        sign = next((sign for sign in _OTHER_SIGNS if len(header) == 1 and sign in header[0]), None)
        if sign is not None:
            raise DatasetError(f"{where}: the columns are separated by {sign!r}; save the file with commas")
        doubled = {name for name in header if name and header.count(name) > 1}
        if doubled:
            raise DatasetError(f"{where}: column {sorted(doubled)[0]!r} appears twice")
        for key in _NESTED:
            part = next((name for name in header if name.startswith(f"{key}.")), None)
            if key in header and part is not None:
                raise DatasetError(f"{where}: columns {key!r} and {part!r} exclude each other; keep one of them")
        return header

    def _sample(self, raw: bytes, ref: RowRef) -> Sample:
        where = f"{self.shown}:{ref.line}"
        cells = _cells(raw, where)
        if len(cells) != len(self._header):
            raise DatasetError(f"{where}: {uneven(len(cells), len(self._header))}")
        row = _row(self._header, cells)
        if not row:
            raise DatasetError(f"{where}: a row without values; delete it")
        if not row.keys() <= _KNOWN:
            raise DatasetError(self._unknown(row, cells))
        return to_sample(row, where)

    def _unknown(self, row: dict[str, Any], cells: list[str]) -> str:
        """Return what is wrong with the first unknown column, and the names of further unknown ones."""
        where = f"{self.shown}:{self._header_line}"
        if "" in row:
            place = next(at for at, name in enumerate(self._header) if not name and cells[at])
            return f"{where}: column {place + 1} has no name; name it, or delete it (pandas: to_csv(path, index=False))"
        told = unknown_key(row, where, nested=_NESTED)
        others = [shown_value(name) for name in row if name not in _KNOWN][1:]
        return f"{told} (unknown, too: {and_more(others, 5)})" if others else told


def uneven(cells: int, columns: int) -> str:
    """Return what is wrong with a record whose number of cells differs from that of the columns, and the fix."""
    fix = "quote cells with commas" if cells > columns else "a cell is missing, or one with a line break has no quotes"
    return f"{counted(cells, 'cell')} under {counted(columns, 'column')}; {fix}"


def _row(header: list[str], cells: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=True):
        if cell == "":
            continue
        key, _, field = column.partition(".")
        if field and key in _NESTED:
            row.setdefault(key, {})[field] = cell
        elif column in _SEVERAL:
            row[column] = [name.strip() for name in cell.split(";") if name.strip()]
        else:
            row[column] = cell
    return row


def _cells(raw: bytes, where: str) -> list[str]:
    try:
        return _next(csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), strict=True)) or []
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: {_not_utf8(error)}") from None
    except csv.Error as error:
        raise DatasetError(f"{where}: not valid CSV: {error}") from None


def _next(reader: "Iterator[list[str]]") -> list[str] | None:
    """Return the next record, however long its cells: raises the process-wide limit of ``csv`` only for the call."""
    with _LIFTED:
        before = csv.field_size_limit(_LONGEST_CELL)
        try:
            return next(reader, None)
        finally:
            csv.field_size_limit(before)


def _records(file: BinaryIO, shown: str) -> Iterator[tuple[RowRef, bytes]]:
    """Yield the raw bytes of each record that is not blank, with its position."""
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for raw in file:
            taken.append(raw)
            yield raw.decode("utf-8", "replace")

    position, line = 0, 1
    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            cells = _next(reader)
        except csv.Error as error:
            raise DatasetError(f"{shown}:{line}: {_unreadable(b''.join(taken), error)}") from None
        if cells is None:
            return
        raw = b"".join(taken)
        if cells:
            yield RowRef(position, len(raw), line, checksum(raw)), raw
        position, line = position + len(raw), line + len(taken)
        taken.clear()


def _unreadable(raw: bytes, error: csv.Error) -> str:
    """Return why a record cannot be read, in place of csv's own words on a wrong encoding or a stray CR."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as found:
        return _not_utf8(found)
    if str(error).startswith("new-line character"):
        return "a CR that ends no line; end lines with LF or CRLF, and quote cells that hold a CR"
    return f"not valid CSV: {error}"


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
