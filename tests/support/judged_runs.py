"""Stored runs in which a judge scored by the shipped rubric qa."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmeval.core.judge.asking import questions
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import CaseRecord, JudgeRecord, Score
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run

__all__ = ["JUDGE", "RUN", "judge_record", "judged_record", "judged_scores", "qa_rubric", "settled_record", "store_run"]

RUN = run().id
JUDGE = "j" * 64
_HERE = Path(__file__).parent
_VALUES = {
    "correctness": {"wrong": 0.0, "partly": 0.5, "right": 1.0},
    "completeness": {"missing": 0.0, "partial": 0.5, "complete": 1.0},
    "format": {"bad": 0.0, "good": 1.0},
}


def judged_scores(
    correctness: str = "right", completeness: str = "complete", format: str = "good", *, judge_id: str = JUDGE
) -> tuple[Score, ...]:
    """Return what ``score.judge(..., rubric="qa")`` records for these levels."""
    levels = {"correctness": correctness, "completeness": completeness, "format": format}
    parts = [
        Score(
            name=name,
            value=_VALUES[name][level],
            passed=level == "right" if name == "correctness" else None,
            reason=f"{level}\nIt says so. So: {level}",
            judge_id=judge_id,
            dimension=name,
        )
        for name, level in levels.items()
    ]
    told = ", ".join(f"{name}: {level}" for name, level in levels.items())
    return (Score(name="qa", value=0.5, passed=correctness == "right", reason=told, judge_id=judge_id), *parts)


def judged_record(
    sample_id: str,
    *levels: str,
    answer: str = "x",
    question: str = "Who?",
    reference: str | None = "Kim",
    judge_id: str = JUDGE,
    **fields: Any,
) -> CaseRecord:
    """Return a case that was asked, answered and judged."""
    rubric = qa_rubric()
    messages, _ = questions(rubric, question=question, answer=answer, reference=reference, repeat=1)
    calls = (
        call(response=answer),
        call("judge", request={"messages": list(messages), "params": {}}, response="{}"),
    )
    scores, judges = judged_scores(*levels, judge_id=judge_id), (judge_record(rubric, judge_id),)
    return record(sample_id, **{"scores": scores, "calls": calls, "judges": judges, **fields})


def qa_rubric() -> Rubric:
    """Return the shipped rubric."""
    return load_rubric("qa", rootdir=_HERE, test_file=_HERE)


def settled_record(sample_id: str, **fields: Any) -> CaseRecord:
    """Return a case that a check in code settled, so that no judge was asked."""
    checks = [["right_if", "right_if"], ["wrong_if", "exact"]]
    judge = judge_record(qa_rubric(), "s" * 64, checks=checks)
    scores = tuple(replace(each, decided_by="exact") for each in judged_scores(judge_id=judge.judge_id))
    return judged_record(sample_id, scores=scores, judges=(judge,), **fields)


def judge_record(rubric: Rubric, judge_id: str = JUDGE, **how: Any) -> JudgeRecord:
    """Return what a run stores of who judges by a rubric."""
    detail = json.dumps({"rubric": plain(rubric), "judges": [], "how": how})
    return JudgeRecord(judge_id=judge_id, rubric=rubric.name, detail=detail)


def store_run(store: SqliteStore, cases: Sequence[CaseRecord], id: str = RUN) -> None:
    """Record a finished run."""
    store.start_run(run(id))
    for case in cases:
        store.add_case(id, case)
    store.finish_run(id, END)
