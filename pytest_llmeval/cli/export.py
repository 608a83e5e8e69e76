"""The commands ``llmeval export``: writing a stored run in forms that other programs read, any number of times."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    echo_written,
    emit_json,
    json_option,
    open_reader,
    write_lines,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.cli.view import html_page
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.export_csv import cases_csv, summary_csv
from pytest_llmeval.reports.export_jsonl import jsonl_lines
from pytest_llmeval.reports.export_prometheus import parsed_labels, prometheus_lines
from pytest_llmeval.reports.exported import exported_cases
from pytest_llmeval.reports.run_markdown import run_markdown
from pytest_llmeval.reports.run_report import read_report
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["export"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source of an export; everything is read from one snapshot."""

    project: Project
    store: SqliteReader
    run: Run


@click.group()
def export() -> None:
    """Write a recorded run in a form that other programs read."""


def _form(name: str) -> Callable[[Callable[..., Iterable[str]]], click.Command]:
    """Return a decorator that registers a function as the subcommand ``name``.

    The function takes a ``Source`` and its own options, and returns lines.
    """

    def add(form: Callable[..., Iterable[str]]) -> click.Command:
        @functools.wraps(form)  # its options, too
        def command(run: str, output: Path | None, as_json: bool, database: Path | None, **own: object) -> None:
            project = find_project()
            with contextlib.closing(open_reader(project, database)) as store, store.snapshot():
                found = store.find_run(run)
                lines = form(Source(project=project, store=store, run=found), **own)
                if output is None or str(output) == "-":
                    _print(found, lines, as_json=as_json)
                    return
                write_lines(output, lines)
            _tell(found, output, as_json=as_json)

        path = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
        to_file = click.option("--output", type=path, help="Write to this file, completely or not at all.")
        shared = click.argument("run", default="last")(to_file(json_option(database_option(command))))
        return export.command(name)(shared)

    return add


def _print(run: Run, lines: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        emit_json({"run": run.id, "text": "".join(f"{line}\n" for line in lines)})
    else:
        echo_lines(lines)


def _tell(run: Run, output: Path, *, as_json: bool) -> None:
    """Print what was written to which file."""
    size = output.stat().st_size
    if as_json:
        emit_json({"run": run.id, "output": str(output), "bytes": size})
    else:
        echo_written(output, f"{one_line(str(output))}: run {run.id}, {size:,} bytes")


@_form("csv")
@click.option("--summary", is_flag=True, help="The metrics by suite, model and slice instead of the cases.")
def export_csv(source: Source, *, summary: bool) -> Iterable[str]:
    """Write the cases of RUN as a table for a spreadsheet; no cell can be taken for a formula."""
    store, run = source.store, source.run
    if summary:
        return summary_csv(run.id, list(store.judged(run.id)))
    return cases_csv(run.id, store.score_names(run.id), exported_cases(store, run.id))


@_form("jsonl")
def export_jsonl(source: Source) -> Iterable[str]:
    """Write the cases of RUN as JSON lines, with all that is stored of them."""
    return jsonl_lines(source.run.id, exported_cases(source.store, source.run.id))


@_form("prometheus")
@click.option(
    "--label",
    "labels",
    metavar="NAME=VALUE",
    multiple=True,
    callback=lambda context, parameter, given: parsed_labels(given),
    help="Put this label on every sample.",
)
def export_prometheus(source: Source, *, labels: Mapping[str, str]) -> Iterable[str]:
    """Write the results of RUN as metrics for node-exporter's textfile collector."""
    store, run = source.store, source.run
    cases = RunCases(judged=list(store.judged(run.id)))
    view = view_run(run, cases, store.verdicts(run.id))
    return prometheus_lines(view, cases.judged, store.spending(run.id), labels)


@_form("markdown")
def export_markdown(source: Source) -> Iterable[str]:
    """Write RUN as in the summary of a GitHub job: gate, flips, worst misses, errors, cost."""
    return run_markdown(read_report(source.run, reader=source.store, root=source.project.root)).splitlines()


@_form("html")
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="How many cases to show in full; misses, errors and flips first.",
)
def export_html(source: Source, *, cases: int) -> Iterable[str]:
    """Write RUN as one self-contained HTML page."""
    return html_page(source.project, source.store.path, source.run, cases).split("\n")
