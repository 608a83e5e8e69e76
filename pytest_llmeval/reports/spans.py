"""OpenTelemetry spans of a stored run: the run, its cases, and their calls.

Names follow the GenAI semantic conventions (https://opentelemetry.io/docs/specs/semconv/gen-ai/), as in
opentelemetry-semantic-conventions 0.66, and those for tests and version control. Nothing that a run does not store is
made up, with one exception: only the lengths of calls are known, so the calls of a case are placed one after another
from its start. Texts of prompts, answers and reasons are included only on request.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.judge.shown import called_tools
from pytest_llmeval.core.text import shorten, storable
from pytest_llmeval.core.types import Call, Score
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.reports.exported import ExportedCase, answer_text
from pytest_llmeval.store.records import Run

__all__ = ["trace_run"]

Attributes = dict[str, Any]

_LONGEST = 16_384
"""Largest number of characters of an attribute; OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT may lower it."""
_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
_RESULTS = {"passed": "pass", "missed": "fail"}
_SUITE_STATES = {"pass": "success", "fail": "failure"}


def trace_run(tracer: Tracer, run: Run, cases: Iterable[ExportedCase], *, with_texts: bool) -> None:
    """Create the spans of a run that has ended, with its stored times.

    Args:
        tracer: creates the spans.
        run: the run.
        cases: the cases of the run; only one is held in memory.
        with_texts: whether to include prompts, answers and reasons.
    """
    start = _ns(run.started_at) or 0
    root = tracer.start_span("llmeval run", context=Context(), attributes=_about_run(run), start_time=start)
    specs = {**run.settings.get("judges", {}), **run.settings.get("models", {})}
    within, last = set_span_in_context(root, Context()), start
    for exported in cases:
        last = max(last, _trace_case(tracer, within, exported, specs, start, with_texts=with_texts))
    if run.end is not None and run.end.exit_code != 0:
        root.set_status(Status(StatusCode.ERROR, f"exit status {run.end.exit_code}, verdict {run.end.verdict}"))
    root.end((_ns(run.end.finished_at) if run.end is not None else None) or last)


def _about_run(run: Run) -> Attributes:
    end = run.end
    return _known(
        {
            "llmeval.run.id": run.id,
            "llmeval.run.name": run.name,
            "llmeval.run.status": run.shown_status,
            "llmeval.run.partial": True if run.left_out else None,
            "llmeval.run.verdict": end and end.verdict,
            "llmeval.run.exit_status": end and end.exit_code,
            "test.suite.run.status": end and _SUITE_STATES.get(end.verdict),
            "vcs.ref.head.revision": run.git_commit,
            "vcs.ref.head.name": run.git_branch,
        }
    )


def _trace_case(
    tracer: Tracer,
    within: Context,
    exported: ExportedCase,
    specs: Mapping[str, str],
    earliest: int,
    *,
    with_texts: bool,
) -> int:
    """Create the spans of a case and its calls; return its end in nanoseconds since 1970."""
    case = exported.case
    start = _ns(case.started_at) or earliest
    about = {
        "test.suite.name": case.key.suite,
        "test.case.name": case.key.nodeid,
        "test.case.result.status": _RESULTS.get(case.outcome),
        "llmeval.sample.id": case.key.sample_id,
        "llmeval.model": case.key.model,
        "llmeval.epoch": case.key.epoch,
        "llmeval.slices": [_text(name) for name in case.slices],
        "llmeval.outcome": case.outcome,
        "llmeval.cost_usd": case.cost_usd,
        "error.type": case.error_kind,
    }
    span = tracer.start_span("llmeval case", context=within, attributes=_known(about), start_time=start)
    if case.error_kind is not None:
        span.set_status(Status(StatusCode.ERROR, _text(case.error or "") if with_texts else case.error_kind))
    end = start
    for call in exported.calls:
        end = _trace_call(tracer, set_span_in_context(span, within), call, specs, end, with_texts=with_texts)
    end = max(end, start + _length(case.waited_s))
    for score in case.scores:
        _tell_score(span, score, end, with_texts=with_texts)
    span.end(end)
    return end


def _tell_score(span: Span, score: Score, at: int, *, with_texts: bool) -> None:
    label = None if score.passed is None else "pass" if score.passed else "fail"
    fields = {
        "gen_ai.evaluation.name": score.name,
        "gen_ai.evaluation.score.value": score.value,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": score.reason if with_texts else None,
        "error.type": ("scorer" if score.judge_id is None else "judge") if score.status == "error" else None,
    }
    span.add_event("gen_ai.evaluation.result", _known(fields), timestamp=at)


def _trace_call(
    tracer: Tracer, within: Context, call: Call, specs: Mapping[str, str], start: int, *, with_texts: bool
) -> int:
    """Create the span of a call; return its end. An answer from the cache took no time."""
    params = call.request.get("params") or {}
    server = _about_model(call.model, specs.get(call.model))
    about = {
        "gen_ai.operation.name": "chat",
        **server,
        **{name: params.get(param) for param, name in _PARAMS.items() if params.get(param) is not None},
        "gen_ai.request.stop_sequences": _stops(params.get("stop")),
        "gen_ai.response.model": call.detail.get("model"),
        "gen_ai.response.finish_reasons": _stops(call.detail.get("finish_reason")),
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "error.type": None if call.status == "ok" else call.status,
        "llmeval.call.role": call.role,
        "llmeval.call.attempts": call.attempts,
        "llmeval.call.cached": call.cached,
        "llmeval.cost_usd": call.cost_usd,
    }
    texts = _texts(call) if with_texts else {}
    name = f"chat {_text(server['gen_ai.request.model'])}"
    span = tracer.start_span(name, within, SpanKind.CLIENT, attributes={**_known(about), **texts}, start_time=start)
    if call.status != "ok":
        span.set_status(Status(StatusCode.ERROR, call.status))
    end = start if call.cached else start + _length(call.latency_s)
    span.end(end)
    return end


def _texts(call: Call) -> Attributes:
    """Return the messages of a call in the form of the conventions' JSON schemas, each text shortened separately."""
    asked = call.request.get("messages")
    messages = [_message(each) for each in asked if isinstance(each, Mapping)] if isinstance(asked, list) else []
    told = answer_text(call)
    reason = _text(str(call.detail.get("finish_reason") or ("stop" if call.status == "ok" else "error")))
    parts = [*([_part(told)] if told else []), *_wanted(call.detail)]
    return {
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts, "finish_reason": reason}]),
    }


