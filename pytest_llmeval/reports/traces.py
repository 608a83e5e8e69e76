"""Sending the spans of a stored run to trace collectors, configured by OpenTelemetry's variables."""

import contextlib
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from logging.handlers import BufferingHandler

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from pytest_llmeval.core.text import inert_json
from pytest_llmeval.reports.exported import ExportedCase
from pytest_llmeval.reports.spans import trace_run
from pytest_llmeval.store.records import Run
from pytest_llmeval.version import __version__

__all__ = ["EXPORTERS", "send_traces"]

EXPORTERS = ("otlp", "console")
"""Values that ``OTEL_TRACES_EXPORTER`` may name."""
_BATCH = 512


def send_traces(
    run: Run, cases: Iterable[ExportedCase], *, exporters: Sequence[str], environ: Mapping[str, str], with_texts: bool
) -> list[str]:
    """Send the spans of a run that has ended; return one message for each exporter that failed.

    Args:
        run: the run.
        cases: the cases of the run; only one is held in memory.
        exporters: some of ``EXPORTERS``.
        environ: the environment variables; the exporters and the SDK read their own variables themselves.
        with_texts: whether to send prompts, answers and reasons too.
    """
    named = "OTEL_SERVICE_NAME" in environ or f"{SERVICE_NAME}=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    with _quiet() as said:
        resource = Resource.create({} if named else {SERVICE_NAME: "pytest-llmeval"})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        batches = [_Batches(name, _exporter(name), said) for name in exporters]
        for each in batches:
            provider.add_span_processor(each)
        trace_run(provider.get_tracer("pytest_llmeval", __version__), run, cases, with_texts=with_texts)
        provider.shutdown()
    return [each.problem for each in batches if each.problem]


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stdout, formatter=_console_text)
    return OTLPSpanExporter()


def _console_text(span: ReadableSpan) -> str:
    """Return a span as ASCII JSON, in which a CI system finds no commands."""
    return inert_json(span.to_json()) + "\n"


class _Batches(SpanProcessor):
    """Exports spans in batches, until the exporter fails for one."""

    def __init__(self, name: str, exporter: SpanExporter, said: list[logging.LogRecord]) -> None:
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
            status = re.search(r"code: (\d+)", " ".join(record.getMessage() for record in self._said))
            why = f"it answered {status[1]}" if status else "it cannot be reached"
            self.problem = f"{self._lost:,} spans were refused by the exporter {self._name}: {why}"

    def _send(self) -> None:
        spans, self._spans = self._spans, []
        if not spans:
            return
        if self._lost or self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            self._lost += len(spans)


@contextlib.contextmanager
def _quiet() -> Iterator[list[logging.LogRecord]]:
    """Keep the exporters' log off the terminal, and yield its records."""
    logger, keeper = logging.getLogger("opentelemetry"), BufferingHandler(sys.maxsize)
    before = logger.propagate
    logger.addHandler(keeper)
    logger.propagate = False
    try:
        yield keeper.buffer
    finally:
        logger.propagate = before
        logger.removeHandler(keeper)
