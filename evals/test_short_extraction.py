"""The same documents with short prompts and nothing that binds the answer: what a trained model is measured by."""

import pytest

from pytest_llmeval import Model, Sample, ScoreBook

ROWS = "data/json_extraction/test.jsonl"
SHORT, TWICE = "prompts/json_extraction.short.yaml", "prompts/json_extraction.twice.yaml"


@pytest.mark.llmeval(ROWS, prompt=TWICE, params={"temperature": 0, "max_tokens": 256})
async def test_short_extraction(sample: Sample, model: Model, score: ScoreBook) -> None:
    await extract(sample, model, score)


@pytest.mark.llmeval(ROWS, prompt=SHORT, params={"temperature": 0, "max_tokens": 100})
async def test_easy_extraction(sample: Sample, model: Model, score: ScoreBook) -> None:
    """For the slice easy, whose answers have up to 73 tokens: what says too much costs less time."""
    await extract(sample, model, score)


async def extract(sample: Sample, model: Model, score: ScoreBook) -> None:
    """Ask, and score the answer."""
    answer = await model.generate()
    score.json_valid(answer)
    score.json_match(answer, sample.target, pass_mark=0.5)
