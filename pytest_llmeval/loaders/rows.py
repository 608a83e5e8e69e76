"""Validation of dataset rows: each becomes a Sample, or a DatasetError that says what is wrong.

The checks are written by hand rather than with pydantic. Every row of every selected dataset passes here at collection,
where 10,000 rows may take 1.3 times as long as bare items; importing pydantic and calling it once per row would take
longer than that.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any, get_args

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.ids import content_id, memory_address
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import is_storable, one_line, shown_value
from pytest_llmeval.core.types import Role, Sample

__all__ = ["ROW_KEYS", "check_same_id", "doubled_id", "to_sample", "unknown_key"]

ROW_KEYS = ("id", "input", "target", "slice", "marks", "metadata")
_KNOWN = frozenset(ROW_KEYS)
_ROLES = frozenset(get_args(Role))
_MARK = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_NOT_ON_A_ROW = frozenset({"parametrize", "usefixtures", "skipif", "filterwarnings", "llmeval", "timeout", "anyio"})
"""Marks that cannot be set on a row: they need an argument, which no row can give, or are read before rows exist."""
_GROUPS = frozenset({"tag", "tags", "label", "labels", "group", "groups", "category", "categories"})
"""Keys that other tools use for groups of rows. Some resemble a row key of another meaning (``tags``)."""
_TARGETS = ("answer", "expected", "expected_output", "ideal", "output", "reference")
"""Names that other tools have for the target."""
_OF_GROUPS = "groups of a row are its slice, marks of pytest its marks, and anything else goes into metadata"
_NOTHING: dict[str, Any] = {}
_NO_ADDRESS = {"input": "leave the address out", "target": "give it an 'id', or leave the address out"}
"""Advice for a memory address in a row, by key. An input with one is a different question in each process."""
_STORABLE = "without NUL and lone surrogates, which the database cannot keep"


def to_sample(row: object, where: str) -> Sample:
    """Return the sample that ``row`` describes.

    Args:
        row: the row as read: a mapping with the keys in ROW_KEYS, of which only ``input`` is required.
        where: file and line, for messages.

    Raises:
        DatasetError: naming ``where``, the key, what was found and what to do.
    """
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: a row must be an object with the key 'input', found {shown_value(row)}")
    if not row.keys() <= _KNOWN:
        raise DatasetError(unknown_key(row, where))
    if "input" not in row:
        found = ", ".join(map(shown_value, row)) or "no key at all"
        raise DatasetError(f"{where}: key 'input' is missing; found {found}")
    input_, target, metadata = row["input"], row.get("target"), row.get("metadata", _NOTHING)
    if not isinstance(input_, str | dict) and not _is_chat(input_):
        raise _wrong(where, row, "input", "a string, an object, or a list of chat messages with role and content")
    if not isinstance(metadata, dict):
        raise _wrong(where, row, "metadata", "an object")
    marks = _marks(row, where) if "marks" in row else ()
    return Sample(
        id=_id(row, where) if "id" in row else content_id(input_, target),
        input=input_,
        target=target,
        slices=_slices(row, marks, where),
        marks=marks,
        metadata=metadata,
    )


def _id(row: dict[str, Any], where: str) -> str:
    own = row["id"]
    if not isinstance(own, str) or not own:
        raise _wrong(where, row, "id", "a non-empty string")
    if not is_storable(own):
        raise _wrong(where, row, "id", _STORABLE)
    return own


def _slices(row: dict[str, Any], marks: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the row's slices, which include its marks, without duplicates."""
    given = row.get("slice", ())
    named = (given,) if isinstance(given, str) and given else given
    if named is given and not given == () and not (_is_texts(given) and all(given)):
        raise _wrong(where, row, "slice", "a string or a list of strings, none of them empty")
    if not all(map(is_storable, named)):
        raise _wrong(where, row, "slice", _STORABLE)
    return tuple(dict.fromkeys([*named, *marks])) if len(named) + len(marks) > 1 else (*named, *marks)


def _marks(row: dict[str, Any], where: str) -> tuple[str, ...]:
    given = row["marks"]
    if not _is_texts(given):
        raise _wrong(where, row, "marks", "a list of strings")
    for mark in given:
        if not _MARK.match(mark):
            raise DatasetError(
                f"{where}: marks: {shown_value(mark)} cannot be a pytest mark; use letters, digits and _"
            )
        if mark in _NOT_ON_A_ROW:
            raise DatasetError(f"{where}: marks: {mark!r} cannot be used on a row; put it on the test function")
    return tuple(dict.fromkeys(given))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_chat(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_message(value: object) -> bool:
    if not isinstance(value, dict) or "content" not in value:
        return False
    role, content = value.get("role"), value["content"]
    if not isinstance(role, str) or role not in _ROLES:
        return False
    is_parts = isinstance(content, list) and all(isinstance(part, dict) for part in content)
    return content is None or isinstance(content, str) or is_parts


def doubled_id(sample: Sample, *, unit: str, line: int) -> str:
    """Return the message for a row whose id an earlier row already has.

    Args:
        sample: the later row.
        unit: the unit in which the dataset counts rows, such as ``line``.
        line: the line or number of the earlier row.
    """
    id_, used = one_line(repr(sample.id)), f"is already used in {unit} {line}"
    if sample.id == content_id(sample.input, sample.target):
        return f"id {id_}, made of input and target, {used}; delete one of the two rows, or give each an 'id'"
    return f"id {id_} {used}; ids must be unique"


def check_same_id(row: dict[str, Any], where: str) -> None:
    """Raise DatasetError if a row made by code would get a different id in each process."""
    for key in ("input", "target") if "id" not in row else ():
        address = memory_address(str(row.get(key)))
        if address is not None:
            raise DatasetError(
                f"{where}: {key} says where an object lies in memory, found {address!r}, and the row has no id of its"
                f" own that would be the same in every process; {_NO_ADDRESS[key]}"
            )


def unknown_key(row: Iterable[Any], where: str, *, nested: Collection[str] = ()) -> str:
    """Return the message for the first key of ``row`` that is not a row key; there must be one.

    Args:
        row: the keys, alone or with their values.
        where: file and line, for messages.
        nested: keys that may be followed by a dot and the name of a field.
    """
    key = next(key for key in row if key not in _KNOWN)
    name, dot, field = str(key).partition(".")
    meant = closest(name, ROW_KEYS) or ("target" if name in _TARGETS and "target" not in row else None)
    if meant in nested and dot and not field:
        return f"{where}: unknown key {shown_value(key)}; put the name of a field behind the dot of '{meant}.'"
    meant = f"{meant}{dot}{field}" if meant in nested else meant
    hint = f"a row has the keys {', '.join(ROW_KEYS)}" if meant is None else f"did you mean {one_line(meant, 60)!r}?"
    hint = _OF_GROUPS if key in _GROUPS else hint
    if meant is None and nested and key:
        hint += f"; rename it, or put {' or '.join(f'{each}.' for each in nested)} before it"
    elif meant is None:
        hint += "; anything else goes into input (an object) or metadata"
    return f"{where}: unknown key {shown_value(key)}; {hint}"


def _wrong(where: str, row: dict[str, Any], key: str, expected: str) -> DatasetError:
    fix = "; leave the key out where there is none" if row[key] is None and key != "input" else ""
    return DatasetError(f"{where}: {key} must be {expected}, found {shown_value(row[key])}{fix}")