def _message(message: Mapping[str, Any]) -> Attributes:
    content, wanted = message.get("content"), _wanted(message)
    parts = content if isinstance(content, list) else [content] if content is not None or not wanted else []
    return {"role": _text(str(message.get("role", ""))), "parts": [*map(_part, parts), *wanted]}


def _part(part: Any) -> Attributes:
    """Return a part of a message; a picture or a file is reduced to its type."""
    if not isinstance(part, Mapping) or "text" in part:
        text = part.get("text") if isinstance(part, Mapping) else part
        return {"type": "text", "content": _text(text if isinstance(text, str) else json.dumps(text))}
    return {"type": _text(str(part.get("type", "part")))}


def _wanted(detail: Mapping[str, Any]) -> list[Attributes]:
    """Return the message parts for the tool calls in a message, or in the answer to a call."""
    calls = called_tools(detail.get("tool_calls"))
    return [{"type": "tool_call", "name": _text(name), "arguments": _text(arguments)} for name, arguments in calls]


@functools.lru_cache(maxsize=64)
def _about_model(name: str, text: str | None) -> Mapping[str, Any]:
    """Return the attributes of the model called ``name`` in a run: provider, the provider's name for it, server."""
    try:
        spec = parse_spec(text or "")
    except ModelError:  # a foreign run, or one of another version
        return {"gen_ai.request.model": name}
    found = re.match(r"https?://(\[[^\]]*\]|[^/:?#]+)(?::(\d+))?", spec.base_url.url if spec.base_url else "")
    server = {"server.address": found[1], "server.port": found[2] and int(found[2])} if found else {}
    return {"gen_ai.provider.name": spec.kind, "gen_ai.request.model": spec.name, **server}


def _stops(value: Any) -> list[str] | None:
    values = value if isinstance(value, list) else [value]
    return None if value is None else [_text(str(each)) for each in values]


def _known(attributes: Mapping[str, Any]) -> Attributes:
    """Return the attributes that have a value; texts are made valid UTF-8 and shortened."""
    return {
        name: _text(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None and isinstance(value, str | bool | int | float | list)
    }


def _text(text: str) -> str:
    return shorten(storable(text), _LONGEST)


def _length(seconds: float | None) -> int:
    return int((seconds or 0.0) * 1e9)


def _ns(iso: str) -> int | None:
    """Return a time in nanoseconds since 1970; None if the text is not a time."""
    try:
        return int(datetime.fromisoformat(iso).timestamp() * 1e6) * 1000
    except ValueError:
        return None
