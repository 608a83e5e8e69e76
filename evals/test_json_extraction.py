"""Fields of a document as JSON: mails, invoices, tickets, chats, forms, log lines and more."""

from typing import Any

import pytest

from pytest_llmeval import Model, Sample, ScoreBook


@pytest.mark.llmeval(
    "data/json_extraction/test.jsonl",
    prompt="prompts/json_extraction.v1.yaml",
    params={"temperature": 0, "max_tokens": 300},
)
async def test_json_extraction(sample: Sample, model: Model, score: ScoreBook) -> None:
    response = await model.generate(response_format=as_response_format(sample.input["schema"]))
    score.json_valid(response)
    score.json_schema(response, sample.input["schema"])
    score.json_match(response, sample.target)


def as_response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the request for an answer in this schema, as OpenAI-compatible servers understand it."""
    return {"type": "json_schema", "json_schema": {"name": "fields", "schema": schema, "strict": True}}
