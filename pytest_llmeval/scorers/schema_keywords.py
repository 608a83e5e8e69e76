"""Replacements for JSON Schema keywords: bounded where an answer could make them slow, decimal where floats err."""

import json
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.strict_json import rebuilt
from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.json_leaves import as_decimal
from pytest_llmeval.scorers.patterns import found_in_time

__all__ = ["DEADLINE", "bounded"]

DEADLINE: ContextVar[float] = ContextVar("DEADLINE")
"""The ``time.monotonic()`` by which the patterns of one validation must have finished."""


def bounded(base: type[Validator]) -> type[Validator]:
    """Return a validator class like ``base`` with time-bounded patterns and uniqueItems, and a decimal multipleOf."""
    ours = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "multipleOf": _multiple_of,
    }
    kept = {name: keyword for name, keyword in ours.items() if name in base.VALIDATORS}
    made: type[Validator] = extend(base, validators=kept)  # type: ignore[no-untyped-call]  # untyped in its stubs
    return made


def _found(pattern: str, text: str) -> bool:
    left = DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise ScorerError(f"the schema's patterns took too long on this answer; the last one was {shown(pattern)}")
    return found_in_time(pattern, text, timeout_s=left)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _found(pattern, instance):
        yield ValidationError(f"{shown(instance)} does not match {shown(pattern)}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _found(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in declared or any(_found(pattern, key) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(f"the property {shown(key)} is not allowed")
        else:
            yield from validator.descend(value, allowed, path=key)


def _multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Yield an error unless ``instance`` is a multiple in decimal, as both are written: 19.99 is a multiple of 0.01."""
    if validator.is_type(instance, "number"):
        times = Fraction(as_decimal(instance)) / Fraction(as_decimal(step))
        if times.denominator != 1:
            yield ValidationError(f"{shown(instance)} is not a multiple of {shown(step)}")


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not unique or not validator.is_type(instance, "array"):
        return
    seen: dict[str, int] = {}
    for index, item in enumerate(instance):
        first = seen.setdefault(json.dumps(rebuilt(item, _whole), sort_keys=True), index)
        if first != index:
            yield ValidationError(f"elements {first} and {index} are the same: {shown(item)}")
            return


def _whole(value: Any) -> Any:
    """Return a whole float as an int, because JSON Schema treats 1 and 1.0 as equal."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
