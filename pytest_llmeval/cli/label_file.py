"""Reading of label files (CSV or JSONL), strictly: what people say of judged answers.

A row is either one label (``name`` with ``value`` or ``level``), or one answer with a column ``label_NAME`` for each
score, as ``llmeval labels export`` writes it. A dataset row has its labels in ``metadata.labels``, by score.
"""

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.judge.given import LabelRow
from pytest_llmeval.core.judge.label_sample import RANDOM, verdict_of
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.strict_json import NotJsonError, parse
from pytest_llmeval.core.text import first_lines, shown_value
from pytest_llmeval.loaders.csv_file import uneven
from pytest_llmeval.reports.formulas import unguarded

__all__ = ["LABEL", "SHOWN", "read_labels"]

LABEL = "label_"
"""Prefix of the columns for labels; the name of the score follows."""
SHOWN = ("question", "answer", "reference", "levels")
"""Columns for people to read, which are not read back."""
_ABOUT = ("sample_id", "suite", "model", "epoch", "rater", "note", "at", "draw", "answer_digest")
_READ = ("epoch", "at")
"""The columns that are not text."""
_IS_OF_DATASET = "is_of_dataset"
_LONG = ("name", "value", "level")
_LARGEST_CELL = 2**27
"""Largest number of characters in a cell; csv's default, 131,072, is too few for long answers."""
_Records = Iterator[tuple[str, Callable[[], Mapping[str, Any]]]]


def read_labels(path: Path, shown: str) -> list[LabelRow]:
    """Return the labels of a file, in its order; empty cells are skipped.

    Args:
        path: a file that ends in .csv or .jsonl.
        shown: the path in messages.

    Raises:
        DatasetError: the file cannot be read or has no label, or a line is invalid; up to 20 invalid lines are named.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{shown}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{shown}: byte {error.start + 1} is not UTF-8; save it as UTF-8") from None
    rows = _RECORDS.get(path.suffix.lower())
    if rows is None:
        raise DatasetError(f"{shown}: labels are read from files ending in .csv or .jsonl")
    found: list[LabelRow] = []
    wrong: list[str] = []
    for where, row in rows(text, shown):
        try:
            found += _labels(row(), where)
        except DatasetError as error:
            wrong.append(str(error))
    if wrong:
        raise DatasetError(first_lines(wrong, word="wrong lines"))
    if not found:
        raise DatasetError(f"{shown}: no label in it; fill in a column {LABEL}NAME, or name with value or level")
    return found


def _csv(text: str, shown: str) -> _Records:
    """Yield the place of each record and a function that parses it; semicolons may separate the cells, too."""
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    csv.field_size_limit(_LARGEST_CELL)  # answers may be long
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for record in reader:
            where, line = f"{shown}:{line}", reader.line_num + 1
            if not any(record):
                continue
            if not header:
                header = _header(record, where)
            else:
                yield where, partial(_cells, header, record, where)
    except csv.Error as error:
        raise DatasetError(f"{shown}:{line}: not valid CSV: {error}") from None


def _cells(header: Sequence[str], record: Sequence[str], where: str) -> Mapping[str, Any]:
    """Return the non-empty cells of a record, by column."""
    if len(record) != len(header):
        raise DatasetError(f"{where}: {uneven(len(record), len(header))}")
    cells = {column: unguarded(text) for column, text in zip(header, record, strict=True)}
    return {column: text for column, text in cells.items() if text.strip()}


def _header(columns: Sequence[str], where: str) -> list[str]:
    names = [name.strip() for name in columns]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise DatasetError(f"{where}: column {shown_value(doubled)} appears twice")
    _check_keys(names, where)
    if "sample_id" not in names:
        raise DatasetError(f"{where}: no column sample_id; the first line names the columns")
    return names


def _jsonl(text: str, shown: str) -> _Records:
    """Yield the place of each line and a function that parses it."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{shown}:{number}"
            yield where, partial(_object, line, where)


