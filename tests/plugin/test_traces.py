"""Spans of a run, sent to a real collector when the session ends; only where OpenTelemetry's variables ask for it."""

import importlib
import inspect
import json
import os
import re
import signal
import sys
import threading
from datetime import datetime
from typing import Any

import pytest

from pytest_llmeval.core.text import storable
from tests.support.fault_server import FaultServer
from tests.support.hostile import HOSTILE
from tests.support.project import Project
from tests.support.trace_collector import TraceCollector, attributes_of

BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
    if sample.id == "c":
        raise RuntimeError("boom")
"""
ROWS = [
    {"id": "a", "input": "secret question", "target": "secret question", "slice": "easy"},
    {"id": "b", "input": "x", "target": "y"},
    {"id": "c", "input": "x", "target": "x"},
]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A collector that the environment names."""
    with TraceCollector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def named(collector: TraceCollector, name: str) -> list[Any]:
    return [span for span in collector.spans if span.name == name]


def test_a_run_is_a_tree_of_spans(project: Project, collector: TraceCollector, dist_args: list[str]) -> None:
    """The run, its cases, their calls; names by the conventions; no text of a prompt or an answer."""
    project.eval(BODY, ROWS, marker="params={'temperature': 0.5, 'max_tokens': 9, 'stop': ['z']}")
    result = project.run("evals", *dist_args)
    assert result.ret == 1
    assert {resource["service.name"] for resource in collector.resources} == {"pytest-llmeval"}
    (run,) = named(collector, "llmeval run")
    cases = {attributes_of(span)["llmeval.sample.id"]: span for span in named(collector, "llmeval case")}
    calls = named(collector, "chat echo")
    assert (len(cases), len(calls), len(collector.spans)) == (3, 3, 7)
    assert {span.trace_id for span in collector.spans} == {run.trace_id}
    assert {span.parent_span_id for span in cases.values()} == {run.span_id}
    assert {span.parent_span_id for span in calls} == {span.span_id for span in cases.values()}
    stored = project.last_run()
    assert attributes_of(run) == {
        "llmeval.run.id": stored["id"],
        "llmeval.run.status": "finished",
        "llmeval.run.verdict": "none",
        "llmeval.run.exit_status": 1,
    }
    assert attributes_of(cases["a"]) == {
        "test.suite.name": "echo",
        "test.case.name": "evals/test_echo.py::test_echo[a]",
        "test.case.result.status": "pass",
        "llmeval.sample.id": "a",
        "llmeval.model": "echo",
        "llmeval.epoch": 1,
        "llmeval.slices": ["easy"],
        "llmeval.outcome": "passed",
    }
    assert attributes_of(cases["b"])["test.case.result.status"] == "fail"
    assert attributes_of(cases["c"])["error.type"] == "code"
    assert (cases["c"].status.code, cases["c"].status.message) == (2, "code")
    (told,) = cases["b"].events
    assert told.name == "gen_ai.evaluation.result"
    assert attributes_of(told) == {
        "gen_ai.evaluation.name": "exact",
        "gen_ai.evaluation.score.value": 0.0,
        "gen_ai.evaluation.score.label": "fail",
    }
    (call,) = [span for span in calls if span.parent_span_id == cases["a"].span_id]
    found = attributes_of(call)
    assert call.kind == 3  # client
    assert found.pop("gen_ai.usage.output_tokens") > 0
    assert found.pop("server.port") == int(project.server.url.split(":")[2].split("/")[0])
    assert found.pop("gen_ai.usage.input_tokens") > 0
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "echo",
        "server.address": "127.0.0.1",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["z"],
        "gen_ai.response.model": "echo",
        "gen_ai.response.finish_reasons": ["stop"],
        "llmeval.call.role": "model",
        "llmeval.call.attempts": 1,
        "llmeval.call.cached": False,
    }
    assert "secret" not in str(collector.spans)


def test_times_are_those_that_were_recorded(project: Project, collector: TraceCollector) -> None:
    project.eval(BODY, ROWS[:1])
    project.run("evals")
    (stored,) = project.rows("SELECT started_at, latency_s FROM cases")
    (run,), (case,), (call,) = (named(collector, name) for name in ("llmeval run", "llmeval case", "chat echo"))
    began = datetime.fromisoformat(stored["started_at"]).timestamp() * 1e9
    assert case.start_time_unix_nano == call.start_time_unix_nano == pytest.approx(began, abs=1e6)
    assert call.end_time_unix_nano - call.start_time_unix_nano == pytest.approx(stored["latency_s"] * 1e9, abs=1000)
    assert run.start_time_unix_nano <= case.start_time_unix_nano
    assert case.end_time_unix_nano >= call.end_time_unix_nano
    row = project.last_run()
    ended = datetime.fromisoformat(row["finished_at"]).timestamp() * 1e9
    assert run.end_time_unix_nano == pytest.approx(ended, abs=1e6)


