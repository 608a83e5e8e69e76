"""A run in which every text is hostile: names, ids, answers, reasons, errors, notes."""

from typing import Any

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.transport import as_json
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.hostile import HOSTILE
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

__all__ = ["hostile_run"]


def hostile_run(store: SqliteStore) -> Run:
    """Record a run with three cases for each hostile text: one passed, one missed, one broken; return it."""
    text = HOSTILE["later command"] + HOSTILE["colours"]
    begun = run(name=HOSTILE["labels"], git_commit="c" * 40, git_branch=text, models=(HOSTILE["script"],))
    store.start_run(begun)
    for text in HOSTILE.values():
        for case in _cases(text):
            store.add_case(begun.id, case)
    first = next(store.cases(begun.id))
    store.add_labels([Label(case_id=first.id, name="exact", value=1.0, rater=HOSTILE["people"], at="", note=text)])
    store.set_verdicts(begun.id, [_verdict(text) for text in HOSTILE.values()])
    store.finish_run(begun.id, END)
    return store.find_run(begun.id)


def _cases(text: str) -> list[CaseRecord]:
    asked = {"messages": [{"role": "user", "content": text}], "params": {"stop": [text]}}
    said = call(model=text, request=asked, response=text, detail={"text": text, "finish_reason": text})
    of: dict[str, Any] = {
        "suite": text,
        "model": text,
        "slices": (text, "s"),
        "target": as_json(text),
        "calls": (said,),
    }
    kept = {"passed": score(text, 1.0, reason=text), "missed": score(text, 0.0, False, reason=text)}
    broken = {"error_kind": "connection", "error": text}
    return [
        record(
            f"{text}{outcome}", **of, outcome=outcome, **({"scores": (kept[outcome],)} if outcome in kept else broken)
        )
        for outcome in ("passed", "missed", "error")
    ]


def _verdict(text: str) -> Verdict:
    return Verdict(
        suite=text, model=text, metric=text, slice=text, rule=text, value=0.5, n=2, verdict="fail", reason=text
    )
