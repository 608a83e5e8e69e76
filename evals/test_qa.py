"""Questions that a short text answers, or does not."""

import pytest

from pytest_llmeval import Model, Sample, ScoreBook


@pytest.mark.llmeval(
    "data/qa/test.jsonl",
    prompt="prompts/qa.v1.yaml",
    params={"temperature": 0, "max_tokens": 24},
)
async def test_qa(sample: Sample, model: Model, judge: Model | None, score: ScoreBook) -> None:
    answer = await model.generate()
    score.token_f1(answer, sample.target)
    score.exact(answer, sample.target, casefold=True)
    if judge is not None:
        await score.judge(answer, rubric="qa", gates=False)  # it reports; thresholds.yaml decides by token_f1