@pytest.mark.parametrize(("value", "is_told"), [("true", True), ("SPAN_ONLY", True), ("false", False), ("", False)])
def test_texts_are_sent_where_they_are_asked_for(
    project: Project, collector: TraceCollector, monkeypatch: pytest.MonkeyPatch, value: str, is_told: bool
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    project.eval(BODY, ROWS[:2])
    project.run("evals")
    (call,) = [span for span in named(collector, "chat echo") if "secret" in str(span)] or [None]
    assert (call is not None) == is_told
    if call is not None:
        found = attributes_of(call)
        parts = [{"type": "text", "content": "secret question"}]
        assert json.loads(found["gen_ai.input.messages"]) == [{"role": "user", "parts": parts}]
        assert json.loads(found["gen_ai.output.messages"]) == [
            {"role": "assistant", "parts": parts, "finish_reason": "stop"}
        ]
        missed = named(collector, "llmeval case")[1].events[0]
        assert "expected" in attributes_of(missed)["gen_ai.evaluation.explanation"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=str,
)
def test_nothing_is_sent_unasked(project: Project, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """And nothing of OpenTelemetry is imported."""
    with TraceCollector() as collector:
        for name, value in environ.items():
            monkeypatch.setenv(name, value.replace("URL", collector.url))
        project.eval(
            BODY + "    import sys\n    assert not [x for x in sys.modules if 'opentelemetry.sdk' in x]\n", ROWS[:1]
        )
        project.write(
            conftest_py="""
            import sys

            def pytest_unconfigure():
                print("loaded:", [name for name in sys.modules if name.startswith("opentelemetry.sdk")])
            """
        )
        result = project.run("evals", fresh=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["loaded: []"])
    assert collector.requests == 0


def test_a_run_is_printed_where_that_is_asked_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    project.eval(BODY, ROWS[:1])
    out = project.run("evals").stdout.str()
    assert '"name": "llmeval run"' in out
    assert '"gen_ai.request.model": "echo"' in out


@pytest.mark.parametrize("status", [400, 503])
def test_a_collector_that_takes_nothing_is_a_note(
    project: Project, collector: TraceCollector, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    collector.status = status
    project.eval(BODY, ROWS[:1])
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: traces: 3 spans were refused by the exporter otlp: *"])
    assert "opentelemetry" not in result.stderr.str()


def test_a_session_told_to_end_while_it_sends_ends_as_it_was_judged(
    project: Project, collector: TraceCollector
) -> None:
    """Its run is stored by then; the collector is waited for no longer."""
    has_ended = threading.Event()

    def take(path: str, body: bytes) -> None:
        os.kill(int((project.root / "pid").read_text()), signal.SIGTERM)
        has_ended.wait(60)

    collector.take = take  # type: ignore[method-assign]
    project.write(conftest_py="import os\nimport pathlib\n\npathlib.Path('pid').write_text(str(os.getpid()))\n")
    project.eval(BODY, ROWS[:1])
    result = project.run("evals", "-p", "no:xdist", inside=False)
    has_ended.set()
    assert (result.ret, project.last_run()["exit_code"], project.last_run()["status"]) == (0, 0, "finished")
    result.stdout.fnmatch_lines(["note: traces: not all were sent: the session was interrupted"])


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"},
            "note: traces: 3 spans were refused by the exporter otlp: it cannot be reached",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"},
            "note: traces: 3 spans were refused by the exporter otlp: it cannot be reached",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SPAN_EVENT_COUNT_LIMIT": "x"},
            "note: traces: OTEL_SPAN_EVENT_COUNT_LIMIT must be *",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "note: OTEL_TRACES_EXPORTER: of zipkin only otlp and console are known",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "note: no traces are sent by OTLP: 'grpc' is not known, set http/protobuf",
        ),
    ],
)
def test_what_cannot_be_sent_is_a_note(
    project: Project, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], told: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    project.eval(BODY, ROWS[:1])
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines([told])


def test_without_the_extra_a_note_says_what_to_install(
    project: Project, collector: TraceCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytest_llmeval.reports.traces", None)
    project.eval(BODY, ROWS[:1])
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: no traces are sent: install pytest-llmeval[[]otel] (*"])


def test_many_spans_go_in_batches(project: Project, collector: TraceCollector) -> None:
    project.eval(BODY, [{"id": f"r{number}", "input": "x", "target": "x"} for number in range(300)])
    project.run("evals")
    assert (len(collector.spans), collector.requests) == (601, 2)


def test_hostile_texts_are_sent_whole_or_cut(
    project: Project, collector: TraceCollector, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lone surrogates are escaped; a long text is cut and says so."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    texts = list(HOSTILE.values())
    server.reply = lambda messages: texts[int(messages[-1]["content"])]
    project.eval(
        "def test_echo(response, score):\n    score.exact(response, 'never')\n",
        [{"id": storable(text), "input": str(place), "slice": storable(text)} for place, text in enumerate(texts)],
    )
    result = project.run("evals", "-q", "--tb=no")
    assert "traces:" not in result.stdout.str()
    calls = named(collector, "chat echo")
    said = {json.loads(attributes_of(call)["gen_ai.output.messages"])[0]["parts"][0]["content"] for call in calls}
    assert len(said) == len(texts)
    assert HOSTILE["bidi"] in said
    assert max(map(len, said)) == 16_384
    assert len({attributes_of(span)["llmeval.sample.id"] for span in named(collector, "llmeval case")}) == len(texts)


def test_names_are_those_of_the_conventions() -> None:
    """As opentelemetry-semantic-conventions has them."""
    spans = importlib.import_module("pytest_llmeval.reports.spans")
    known: set[str] = set()
    for name in ("gen_ai", "test", "vcs", "server", "error"):
        module = importlib.import_module(f"opentelemetry.semconv._incubating.attributes.{name}_attributes")
        known |= {value for value in vars(module).values() if isinstance(value, str)}
    used = set(re.findall(r'"((?:gen_ai|test|vcs|server|error)\.[a-z_.]+)"', inspect.getsource(spans)))
    assert len(used) > 20
    assert used - known == {"gen_ai.evaluation.result"}  # an event
