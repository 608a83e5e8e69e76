"""The json_schema scorer."""

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
from pytest_llmeval.core.strict_json import NotJsonError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import one_line, shown
from pytest_llmeval.scorers.json_paths import ROOT, child, path_text, position
from pytest_llmeval.scorers.json_text import parse_json
from pytest_llmeval.scorers.patterns import compiled
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.schema_keywords import DEADLINE, bounded
from pytest_llmeval.scorers.scored import Scored

__all__ = ["json_schema"]

SHOWN_ERRORS = 4
PATTERN_TIME_S = 1.0
MESSAGE_LIMIT = 200
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


@shipped(version=2)
def json_schema(response: Response | str, schema: Mapping[str, Any] | bool, *, fenced: bool = False) -> Scored:
    """Return 1 where the answer is JSON (as in ``json_valid``) that its JSON Schema accepts, else 0.

    The draft is the one of ``$schema``, 2020-12 where there is none. Nothing is ever fetched: a ``$ref`` must
    lead to a place in the schema itself. ``format`` asserts nothing. Patterns are searched with the bounded
    engine of ``regex``, all of one answer within one second.

    Args:
        response: a Response or a str.
        schema: the schema, as an object or a bool; part of the scorer's digest.
        fenced: also accept an answer that is one Markdown code fence around the value, and nothing else.

    Raises:
        ScorerError: where the schema is invalid, refers outside itself, has a part with a ``$schema`` of its
            own, or has both ``patternProperties`` and ``unevaluatedProperties``; where its patterns need more
            time; where it recurses without end.
    """
    validator = _validator(_schema_text(schema))
    try:
        value = parse_json(text_of(response), fenced=fenced)
    except NotJsonError as error:
        return Scored(0.0, f"not JSON: {error}")
    errors = _first_errors(validator, value)
    if not errors:
        return Scored(1.0)
    lines = [_line(error) for error in errors[:SHOWN_ERRORS]]
    return Scored(0.0, "\n".join([*lines, "and more"] if len(errors) > SHOWN_ERRORS else lines))


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
    if len(message) > MESSAGE_LIMIT:  # it begins with the whole value; what was asked for comes first here
        asked, given = shown(error.validator_value, 80), shown(error.instance, 80)
        message = f"{error.validator} {asked} does not hold for {given}"
    return f"{path_text(path)}: {one_line(message, MESSAGE_LIMIT)}"


def _schema_text(schema: Any) -> str:
    if not isinstance(schema, (Mapping, bool)):
        raise ScorerError(f"the schema is a {type(schema).__name__}; it is an object or a bool")
    try:
        return json.dumps(schema, default=dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ScorerError(f"the schema holds what JSON cannot say: {one_line(str(error))}") from None


@lru_cache(maxsize=128)
def _validator(text: str) -> Validator:
    schema = json.loads(text)
    base = _draft(schema)
    try:
        base.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        raise ScorerError(f"the schema is invalid at {_line(error)}") from None
    if isinstance(schema, dict):
        # Wherever a validator meets "$schema" it changes to that class and would lose the bounded keywords.
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
        raise ScorerError(f"the schema's $schema {shown(schema['$schema'])} is no known draft of JSON Schema")
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
