"""A stored run as OpenTelemetry spans: the run, its cases, their calls.

The names follow the GenAI semantic conventions (https://opentelemetry.io/docs/specs/semconv/gen-ai/), in the form of
opentelemetry-semantic-conventions 0.66, and those of tests and version control. What a run does not store is not made
up: the calls of a case are laid one after another from its start, as their lengths are known and their starts are not.
Texts of prompts, answers and reasons are left out unless they are asked for.
"""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.text import shorten, storable
from pytest_llmeval.core.types import Call, Score
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.reports.exported import ExportedCase, said_in
from pytest_llmeval.store.records import Run
from pytest_llmeval.version import __version__

__all__ = ["EXPORTERS", "send_traces"]

Attributes = dict[str, Any]

EXPORTERS = ("otlp", "console")
"""What ``OTEL_TRACES_EXPORTER`` may name."""
_BATCH = 512
_LONGEST = 16_384
"""Characters of an attribute; OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT may cut it shorter."""
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


def send_traces(
    run: Run, cases: Iterable[ExportedCase], *, exporters: Sequence[str], environ: Mapping[str, str], with_texts: bool
) -> list[str]:
    """Send the spans of a run that has ended; return what went wrong, in a line for each exporter that failed.

    Args:
        run: the run.
        cases: of the run; one at a time is held.
        exporters: some of ``EXPORTERS``.
        environ: the environment; the exporters and the SDK read their own variables themselves.
        with_texts: whether prompts, answers and reasons are sent, too.
    """
    named = "OTEL_SERVICE_NAME" in environ or f"{SERVICE_NAME}=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {SERVICE_NAME: "pytest-llmeval"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    with _quiet() as said:
        batches = [_Batches(name, _exporter(name), said) for name in exporters]
        for each in batches:
            provider.add_span_processor(each)
        _trace(provider.get_tracer("pytest_llmeval", __version__), run, cases, with_texts=with_texts)
        provider.shutdown()
    return [each.problem for each in batches if each.problem]


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stdout, formatter=_console_text)
    return OTLPSpanExporter()


def _console_text(span: ReadableSpan) -> str:
    """Return a span as ASCII JSON, in which GitHub finds none of its ``##[`` commands."""
    text: str = span.to_json()
    return text.replace("##[", "#\\u0023[") + "\n"


