"""JSON lines: everything that is stored, as it is stored."""

import json
from pathlib import Path

from hypothesis import given

from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.reports.export_jsonl import jsonl_lines
from pytest_llmeval.reports.exported import exported_cases
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.hostile import HOSTILE, harmless
from tests.support.hostile_run import hostile_run
from tests.support.memory_store import MemoryStore
from tests.support.records import call, case_records, record, score
from tests.support.stored_runs import run


def test_a_case_is_one_object_with_everything() -> None:
    store = MemoryStore()
    store.start_run(run())
    judge = call("judge", model="j", response='{"a": 1}', name="j1")
    scores = (score("exact", 0.0, False, reason="no", judge_id="x", decided_by="j"),)
    store.add_case(run().id, record("a", outcome="error", error_kind="timeout", error="late", scores=scores))
    store.add_case(
        run().id,
        record("a", slices=("s",), outcome="missed", scores=scores, calls=(call(), judge), target='{"b": [1]}'),
    )
    (case,) = store.cases(run().id)
    store.add_labels([Label(case_id=case.id, name="exact", value=1.0, rater="r", at="t", passed=True, note="right")])
    (line,) = jsonl_lines("r1", exported_cases(store, run().id))
    found = json.loads(line)
    assert {name: found[name] for name in ("run", "id", "suite", "sample_id", "outcome", "response", "target")} == {
        "run": "r1",
        "id": case.id,
        "suite": "qa",
        "sample_id": "a",
        "outcome": "missed",
        "response": "x",
        "target": {"b": [1]},
    }
    assert found["slices"] == ["s"]
    assert found["scores"][0]["decided_by"] == "j"
    assert [(each["role"], each["model"], each["response"]) for each in found["calls"]] == [
        ("model", "m", "x"),
        ("judge", "j", '{"a": 1}'),
    ]
    assert found["calls"][0]["request"]["messages"] == [{"role": "user", "content": "q"}]
    assert [(each["rater"], each["value"], each["note"]) for each in found["labels"]] == [("r", 1.0, "right")]
    earlier = {"number": 1, "outcome": "error", "error_kind": "timeout", "error": "late", "scores": {"exact": 0.0}}
    assert found["earlier_outcomes"] == [{**earlier, "started_at": case.started_at}]


@given(case_records())
def test_any_case_is_one_line_of_ascii(case: CaseRecord) -> None:
    """Texts come back as they were."""
    store = MemoryStore()
    store.start_run(run())
    store.add_case(run().id, case)
    (stored,) = store.cases(run().id)
    (line,) = jsonl_lines("r1", exported_cases(store, run().id))
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line)
    assert found["nodeid"] == stored.key.nodeid
    assert found["error"] == stored.error
    assert [each["reason"] for each in found["scores"]] == [each.reason for each in stored.scores]


def test_nothing_hostile_runs_breaks_or_is_lost(tmp_path: Path) -> None:
    """What the model said comes back to the letter, lone surrogates and NUL too."""
    store = SqliteStore(tmp_path / "x.db")
    made = hostile_run(store)
    lines = list(jsonl_lines(made.id, exported_cases(store, made.id)))
    store.close()
    harmless(*lines)
    found = [json.loads(line) for line in lines]
    texts = [text for text in HOSTILE.values() for _ in range(3)]
    assert [each["response"] for each in found] == texts
    assert [each["target"] for each in found] == texts
    assert [each["calls"][0]["request"]["messages"][0]["content"] for each in found] == texts
    assert [each["calls"][0]["response"] for each in found] == texts
