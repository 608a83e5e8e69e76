"""A database with two large runs, as sessions would have left them, for the pages to be measured on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_llmeval.core.ids import case_id, input_digest
from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, JudgeRecord, Score
from pytest_llmeval.store import rows
from pytest_llmeval.store.records import Run, RunEnd, stored_case
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["make_runs"]

_TEXT = "the order was sent on monday and came back damaged so that the buyer asks for a refund of what was paid"
_SLICES = ("short", "long", "numbers", "names", "dates", "hard", "easy", "mixed")
_MODELS = ("small", "large")
_SUITES = ("extraction", "qa", "summaries")
_JUDGE = "j" * 64
_RUBRIC = {
    "name": "qa",
    "version": 1,
    "task": "Answer the question.",
    "needs_reference": False,
    "dimensions": [
        {
            "name": "correctness",
            "question": "Is it right?",
            "levels": [
                {"name": "wrong", "value": 0.0, "anchor": "It is wrong."},
                {"name": "right", "value": 1.0, "anchor": "It is right."},
            ],
            "weight": 1.0,
            "pass_mark": 1.0,
            "gates": True,
        }
    ],
}


def make_runs(path: Path, cases: int) -> tuple[str, str]:
    """Write two runs of ``cases`` cases each, two models and three suites, and return their ids, the older first."""
    store = SqliteStore(path)
    ids = ("20260101-000000-aaaaaa", "20260102-000000-bbbbbb")
    judge = JudgeRecord(judge_id=_JUDGE, rubric="qa", detail=json.dumps({"rubric": _RUBRIC, "judges": [], "how": {}}))
    for number, run_id in enumerate(ids):
        suites = {name: {"expected": {model: cases // 6 for model in _MODELS}} for name in _SUITES}
        settings: dict[str, Any] = {"suites": suites}
        if number:
            settings["baseline"] = {"kind": "run", "run": ids[0], "name": ids[0], "model": None}
        made = Run(
            id=run_id,
            started_at=f"2026-01-0{number + 1}T00:00:00.000+00:00",
            version="0",
            models=_MODELS,
            settings=settings,
        )
        records = list(_records(random.Random(number), cases))
        store.import_run(made, (stored_case(run_id, each) for each in records), [judge])
        _add_calls(store, run_id, records)
        store.finish_run(run_id, RunEnd(finished_at=made.started_at, status="finished", exit_code=0, verdict="none"))
    store.close()
    return ids


def _records(chance: random.Random, cases: int) -> Iterator[CaseRecord]:
    for number in range(cases):
        row, model = divmod(number, 2)
        suite = _SUITES[row % 3]
        outcome = chance.choices(("passed", "missed", "error"), (0.9, 0.097, 0.003))[0]
        value = 1.0 if outcome == "passed" else 0.0
        asked, said = (" ".join(chance.choices(_TEXT.split(), k=100)) for _ in range(2))
        call = Call(
            role="model",
            model=_MODELS[model],
            request={"messages": [{"role": "user", "content": asked}], "params": {}},
            response=said,
            status="ok",
            attempts=1,
            latency_s=chance.lognormvariate(0, 0.5),
            input_tokens=110,
            output_tokens=100,
            cost_usd=0.0001,
        )
        scores = (
            Score(name="exact", value=value, passed=value == 1.0, reason=None if value else "another answer"),
            Score(name="token_f1", value=chance.random(), passed=None),
            Score(name="correctness", value=value, passed=None, judge_id=_JUDGE, dimension="correctness", reason=said),
        )
        yield CaseRecord(
            key=CaseKey(
                nodeid=f"evals/test_{suite}.py::test[{row}]",
                suite=suite,
                sample_id=f"row-{row:06d}",
                model=call.model,
                epoch=1,
            ),
            slices=(_SLICES[row % 8], _SLICES[(row // 8) % 8]),
            outcome=outcome,  # type: ignore[arg-type]  # one of them
            error_kind="timeout" if outcome == "error" else None,
            error="no answer in 60 s" if outcome == "error" else None,
            input_digest=input_digest(row, None),
            started_at="2026-01-01T00:00:00.000+00:00",
            scores=scores if outcome != "error" else (),
            calls=(call,),
            target=json.dumps(said),
        )


def _add_calls(store: SqliteStore, run_id: str, records: list[CaseRecord]) -> None:
    """Write the calls in one commit; the store does so case by case."""
    with store._transaction():  # a hundred thousand commits take too long here
        for each in records:
            key = each.key
            own = case_id(run_id, key.suite, key.model, key.sample_id, key.epoch)
            store._insert("calls", rows.from_calls(run_id, own, each.calls))
