"""Records of cases: one with the usual values, and hypothesis strategies for any."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, JudgeRecord, Response, Score, ToolCall, Usage, Vote

__all__ = ["call", "case_records", "finite", "record", "responses", "score", "storable_texts", "texts", "unique_keys"]

IDS = ["7", "007", "7.0", "1e3", "true", "TRUE", "null", "NaN", "", " 7", "-0", "0x7", "'; DROP TABLE cases; --", "é"]
"""Sample ids that a store with types of its own would take for something else."""

texts = st.text(st.characters()) | st.sampled_from(IDS)
"""Any text, lone surrogates and NUL included."""
storable_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00")) | st.sampled_from(IDS)
"""Any text that SQLite keeps as it is."""

finite = st.floats(allow_nan=False, allow_infinity=False)
_tokens = st.none() | st.integers(0, 2**62)
responses = st.builds(
    Response,
    text=texts,
    tool_calls=st.lists(st.builds(ToolCall, name=texts, arguments=texts, id=st.none() | texts), max_size=2).map(tuple),
    finish_reason=st.none() | texts,
    usage=st.builds(Usage, input_tokens=_tokens, output_tokens=_tokens),
    latency_s=st.none() | finite,
    model=st.none() | texts,
    system_fingerprint=st.none() | texts,
    attempts=st.integers(1, 9),
    lost=st.lists(st.builds(Usage, input_tokens=_tokens, output_tokens=_tokens), max_size=2).map(tuple),
    cost_usd=st.none() | finite,
    cached=st.booleans(),
    refusal=st.none() | texts,
    cache_key=st.none() | texts,
)
"""Any response; its numbers are those that JSON holds."""


def call(role: Any = "model", **fields: Any) -> Call:
    """Return an answered call of 2 s, 0.5 USD, 10 and 5 tokens."""
    made: dict[str, Any] = {
        "role": role,
        "model": "m",
        "request": {"messages": [{"role": "user", "content": "q"}], "params": {}},
        "response": "x",
        "status": "ok",
        "attempts": 1,
        "latency_s": 2.0,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": 0.5,
    }
    return Call(**{**made, **fields})


def score(name: str = "exact", value: float | None = 1.0, passed: bool | None = True, **fields: Any) -> Score:
    """Return a score."""
    return Score(name=name, value=value, passed=passed, **fields)


def record(sample_id: str = "a", *, suite: str = "qa", model: str = "m", epoch: int = 1, **fields: Any) -> CaseRecord:
    """Return a case, passed unless said otherwise."""
    key = CaseKey(nodeid=f"t.py::test[{sample_id}]", suite=suite, sample_id=sample_id, model=model, epoch=epoch)
    made: dict[str, Any] = {"slices": (), "outcome": "passed", "started_at": "2025-01-02T03:04:05.678+00:00"}
    return CaseRecord(key=key, **{**made, **fields})


def case_records(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[CaseRecord]:
    """Return a strategy for any case whose texts come from ``text``; its outcome and its error kind agree."""
    keys = st.builds(CaseKey, nodeid=text, suite=text, sample_id=text, model=text, epoch=st.integers(1, 50))
    votes = st.builds(Vote, judge=text, repeat=st.integers(0, 3), value=finite, level=text, reason=text)
    scored = st.builds(
        Score,
        name=text,
        value=finite,
        passed=st.none() | st.booleans(),
        reason=st.none() | text,
        scorer_digest=st.none() | text,
        judge_id=st.none() | text,
        dimension=st.none() | text,
        decided_by=st.none() | text,
        votes=st.lists(votes, max_size=3, unique_by=lambda each: (each.judge, each.repeat)).map(tuple),
    )
    unscored = st.builds(
        Score, name=text, value=st.none(), passed=st.none(), reason=text, status=st.sampled_from(["none", "error"])
    )
    calls = st.builds(
        Call,
        role=st.sampled_from(["model", "judge"]),
        model=text,
        request=st.dictionaries(text, st.lists(st.none() | st.booleans() | finite | text, max_size=3), max_size=3),
        response=st.none() | text,
        status=text,
        attempts=st.integers(1, 100),
        latency_s=st.none() | st.floats(0, 1e9),
        input_tokens=st.none() | st.integers(0, 2**40),
        output_tokens=st.none() | st.integers(0, 2**40),
        cost_usd=st.none() | st.floats(0, 1e9),
        cached=st.booleans(),
    )
    common: dict[str, Any] = {
        "key": keys,
        "slices": st.lists(text, max_size=3).map(tuple),
        "error": st.none() | text,
        "input_digest": st.none() | text,
        "started_at": text,
        "scores": st.lists(scored | unscored, max_size=3, unique_by=lambda each: each.name).map(tuple),
        "judges": st.lists(st.builds(JudgeRecord, judge_id=text, rubric=text, detail=text), max_size=2).map(tuple),
        "calls": st.lists(calls, max_size=3).map(tuple),
        "target": st.none() | text,
        "cluster": st.none() | text,
    }
    fine = st.builds(CaseRecord, outcome=st.sampled_from(["passed", "missed", "skipped"]), **common)
    kinds = st.sampled_from(["timeout", "code", "worker_crashed", "budget"])
    return fine | st.builds(CaseRecord, outcome=st.just("error"), error_kind=kinds, **common)


def unique_keys(cases: Sequence[CaseRecord]) -> bool:
    """Return whether no two cases are the same one."""
    keys = {(case.key.suite, case.key.model, case.key.sample_id, case.key.epoch) for case in cases}
    return len(keys) == len(cases)
