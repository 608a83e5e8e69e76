"""A first eval. Change its rows, its prompt and its scorer to yours."""

import pytest
from pytest_llmeval import Response, Sample, ScoreBook


@pytest.mark.llmeval(
    "data/capitals.jsonl",
    prompt="Answer in one word. {input}",
    params={"temperature": 0, "max_tokens": 20},
)
def test_capitals(sample: Sample, response: Response, score: ScoreBook) -> None:
    """The answer names the capital."""
    score.contains(response, sample.target)
