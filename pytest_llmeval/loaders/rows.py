"""One dataset row, checked: what a file or a caller gave becomes a Sample, or an error that says what is wrong."""

import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.ids import content_id
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Sample

__all__ = ["ROW_KEYS", "to_sample"]

ROW_KEYS = ("id", "input", "target", "slice", "marks", "metadata")
_MARK = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
# These pytest marks need arguments, or say nothing about one row; llmeval makes the row.
_NOT_ON_A_ROW = frozenset({"parametrize", "usefixtures", "skipif", "filterwarnings", "llmeval"})


class _ChatMessage(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str | list[dict[str, Any]] | None


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: Annotated[str, Field(min_length=1)] = ""
    input: str | dict[str, Any] | list[_ChatMessage]
    target: Any = None
    slice: str | list[str] = []
    marks: list[str] = []
    metadata: dict[str, Any] = {}


_EXPECTED = {
    "id": "a string that is not empty",
    "input": "a string, an object, or a list of chat messages with role and content",
    "slice": "a string or a list of strings",
    "marks": "a list of strings",
    "metadata": "an object",
}


def to_sample(row: object, where: str) -> Sample:
    """Return the sample that ``row`` describes.

    Args:
        row: what was read; a mapping with the keys of ROW_KEYS, of which only ``input`` is required.
        where: file and line, as a message shows them.

    Raises:
        DatasetError: naming ``where``, the key, what was found and what to do.
    """
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: a row is an object with the key 'input', found {_shown(row)}")
    try:
        checked = _Row.model_validate(row)
    except ValidationError as error:
        raise DatasetError(_explain(error, row, where)) from None
    marks = tuple(dict.fromkeys(checked.marks))
    for mark in marks:
        _check_mark(mark, where)
    slices = [checked.slice] if isinstance(checked.slice, str) else checked.slice
    return Sample(
        id=checked.id or content_id(row["input"], checked.target),
        input=row["input"],
        target=checked.target,
        slices=tuple(dict.fromkeys([*slices, *marks])),
        marks=marks,
        metadata=checked.metadata,
    )


def _check_mark(mark: str, where: str) -> None:
    if not _MARK.match(mark):
        raise DatasetError(f"{where}: marks: {mark!r} cannot be a pytest mark; use letters, digits and _")
    if mark in _NOT_ON_A_ROW:
        raise DatasetError(f"{where}: marks: {mark!r} cannot stand on a row; put it on the test function")


def _explain(error: ValidationError, row: dict[Any, Any], where: str) -> str:
    first = error.errors(include_url=False)[0]
    key = first["loc"][0] if first["loc"] else ""
    if first["type"] == "extra_forbidden" or key not in ROW_KEYS:
        close = difflib.get_close_matches(str(key), ROW_KEYS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"a row has the keys {', '.join(ROW_KEYS)}"
        return f"{where}: unknown key {_shown(key)}; {hint}"
    if first["type"] == "missing":
        found = ", ".join(_shown(name) for name in row) or "no key at all"
        return f"{where}: key 'input' is missing; found {found}"
    return f"{where}: {key} must be {_EXPECTED[str(key)]}, found {_shown(row.get(key))}"


def _shown(value: object) -> str:
    return one_line(repr(value), 60)
