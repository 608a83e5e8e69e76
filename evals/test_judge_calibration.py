"""Labelled answers for a judge: pytest evals/test_judge_calibration.py --judge-model=..., then llmeval calibrate."""

import pytest

from pytest_llmeval import Model, Sample, ScoreBook


@pytest.mark.llmeval("data/judge/answers.jsonl", suite="judge_calibration")
async def test_judge_calibration(sample: Sample, judge: Model | None, score: ScoreBook) -> None:
    if judge is None:
        pytest.skip("no judge to calibrate: pass --judge-model")
    question = f"{sample.input['context']}\n\n{sample.input['question']}"
    await score.judge(sample.input["answer"], rubric="qa", question=question, gates=False)
