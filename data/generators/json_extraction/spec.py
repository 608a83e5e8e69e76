"""What a document kind is: its fields, how its facts are drawn, and its layouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .draw import Draw

Facts = dict[str, Any]
Layout = Callable[[Draw, Facts], str]

_SCHEMAS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
}
_WORDS = {
    "string": "string as written",
    "date": "date as YYYY-MM-DD",
    "time": "time as HH:MM, 24 h",
    "currency": "ISO 4217 code, $ is USD",
    "number": "number",
    "integer": "integer",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class Field:
    """One field to extract. ``parts`` are the fields of an object, or of each object of a list.

    A list stands in the order of the document; layouts may reorder a list that has ``order_by``, the part by
    whose first mention its objects are then put in order.
    """

    name: str
    type: str = "string"
    note: str = ""
    nullable: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()
    parts: tuple[Field, ...] = ()
    order_by: str = ""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the value."""
        if self.parts:
            one = object_schema(self.parts)
        elif self.choices:
            one = {"enum": [*self.choices, *([None] if self.nullable else [])]}
        else:
            one = dict(_SCHEMAS[self.type])
        if self.many:
            return {"type": "array", "items": one}
        if self.nullable and "type" in one:
            one["type"] = [one["type"], "null"]
        return one

    def words(self) -> str:
        """The value in words, for example 'date as YYYY-MM-DD, day of issue'."""
        null = ", or null if not stated" if self.nullable else ""
        if self.parts:
            notes = ", ".join(note for note in (self.note, "in order of mention" if self.many else "") if note)
            head = ("list of objects" if self.many else "object") + (f" ({notes})" if notes else "")
            inner = ", ".join(f"{part.name} ({part.words()})" for part in self.parts)
            return f"{head}{null}{',' if null else ''} with {inner}"
        if self.choices:
            text = f"one of {', '.join(self.choices)}"
        else:
            text = f"list of {_plural(_WORDS[self.type])}" if self.many else _WORDS[self.type]
        return text + (f", {self.note}" if self.note else "") + null


def _plural(words: str) -> str:
    """Return the words with the first one in the plural."""
    first, _, rest = words.partition(" ")
    return f"{first}s {rest}"


def object_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """Return the JSON Schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def fields_text(fields: Sequence[Field]) -> str:
    """Return the list of fields for the prompt, one a line."""
    return "\n".join(f"- {field.name}: {field.words()}" for field in fields)


@dataclass(frozen=True)
class Kind:
    """A kind of document. ``facts`` draws the target values and whatever else the layouts need.

    ``layouts`` stand in all splits, ``held_out`` in val and test only.
    """

    name: str
    slice: str
    fields: tuple[Field, ...]
    facts: Callable[[Draw], Facts]
    layouts: dict[str, Layout]
    held_out: dict[str, Layout]
    domain: str | None = None

    def target(self, facts: Facts, document: str) -> dict[str, Any]:
        """The expected extraction, in the order of the fields; lists in the order of the document."""
        values = {field.name: facts[field.name] for field in self.fields}
        for field in self.fields:
            if field.order_by:
                values[field.name] = sorted(values[field.name], key=lambda entry: _position(entry, field, document))
        return values


def _position(entry: Any, field: Field, document: str) -> int:
    """Return where the entry of a list first stands in the document."""
    found = re.search(rf"(?<!\w){re.escape(entry[field.order_by])}(?!\w)", document)
    if found is None:
        raise ValueError(f"{entry[field.order_by]!r} is not in the document")
    return found.start()
