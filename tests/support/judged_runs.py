"""Stored runs in which a judge scored by the shipped rubric qa."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_llmeval.core.judge.asking import questions
from pytest_llmeval.core.types import CaseRecord, Score
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run

__all__ = ["RUN", "judged_record", "judged_scores", "store_run"]

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
        )
        for name, level in levels.items()
    ]
    told = ", ".join(f"{name}: {level}" for name, level in levels.items())
    return (Score(name="qa", value=0.5, passed=correctness == "right", reason=told, judge_id=judge_id), *parts)


def judged_record(
    sample_id: str, *levels: str, answer: str = "x", question: str = "Who?", judge_id: str = JUDGE, **fields: Any
) -> CaseRecord:
    """Return a case that was asked, answered and judged."""
    rubric = load_rubric("qa", rootdir=_HERE, test_file=_HERE)
    messages, _ = questions(rubric, question=question, answer=answer, reference="Kim", repeat=1)
    calls = (
        call(response=answer),
        call("judge", request={"messages": list(messages), "params": {}}, response="{}"),
    )
    return record(sample_id, scores=judged_scores(*levels, judge_id=judge_id), calls=calls, **fields)


def store_run(store: SqliteStore, cases: Sequence[CaseRecord], id: str = RUN) -> None:
    """Record a finished run."""
    store.start_run(run(id))
    for case in cases:
        store.add_case(id, case)
    store.finish_run(id, END)
