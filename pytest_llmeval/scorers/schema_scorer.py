"""The json_schema scorer."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.strict_json import NotJsonError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.json_text import parse_json
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored

__all__ = ["json_schema"]


@shipped(version=3)
def json_schema(response: Response | str, schema: Mapping[str, Any] | bool, *, fenced: bool = False) -> Scored:
    """Return 1 where the answer is JSON (as in ``json_valid``) that the JSON Schema accepts, else 0.

    The draft is that of ``$schema``, or 2020-12 without one. Nothing is ever fetched: a ``$ref`` must point into the
    schema itself. ``format`` asserts nothing. Patterns run on the time-limited engine of ``regex``, with one second for
    all patterns of an answer together.

    Args:
        response: a Response or a str.
        schema: the schema, an object or a bool; part of the scorer's digest.
        fenced: also accept an answer that is a single Markdown code fence around the value, and nothing else.

    Raises:
        ScorerError: if the schema is invalid, refers outside itself, has a part with its own ``$schema``, or has both
            ``patternProperties`` and ``unevaluatedProperties``; if its patterns need more time; if it recurses without
            end.
    """
    # Imported here because jsonschema takes longer to import than all scorers together, and few evals have a schema.
    from pytest_llmeval.scorers.schemas import broken_rules, validator_of

    validator = validator_of(schema)
    try:
        value = parse_json(text_of(response), fenced=fenced)
    except NotJsonError as error:
        return Scored(0.0, f"not JSON: {error}")
    lines = broken_rules(validator, value)
    return Scored(0.0, "\n".join(lines)) if lines else Scored(1.0)
