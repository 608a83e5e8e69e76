"""Checking JSON Schemas before use, and listing the rules of a schema that a value breaks."""

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers.display import shown, visible_line
from pytest_llmeval.scorers.json_paths import ROOT, child, path_text, position
from pytest_llmeval.scorers.patterns import compiled
from pytest_llmeval.scorers.schema_keywords import DEADLINE, bounded

__all__ = ["broken_rules", "validator_of"]

SHOWN_ERRORS = 4
PATTERN_TIME_S = 1.0
MESSAGE_LIMIT = 200
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def validator_of(schema: Any) -> Validator:
    """Return the validator for a schema (an object or a bool); raise ScorerError if the schema cannot be used."""
    return _validator(_schema_text(schema))


def broken_rules(validator: Validator, value: Any) -> list[str]:
    """Return one line for each of the first few rules that a value breaks; none if the value is valid.

    Raises:
        ScorerError: if the schema's patterns need more than a second, or it recurses without end.
    """
    errors = _first_errors(validator, value)
    lines = [_line(error) for error in errors[:SHOWN_ERRORS]]
    return [*lines, "and more"] if len(errors) > SHOWN_ERRORS else lines


def _first_errors(validator: Validator, value: Any) -> list[ValidationError]:
    token = DEADLINE.set(time.monotonic() + PATTERN_TIME_S)
    try:
        return list(islice(validator.iter_errors(value), SHOWN_ERRORS + 1))
    except RecursionError:
        raise ScorerError("the schema refers to itself without end, or too deeply for this answer") from None
    finally:
        DEADLINE.reset(token)


def _line(error: ValidationError | SchemaError) -> str:
    path = ROOT
    for step in error.absolute_path:
        path = position(path, step) if isinstance(step, int) else child(path, step)
    message = error.message
    if len(message) > MESSAGE_LIMIT:  # the original begins with the whole value; this one with the rule
        asked, given = shown(error.validator_value, 80), shown(error.instance, 80)
        message = f"{error.validator} {asked} does not hold for {given}"
    return f"{path_text(path)}: {visible_line(message, MESSAGE_LIMIT)}"


def _schema_text(schema: Any) -> str:
    if not isinstance(schema, (Mapping, bool)):
        todo = ": pass its model_json_schema()" if hasattr(schema, "model_json_schema") else ""
        raise ScorerError(f"the schema must be an object or a bool, found {type(schema).__name__}{todo}")
    try:
        return json.dumps(schema, default=dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ScorerError(
            f"the schema holds something that JSON cannot represent: {visible_line(str(error))}"
        ) from None


@lru_cache(maxsize=128)
def _validator(text: str) -> Validator:
    schema = json.loads(text)
    base = _draft(schema)
    try:
        base.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        raise ScorerError(f"the schema is invalid at {_line(error)}") from None
    if isinstance(schema, dict):
        # A validator that meets "$schema" switches to the class of that draft, which lacks the bounded keywords.
        schema.pop("$schema", None)
    specification = specification_with(base.ID_OF(base.META_SCHEMA))
    resource = specification.create_resource(schema)
    _check_parts(Registry().resolver_with_root(resource), resource)
    return bounded(base)(schema, registry=Registry())


def _draft(schema: Any) -> Any:
    if schema is True or schema is False or "$schema" not in schema:
        return Draft202012Validator
    found = validator_for(schema, default=cast(Any, None))
    if found is None:
        raise ScorerError(f"the schema's $schema {shown(schema['$schema'])} is not a known draft of JSON Schema")
    return found


def _check_parts(resolver: Any, part: Resource[Any]) -> None:
    if isinstance(part.contents, dict):
        _check_part(resolver, part.contents)
    for inner in part.subresources():
        _check_parts(resolver.in_subresource(inner), inner)


def _check_part(resolver: Any, part: Mapping[str, Any]) -> None:
    if "$schema" in part:
        raise ScorerError("a part of the schema has a $schema of its own; only the whole may have one")
    if "unevaluatedProperties" in part and "patternProperties" in part:
        raise ScorerError("patternProperties beside unevaluatedProperties cannot be bounded in time; use another form")
    for pattern in (part["pattern"],) if "pattern" in part else part.get("patternProperties", ()):
        compiled(pattern)
    for keyword in _REFERENCES:
        _check_reference(resolver, part.get(keyword))


def _check_reference(resolver: Any, reference: Any) -> None:
    if isinstance(reference, str):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ScorerError(
                f"the schema refers to {shown(reference)}, which is not in it; "
                "nothing is fetched, so put it under $defs"
            ) from None
