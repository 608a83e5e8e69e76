"""Fields of a document as JSON: mails, invoices, tickets, chats, forms, log lines and more."""

from typing import Any

import pytest

from pytest_llmeval import Model, Sample, ScoreBook

LONGEST_TEXT = 50  # no string of the datasets is longer; without a bound a small model may repeat itself for ever
LONGEST_LIST = 6


@pytest.mark.llmeval(
    "data/json_extraction/test.jsonl",
    prompt="prompts/json_extraction.v1.yaml",
    params={"temperature": 0, "max_tokens": 400},
)
async def test_json_extraction(sample: Sample, model: Model, score: ScoreBook) -> None:
    schema = sample.input["schema"]
    answer = await model.generate(response_format=as_response_format(schema))
    score.json_valid(answer)
    score.json_schema(answer, schema)
    score.json_match(answer, sample.target, pass_mark=0.5)  # json_exact says how many are right in full


def as_response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the request for an answer in this schema, as OpenAI-compatible servers understand it."""
    return {"type": "json_schema", "json_schema": {"name": "fields", "schema": bounded(schema)}}


def bounded(schema: Any) -> Any:
    """Return ``schema`` with a length for every text and list in it."""
    if isinstance(schema, list):
        return [bounded(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: bounded(value) for key, value in schema.items()}
    types = inner.get("type", ())
    if "string" in types and "enum" not in inner:
        inner["maxLength"] = LONGEST_TEXT
    if "array" in types:
        inner["maxItems"] = LONGEST_LIST
    return inner
