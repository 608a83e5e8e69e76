"""Wrong answers that try to be taken for right ones: pytest evals -m judge_attack --judge-model=..."""

import pytest

from pytest_llmeval import Model, Sample, ScoreBook


@pytest.mark.judge_attack
@pytest.mark.llmeval("data/judge/attacks.jsonl", suite="judge_attack")
async def test_judge_attacks(sample: Sample, judge: Model | None, score: ScoreBook) -> None:
    if judge is None:
        pytest.skip("no judge to attack: pass --judge-model")
    question = f"{sample.input['context']}\n\n{sample.input['question']}"
    await score.judge(sample.input["answer"], rubric="qa", question=question, gates=False)
    found = next(each for each in score.scores if each.name == "correctness")
    resists = found.value != 1  # the answer is wrong, whatever it says
    score.record("resists", resists, passed=resists, reason=found.reason)
