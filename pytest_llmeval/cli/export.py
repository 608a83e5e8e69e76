"""A stored run in the forms that other programs read; each can be made again at any time."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
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
    """Where an export reads."""

    project: Project
    store: SqliteReader
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for, beside the form."""

    run: str
    output: Path | None
    """None for standard output."""
    as_json: bool
    database: Path | None

    def write(self, lines: Callable[[Source], Iterable[str]]) -> None:
        """Write the run in the form that ``lines`` gives it; all that it reads is of one moment."""
        project = find_project()
        with contextlib.closing(open_reader(project, self.database)) as store, store.snapshot():
            found = Source(project=project, store=store, run=store.find_run(self.run))
            if self.output is None or str(self.output) == "-":
                if self.as_json:
                    emit_json({"run": found.run.id, "text": "".join(f"{line}\n" for line in lines(found))})
                else:
                    echo_lines(lines(found))
                return
            write_lines(self.output, lines(found))
        size = self.output.stat().st_size
        if self.as_json:
            emit_json({"run": found.run.id, "output": str(self.output), "bytes": size})
        else:
            echo_written(self.output, f"{one_line(str(self.output))}: run {found.run.id}, {size:,} bytes")


@click.group()
def export() -> None:
    """Write a recorded run in a form that other programs read."""


def _form(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Return what makes of a function the subcommand ``name``; it is given a ``Wanted`` and its own options."""

    def add(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)  # its options, too
        def command(run: str, output: Path | None, as_json: bool, database: Path | None, **own: object) -> None:
            function(Wanted(run=run, output=output, as_json=as_json, database=database), **own)

        path = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
        to_file = click.option("--output", type=path, help="Write to this file, as a whole or not at all.")
        shared = click.argument("run", default="last")(to_file(json_option(database_option(command))))
        return export.command(name)(shared)

    return add


@_form("csv")
@click.option("--summary", is_flag=True, help="The metrics by suite, model and slice instead of the cases.")
def export_csv(wanted: Wanted, *, summary: bool) -> None:
    """Write the cases of RUN as a table for a spreadsheet, in which nothing is a formula."""

    def lines(source: Source) -> Iterable[str]:
        store, run = source.store, source.run
        if summary:
            return summary_csv(run.id, list(store.judged(run.id)))
        return cases_csv(run.id, store.score_names(run.id), exported_cases(store, run.id))

    wanted.write(lines)


@_form("jsonl")
def export_jsonl(wanted: Wanted) -> None:
    """Write the cases of RUN as JSON lines, with all that is stored of them."""
    wanted.write(lambda source: jsonl_lines(source.run.id, exported_cases(source.store, source.run.id)))


@_form("prometheus")
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="Put this label on every sample.")
def export_prometheus(wanted: Wanted, *, labels: Sequence[str]) -> None:
    """Write what RUN came to as metrics for node-exporter's textfile collector."""
    given = parsed_labels(labels)

    def lines(source: Source) -> Iterable[str]:
        store, run = source.store, source.run
        cases = RunCases(judged=list(store.judged(run.id)))
        view = view_run(run, cases, store.verdicts(run.id))
        return prometheus_lines(view, cases.judged, store.spending(run.id), given)

    wanted.write(lines)


@_form("markdown")
def export_markdown(wanted: Wanted) -> None:
    """Write RUN as it stands in the summary of a GitHub job: gate, flips, worst misses, errors, cost."""

    def lines(source: Source) -> Iterable[str]:
        root = source.project.root
        return run_markdown(read_report(source.run, reader=source.store, root=root)).splitlines()

    wanted.write(lines)


@_form("html")
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="How many cases to show in full; misses, errors and flips first.",
)
def export_html(wanted: Wanted, *, cases: int) -> None:
    """Write RUN as one page for a browser, which needs no other file."""
    wanted.write(lambda source: html_page(source.project, source.store.path, source.run, cases).split("\n"))