class _Batches(SpanProcessor):
    """Hands spans to an exporter, many at a time, until one batch is not taken."""

    def __init__(self, name: str, exporter: SpanExporter, said: list[str]) -> None:
        self.problem = ""
        self._name = name
        self._exporter = exporter
        self._said = said
        self._spans: list[ReadableSpan] = []
        self._lost = 0

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)
        if len(self._spans) >= _BATCH:
            self._send()

    def shutdown(self) -> None:
        self._send()
        self._exporter.shutdown()
        if self._lost:
            status = re.search(r"code: (\d+)", " ".join(self._said))
            why = f"it answered {status[1]}" if status else "it cannot be reached"
            self.problem = f"{self._lost:,} spans were not taken by the exporter {self._name}: {why}"

    def _send(self) -> None:
        spans, self._spans = self._spans, []
        if not spans:
            return
        if self._lost or self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            self._lost += len(spans)


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep what the exporters log off the terminal, and give it."""
    said: list[str] = []
    logger, keeper = logging.getLogger("opentelemetry"), logging.Handler()
    keeper.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.propagate
    logger.addHandler(keeper)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.propagate = before
        logger.removeHandler(keeper)


def _trace(tracer: Tracer, run: Run, cases: Iterable[ExportedCase], *, with_texts: bool) -> None:
    start = _ns(run.started_at) or 0
    root = tracer.start_span("llmeval run", context=Context(), attributes=_about_run(run), start_time=start)
    models = _Models(run)
    within, last = set_span_in_context(root, Context()), start
    for exported in cases:
        last = max(last, _trace_case(tracer, within, exported, models, start, with_texts=with_texts))
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
            "llmeval.run.verdict": end and end.verdict,
            "llmeval.run.exit_status": end and end.exit_code,
            "test.suite.run.status": end and _SUITE_STATES.get(end.verdict),
            "vcs.ref.head.revision": run.git_commit,
            "vcs.ref.head.name": run.git_branch,
        }
    )


def _trace_case(
    tracer: Tracer, within: Context, exported: ExportedCase, models: "_Models", earliest: int, *, with_texts: bool
) -> int:
    """Make the spans of a case and its calls; return when it ended."""
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
        end = _trace_call(tracer, set_span_in_context(span, within), call, models, end, with_texts=with_texts)
    end = max(end, start + _length(case.waited_s))
    for score in case.scores:
        _tell_score(span, score, end, with_texts=with_texts)
    span.end(end)
    return end


def _tell_score(span: Span, score: Score, at: int, *, with_texts: bool) -> None:
    label = None if score.passed is None else "pass" if score.passed else "fail"
    told = {
        "gen_ai.evaluation.name": score.name,
        "gen_ai.evaluation.score.value": score.value,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": score.reason if with_texts else None,
        "error.type": "scorer" if score.status == "error" else None,
    }
    span.add_event("gen_ai.evaluation.result", _known(told), timestamp=at)


def _trace_call(tracer: Tracer, within: Context, call: Call, models: "_Models", start: int, *, with_texts: bool) -> int:
    """Make the span of a call; return when it ended. An answer from the cache took no time."""
    params = call.request.get("params") or {}
    server = models.about(call.model)
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
        **(_texts(call) if with_texts else {}),
    }
    name = f"chat {_text(server['gen_ai.request.model'])}"
    span = tracer.start_span(name, within, SpanKind.CLIENT, attributes=_known(about), start_time=start)
    if call.status != "ok":
        span.set_status(Status(StatusCode.ERROR, call.status))
    end = start if call.cached else start + _length(call.latency_s)
    span.end(end)
    return end


def _texts(call: Call) -> Attributes:
    """Return the messages of a call, in the form of the conventions' JSON schemas; each text is cut by itself."""
    asked = call.request.get("messages")
    messages = [_message(each) for each in asked if isinstance(each, Mapping)] if isinstance(asked, list) else []
    told = said_in(call)
    reason = _text(str(call.detail.get("finish_reason") or ("stop" if call.status == "ok" else "error")))
    parts = [{"type": "text", "content": _text(told)}] if told is not None else []
    return {
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts, "finish_reason": reason}]),
    }


def _message(message: Mapping[str, Any]) -> Attributes:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return {"role": _text(str(message.get("role", ""))), "parts": [_part(part) for part in parts]}


def _part(part: Any) -> Attributes:
    """Return a part of a message; of a picture or a file no more than that it is there."""
    if not isinstance(part, Mapping) or "text" in part:
        text = part.get("text") if isinstance(part, Mapping) else part
        return {"type": "text", "content": _text(text if isinstance(text, str) else json.dumps(text))}
    return {"type": _text(str(part.get("type", "part")))}


class _Models:
    """What is asked, by the name that it has in a run."""

    def __init__(self, run: Run) -> None:
        self._specs: dict[str, str] = {**run.settings.get("judges", {}), **run.settings.get("models", {})}
        self._known: dict[str, Attributes] = {}

    def about(self, name: str) -> Attributes:
        """Return the attributes of a model: its provider, its name there, its server."""
        if name not in self._known:
            self._known[name] = _about_model(name, self._specs.get(name))
        return self._known[name]


def _about_model(name: str, text: str | None) -> Attributes:
    try:
        spec = parse_spec(text or "")
    except ModelError:  # a run of elsewhere, or of another version
        return {"gen_ai.request.model": name}
    found = re.match(r"https?://(\[[^\]]*\]|[^/:?#]+)(?::(\d+))?", spec.base_url.url if spec.base_url else "")
    server = {"server.address": found[1], "server.port": found[2] and int(found[2])} if found else {}
    return {"gen_ai.provider.name": spec.kind, "gen_ai.request.model": spec.name, **server}


def _stops(value: Any) -> list[str] | None:
    values = value if isinstance(value, list) else [value]
    return None if value is None else [_text(str(each)) for each in values]


def _known(attributes: Mapping[str, Any]) -> Attributes:
    """Return the attributes that have a value; texts as UTF-8 can hold them, cut where they are long."""
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
    """Return a time in nanoseconds since 1970; None for what is none."""
    try:
        return int(datetime.fromisoformat(iso).timestamp() * 1e6) * 1000
    except ValueError:
        return None
