"""The same documents with a short prompt and nothing that binds the answer: what a trained model is measured by."""

import pytest

from pytest_llmeval import Model, Sample, ScoreBook


@pytest.mark.llmeval(
    "data/json_extraction/test.jsonl",
    prompt="prompts/json_extraction.short.yaml",
    params={"temperature": 0, "max_tokens": 120},
)
async def test_short_extraction(sample: Sample, model: Model, score: ScoreBook) -> None:
    answer = await model.generate()
    score.json_valid(answer)
    score.json_match(answer, sample.target, pass_mark=0.5)
