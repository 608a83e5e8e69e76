"""Spans of stored runs that no session of today makes: failed and cached calls, pictures, runs of elsewhere."""

import json
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.reports.exported import exported_cases
from pytest_llmeval.reports.spans import trace_run
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run


def spans(*cases: CaseRecord, with_texts: bool = False, **about: Any) -> Sequence[ReadableSpan]:
    """Return the spans of a run, each after those within it."""
    store = MemoryStore()
    store.start_run(run(**about))
    for case in cases:
        store.add_case(run().id, case)
    store.finish_run(run().id, END)
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    found = exported_cases(store, run().id)
    trace_run(provider.get_tracer("t"), store.find_run("last"), found, with_texts=with_texts)
    return kept.get_finished_spans()


def length_s(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def test_calls_follow_each_other_and_a_cached_one_takes_no_time() -> None:
    first, second, third, case, whole = spans(record("a", calls=(call(), call("judge", model="j"), call(cached=True))))
    assert [length_s(each) for each in (first, second, third, case)] == [2, 2, 0, 4]
    assert first.end_time == second.start_time
    assert second.end_time == third.start_time == case.end_time
    assert second.attributes is not None
    assert second.attributes["llmeval.call.role"] == "judge"
    assert length_s(whole) > 3000


def test_a_case_is_as_long_as_it_waited() -> None:
    """Where a call has no length, say."""
    _, case, _ = spans(record("a", calls=(call(latency_s=None),), waited_s=7.5))
    assert length_s(case) == 7.5


def test_a_failed_call_is_an_error_of_its_kind() -> None:
    said, case, _ = spans(
        record(
            "a",
            outcome="error",
            error_kind="timeout",
            error="no answer to: secret",
            calls=(call(status="timeout", response=None),),
        )
    )
    for span in (said, case):
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "timeout")
        assert (span.attributes or {})["error.type"] == "timeout"
    _, case, _ = spans(
        record("a", outcome="error", error_kind="code", error="secret", calls=(call(),)), with_texts=True
    )
    assert case.status.description == "secret"


def test_a_broken_scorer_has_no_value() -> None:
    broken = score("exact", None, None, status="error", reason="it broke")
    case, _ = spans(record("a", scores=(broken,)))
    assert dict(case.events[0].attributes or {}) == {"gen_ai.evaluation.name": "exact", "error.type": "scorer"}


def test_what_is_asked_is_told_by_provider_name_and_server() -> None:
    models = {"a": "openai:gpt@https://[::1]:8443/v1", "b": "local:smollm2", "c": "no such: spec"}
    calls = [call(model=name) for name in (*models, "d")]
    found = [
        dict(span.attributes or {}) for span in spans(record("a", calls=tuple(calls)), settings={"models": models})
    ]
    told = ("gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port")
    assert [tuple(each.get(name) for name in told) for each in found[:4]] == [
        ("openai", "gpt", "[::1]", 8443),
        ("local", "smollm2", None, None),
        (None, "c", None, None),
        (None, "d", None, None),
    ]


def test_of_a_picture_only_its_kind_is_told() -> None:
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:secret"}}, 5]
    asked = {"messages": [{"role": "user", "content": content}, {"role": "system", "content": None}], "params": {}}
    said, *_ = spans(record("a", calls=(call(request=asked, response=None, status="timeout"),)), with_texts=True)
    found = said.attributes or {}
    parts = [{"type": "text", "content": "look"}, {"type": "image_url"}, {"type": "text", "content": "5"}]
    assert json.loads(str(found["gen_ai.input.messages"])) == [
        {"role": "user", "parts": parts},
        {"role": "system", "parts": [{"type": "text", "content": "null"}]},
    ]
    assert json.loads(str(found["gen_ai.output.messages"])) == [
        {"role": "assistant", "parts": [], "finish_reason": "error"}
    ]


def test_a_run_that_left_out_cases_says_so() -> None:
    for partial in (True, None):
        *_, whole = spans(record("a"), settings={"partial": partial})
        assert (whole.attributes or {}).get("llmeval.run.partial") is partial


def test_a_time_that_is_none_is_that_of_the_run() -> None:
    """A database of elsewhere may say anything."""
    case, whole = spans(record("a", started_at="yesterday"))
    assert case.start_time == whole.start_time
