"""The commands ``llmeval runs`` and ``llmeval show``: listing the stored runs, and showing one."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    table_room,
    terminal_width,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.reports.against import recorded_line
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_text import (
    SHOW_ALL,
    heading,
    not_judged_lines,
    note_lines,
    run_lines,
    spending_lines,
    verdict_line,
)
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.store.journal import damaged_journals
from pytest_llmeval.store.records import Run, Spending

__all__ = ["print_run", "runs", "show"]

_COLUMNS: list[Column] = [
    ("run", "fixed"),
    ("name", "left"),
    ("status", "fixed"),
    ("verdict", "fixed"),
    ("exit", "right"),
    ("models", "left"),
]


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@json_option
@database_option
def runs(limit: int, as_json: bool, database: Path | None) -> None:
    """List the recorded runs."""
    with contextlib.closing(open_reader(find_project(), database)) as store:
        found = store.newest(limit)
    if as_json:
        emit_json([_run_facts(run) for run in found])
        return
    rows = [
        [
            printable(run.id),
            one_line(run.name or "", 40),
            ", ".join([run.shown_status, *_part(run)]),
            run.end.verdict if run.end else "",
            str(run.end.exit_code) if run.end else "",
            one_line(", ".join(run.models)),
        ]
        for run in found
    ]
    echo_lines(table_lines(_COLUMNS, rows, width=table_room(), spare=["exit"]))


@click.command()
@click.argument("run", default="last")
@click.option("-v", "--verbose", count=True, help="All misses and errors, not the first 30 of each suite.")
@json_option
@database_option
def show(run: str, verbose: int, as_json: bool, database: Path | None) -> None:
    """Show one run: its metrics by suite and slice, its verdicts, its misses and errors."""
    with contextlib.closing(open_reader(find_project(), database)) as store:
        found = store.find_run(run)
        read = RunCases.read(store, found.id, verbosity=verbose + 1)
        verdicts = list(store.verdicts(found.id))
        view = view_run(found, read, verdicts)
        spending, notes = store.spending(found.id), run_notes(found, read.judged, store)
        if as_json:
            fields: dict[str, Any] = {"suites": view.suites, "verdict": view.verdict, "spending": spending}
            fields |= {"voting": store.voting(found.id), "cases": list(store.cases(found.id))}
            emit_json({**_run_facts(found), **fields, "earlier_outcomes": store.earlier_outcomes(found.id)})
            return
        if found.shown_status == "crashed":
            notes = [*notes, *(f"note: {error}" for _, error in damaged_journals(store.path, found.id))]
        against = recorded_line(found, verdicts)
        notes = [*notes, *([against] if against else [])]
    print_run(view, spending, verbose + 1, notes=notes, exit_code=found.end.exit_code if found.end else None)


def print_run(
    view: RunView, spending: Sequence[Spending], verbosity: int, *, notes: Sequence[str], exit_code: int | None
) -> None:
    """Print a run for people, with ``notes`` before its verdict and exit status."""
    width = terminal_width()
    shown = run_lines(view, width=width, tables=table_room(), verbosity=verbosity, in_full=verbosity > 1, more=SHOW_ALL)
    lines = [*heading(view, width=width), "", *shown]
    lines += not_judged_lines(view, width)
    lines += spending_lines(spending, width)
    lines += note_lines(notes, shown, width)
    echo_lines([*lines, verdict_line(view, exit_code)])


def _part(run: Run) -> Iterator[str]:
    """Yield what makes a run less than a full one, in words."""
    if run.left_out:
        yield "partial"
    if shard := run.settings.get("shard"):
        yield f"shard {one_line(str(shard), 40)}"


def _run_facts(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "status": run.shown_status,
        "partial": bool(run.left_out),
        "verdict": run.end.verdict if run.end else "none",
        "exit_code": run.end.exit_code if run.end else None,
        "started_at": run.started_at,
        "finished_at": run.end.finished_at if run.end else None,
        "models": run.models,
        "git_commit": run.git_commit,
        "git_branch": run.git_branch,
        "git_dirty": run.git_dirty,
        "dataset_digest": run.dataset_digest,
        "settings": run.settings,
        "version": run.version,
        "calls_cut_off": run.calls_cut_off,
    }