def _object(line: str, where: str) -> Mapping[str, Any]:
    """Return the object of a line, without empty values."""
    try:
        row = parse(line)
    except NotJsonError as error:
        raise DatasetError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(row, dict):
        raise DatasetError(
            f'{where}: a line must be an object, such as {{"sample_id": ..., "name": ..., "level": ...}}'
        )
    if "input" in row:
        row = _of_dataset(row, where)
    else:
        _check_keys(row, where)
    return {key: value for key, value in row.items() if value is not None and value != ""}


def _of_dataset(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a dataset row as a row of labels."""
    metadata = row.get("metadata")
    labels = metadata.get("labels", {}) if isinstance(metadata, dict) else {}
    if not isinstance(labels, dict):
        raise DatasetError(f"{where}: metadata.labels is an object, a label by score; found {shown_value(labels)}")
    if labels and "id" not in row:
        raise DatasetError(f"{where}: the row has labels and no id, by which they would be found; give it one")
    return {"sample_id": row.get("id"), _IS_OF_DATASET: True, **{f"{LABEL}{name}": labels[name] for name in labels}}


_RECORDS = {".csv": _csv, ".jsonl": _jsonl}


def _check_keys(keys: Any, where: str) -> None:
    known = (*_ABOUT, *_LONG, *SHOWN)
    for key in keys:
        if key not in known and not (key.startswith(LABEL) and len(key) > len(LABEL)):
            hint = did_you_mean(key, (*known, f"{LABEL}NAME"))
            raise DatasetError(f"{where}: unknown column {shown_value(key)}; {hint}")


def _labels(row: Mapping[str, Any], where: str) -> Iterator[LabelRow]:
    """Yield the labels of one row."""
    given = {key.removeprefix(LABEL): value for key, value in row.items() if key.startswith(LABEL)}
    given |= _long(row, where)
    if not given:
        return
    about: dict[str, Any] = {key: _text(row, key, where) for key in _ABOUT if key in row and key not in _READ}
    about["rater"] = about.get("rater", "").strip()  # spreadsheets leave blanks around names
    if "sample_id" not in about:
        raise DatasetError(f"{where}: sample_id is missing")
    about |= {"epoch": _epoch(row, where), "at": _at(row, where), "is_of_dataset": _IS_OF_DATASET in row}
    try:
        verdict_of(about.get("draw", RANDOM))
    except ValueError as error:
        raise DatasetError(f"{where}: draw: {error}, found {shown_value(about['draw'])}") from None
    for name, value in given.items():
        yield LabelRow(where=where, name=name, given=_given(value, name, where), **about)


def _long(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the label of a row that names its score; empty if it names none."""
    there = [key for key in _LONG if key in row]
    if not there:
        return {}
    if there == ["name"]:
        return {}  # a row that was not filled in
    if len(there) != 2 or there[0] != "name":
        raise DatasetError(f"{where}: a label is a name with a value or a level, found {' and '.join(there)}")
    return {_text(row, "name", where): row[there[1]]}


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise DatasetError(f"{where}: {key} must be a string, found {shown_value(value)}")
    return value


def _given(value: Any, name: str, where: str) -> str | float:
    """Return a label: a number as a float, other text stripped."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DatasetError(f"{where}: {name}: a label is a number or a level's name, found {shown_value(value)}")
    try:
        return float(value)
    except OverflowError:
        raise DatasetError(f"{where}: {name}: a label is a number from 0 to 1, found {shown_value(value)}") from None


def _at(row: Mapping[str, Any], where: str) -> datetime | None:
    """Return the time of a label; a date without a time counts as its end, to be later than earlier labels.

    Up to a day in the future is allowed, as a day begins earlier in some places than in UTC.
    """
    value = row.get("at")
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    now = utc()
    try:
        told = datetime.fromisoformat(text)
        at = (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or at > now + timedelta(days=1):
        problem = "a label is dated like 2026-01-31, at the latest today"
        raise DatasetError(f"{where}: at: {problem}, found {shown_value(value)}")
    with contextlib.suppress(ValueError):  # it has a time
        at = min(datetime.combine(date.fromisoformat(text), time.max, UTC), now)
    return at


def _epoch(row: Mapping[str, Any], where: str) -> int | None:
    value = row.get("epoch")
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or not text.isascii() or not 0 < len(text) < 10:
        raise DatasetError(f"{where}: epoch is a whole number from 1, found {shown_value(value)}")
    return int(text)
