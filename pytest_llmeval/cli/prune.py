"""The command ``llmeval prune``: listing old runs that nothing needs, and deleting them."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    open_store,
    size_label,
    table_room,
    terminal_width,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.clock import stored_time, utc
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.text import counted, one_line, printable
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.pruning import Pruning, choose_runs, delete_runs
from pytest_llmeval.store.records import Bulk
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["prune"]

_COLUMNS: list[Column] = [("run", "fixed"), ("name", "left"), ("last recorded (UTC)", "fixed"), ("what", "fixed")]
_WORTH_IT = 0.05
"""Smallest free share of the file for which rewriting it is worthwhile."""


@click.command()
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.IntRange(min=1, max=36_500),
    required=True,
    help="Runs that are at least this many days old.",
)
@click.option("--delete", "is_meant", is_flag=True, help="Delete them; without it they are only listed.")
@click.option("--even-unfinished", is_flag=True, help="Include runs that --resume could continue.")
@json_option
@database_option
def prune(days: int, is_meant: bool, even_unfinished: bool, as_json: bool, database: Path | None) -> None:
    """Delete runs of which nothing was recorded for DAYS days, with their answers.

    A run stays if it is a baseline or still going on, if people labelled its answers, if it proves the gain of a
    training, or if a run that stays was compared with it or scored its answers again.
    """
    project = find_project()
    before = stored_time(utc() - timedelta(days=days))
    choose = functools.partial(choose_runs, before=before, even_unfinished=even_unfinished)
    with contextlib.closing(open_store(project, database) if is_meant else open_reader(project, database)) as store:
        chosen = choose(store)
        bulk = store.bulk(chosen.ids)
        size = store.path.stat().st_size
        deleted, notes = _deleted(store, choose) if isinstance(store, SqliteStore) and is_meant else ([], [])
        now = store.path.stat().st_size
    if as_json:
        emit_json(_facts(chosen, bulk, deleted, is_meant=is_meant) | {"bytes_before": size, "bytes_after": now})
        return
    if is_meant:
        message = f"{counted(len(deleted), 'run')} deleted; {project.shown(store.path)}: {size_label(size)}"
        lines = [f"{message}, now {size_label(now)}", *_lost(bulk, "are no longer"), *notes]
        echo_lines(line for each in lines for line in wrapped(each, terminal_width()))
        return
    echo_lines(_listed(chosen, bulk))


def _deleted(store: SqliteStore, choose: Callable[[SqliteReader], Pruning]) -> tuple[list[str], list[str]]:
    """Delete the chosen runs; return their ids, and notes on the file."""
    deleted = list(delete_runs(store, lambda: choose(store)))
    if store.free_share() < _WORTH_IT:
        return deleted, []
    later = "later runs use the space freed in it; the same command shrinks the file when no session is running"
    if any(run.shown_status == "running" for run in store.runs()):
        return deleted, [f"note: a session is running, so the file was not shrunk: {later}"]
    try:
        if not store.shrink():
            return deleted, ["note: another process is reading the file, which shrinks when that process closes it"]
    except StoreError as error:  # another process holds the file, or the disk is full
        return deleted, [f"note: {printable(str(error))}; {later}"]
    return deleted, []


def _listed(chosen: Pruning, bulk: Bulk) -> Iterator[str]:
    """Yield lines on the runs that would be deleted, and on old runs that stay."""
    rows = [[*_named(run.id, run.name, run.last_sign_at), "goes"] for run in chosen.goes]
    rows += [[*_named(run.id, run.name, run.last_sign_at), "stays"] for run, _ in chosen.stays]
    if rows:
        yield from table_lines(_COLUMNS, rows, width=table_room())
    for run, why in chosen.stays:
        yield from wrapped(f"{run.id} stays: {why}", terminal_width())
    if not chosen.goes:
        yield "no run would be deleted"
        return
    message = f"{counted(len(chosen.goes), 'run')} with {counted(bulk.cases, 'case')}, about {size_label(bulk.bytes)}"
    message += ", would be deleted; add --delete to delete them, which cannot be undone"
    for each in (message, *_lost(bulk, "would no longer be")):
        yield from wrapped(each, terminal_width())


def _lost(bulk: Bulk, verb: str) -> Iterator[str]:
    if bulk.cached_answers:
        yield f"{bulk.cached_answers:,} of their answers {verb} in the cache, as no other run has them"


def _named(run_id: str, name: str | None, at: str) -> Sequence[str]:
    return printable(run_id), one_line(name or "", 40), one_line(at[:16].replace("T", " "))


def _facts(chosen: Pruning, bulk: Bulk, deleted: Sequence[str], *, is_meant: bool) -> dict[str, object]:
    gone = set(deleted)
    return {
        "deleted": is_meant,
        "runs": [
            {"id": run.id, "name": run.name, "last_recorded_at": run.last_sign_at}
            for run in chosen.goes
            if not is_meant or run.id in gone
        ],
        "stays": [{"id": run.id, "name": run.name, "why": why} for run, why in chosen.stays],
        "cases": bulk.cases,
        "bytes": bulk.bytes,
        "cached_answers": bulk.cached_answers,
    }
