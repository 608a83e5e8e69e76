"""Reports a stored run outside the terminal: to GitHub Actions, and as OpenTelemetry traces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.records.escalating import is_escalated
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["OutsideReport", "report_outside"]

_SUMMARY = "GITHUB_STEP_SUMMARY"
_WITH_TEXTS = ("TRUE", "1", "SPAN_ONLY", "SPAN_AND_EVENT")
"""Values of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT that put prompts and answers on spans."""


@dataclass(slots=True)
class OutsideReport:
    """Lines for the terminal that result from reporting elsewhere."""

    notes: list[str] = field(default_factory=list)
    """Notes on what could not be reported, and why; nothing fails because of it."""
    annotations: list[str] = field(default_factory=list)
    """GitHub workflow commands, to be printed on standard output."""


def report_outside(store: SqliteStore, run_id: str, settings: Settings) -> OutsideReport:
    """Report a run that has ended as the environment asks for; read nothing if it asks for nothing.

    Args:
        store: holds the run; its texts are without secrets.
        run_id: of the run.
        settings: of the session. The child process of a second look leaves all this to its parent.
    """
    told = OutsideReport()
    environ = settings.environ
    if not is_escalated(run_id, environ):
        if environ.get(_SUMMARY):  # each step of a job sets it; elsewhere we print no commands
            try:
                _tell_github(store, run_id, settings, told)
            except KeyboardInterrupt:  # the run is judged and stored
                told.notes.append("GitHub did not get all of the run: the session was interrupted")
        if wants_traces(environ):
            _send_traces(store, run_id, environ, told)
    return told


def _tell_github(store: SqliteStore, run_id: str, settings: Settings, told: OutsideReport) -> None:
    from pytest_llmeval.reports.annotations import annotation_lines
    from pytest_llmeval.reports.run_markdown import run_markdown
    from pytest_llmeval.reports.run_report import read_report

    environ, root = settings.environ, settings.rootdir
    try:
        report = read_report(store.find_run(run_id), reader=store, root=root)
    except StoreError as error:
        told.notes.append(f"GitHub gets nothing of the run: {error}")
        return
    _append(environ[_SUMMARY], run_markdown(report), told)
    if environ.get("GITHUB_ACTIONS") == "true":
        workspace = Path(environ.get("GITHUB_WORKSPACE") or root)
        told.annotations += annotation_lines(report, root=root, workspace=workspace)


def _append(path: str, text: str, told: OutsideReport) -> None:
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            file.write(f"{text}\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        told.notes.append(f"{_SUMMARY} cannot be written: {why}: {one_line(path)}")


def wants_traces(environ: Mapping[str, str]) -> bool:
    """Return whether the variables of OpenTelemetry ask for traces."""
    return environ.get("OTEL_SDK_DISABLED", "").lower() != "true" and bool(_exporters(environ))


def _exporters(environ: Mapping[str, str]) -> list[str]:
    """Return the requested exporters: those named, else OTLP if it has an address."""
    named = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if named:
        return [name for name in map(str.strip, named.split(",")) if name not in ("", "none")]
    return ["otlp"] if any(environ.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT") for part in ("", "TRACES_")) else []


def _send_traces(store: SqliteStore, run_id: str, environ: Mapping[str, str], told: OutsideReport) -> None:
    try:
        from pytest_llmeval.reports.exported import exported_cases
        from pytest_llmeval.reports.traces import EXPORTERS, send_traces
    except ImportError as error:
        told.notes.append(f"no traces are sent: install pytest-llmeval[otel] ({error})")
        return
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    wanted = _exporters(environ)
    exporters = [name for name in wanted if name in EXPORTERS]
    if len(exporters) < len(wanted):
        told.notes.append(f"OTEL_TRACES_EXPORTER: of {one_line(', '.join(wanted))} only otlp and console are known")
    if "otlp" in exporters and protocol not in (None, "", "http/protobuf"):
        told.notes.append(f"no traces are sent by OTLP: {one_line(repr(protocol))} is not known, set http/protobuf")
        exporters.remove("otlp")
    if not exporters:
        return
    captured = environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").strip().upper()
    try:
        problems = send_traces(
            store.find_run(run_id),
            exported_cases(store, run_id),
            exporters=exporters,
            environ=environ,
            with_texts=captured in _WITH_TEXTS,
        )
    except (StoreError, OSError, ValueError) as error:  # for example a variable that makes no sense
        problems = [str(error)]
    except KeyboardInterrupt:  # ends the wait for the collector; the run is judged and stored
        problems = ["not all were sent: the session was interrupted"]
    told.notes += [f"traces: {one_line(problem)}" for problem in problems]
