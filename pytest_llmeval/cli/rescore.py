"""The command ``llmeval rescore``: today's scorers on the answers of a stored run, as a new run, and what flipped."""

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_store,
    table_room,
    terminal_width,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.child import run_captured
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.status import BROKEN
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import counted, one_line, printable
from pytest_llmeval.reports.against import recorded_line
from pytest_llmeval.reports.rescored_scores import ScoreFlips, find_flips, find_gone, flip_lines, gone_line
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_text import SHOW_ALL, not_judged_lines, note_lines, run_lines, verdict_line
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.carried import carry_labels
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["rescore"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@json_option
@database_option
def rescore(run: str, pytest_args: tuple[str, ...], as_json: bool, database: Path | None) -> int:
    """Score the answers of RUN again, as a new run, with today's tests and scorers; no model is asked.

    RUN may also be the name of a baseline. With --judge-model SPEC the judge is asked for what the run does not hold,
    for example after a change of a rubric; without it only judgements of the run count.

    The exit status is that of the new run. PYTEST_ARGS are passed to pytest, such as -n 4 or -k NAME.
    """
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        named = {baseline.name: baseline.run_id for baseline in store.baselines()}
        old = store.find_run(named.get(run, run))
        functions = _functions(store.cases(old.id))
        lacks_calls = old.is_imported and any(case.attempts for case in store.cases(old.id))
    if lacks_calls:
        raise UserError(
            f"run {old.id} was imported without its calls; it can be scored again only in the database that recorded it"
        )
    if not functions:
        raise UserError(f"run {old.id} has no finished case, so there is nothing to score")
    command = [sys.executable, "-m", "pytest", *functions, *(["-m", old.markexpr] if old.markexpr else [])]
    command += [f"--llmeval-rescore={old.id}", f"--llmeval-db={store.path.absolute()}", *pytest_args]
    session, printed = run_captured(command, cwd=project.root)
    with contextlib.closing(open_store(project, database)) as store:
        new = next((each for each in store.runs() if _is_of(each, session.pid, old)), None)
        if new is None or new.end is None or session.returncode in BROKEN:
            click.echo(printable(printed), err=True)
            return session.returncode
        labels = carry_labels(store, old.id, new.id)
        flips = find_flips(store.cases(old.id), store.cases(new.id))
        _show(store, old, new, flips, labels, as_json=as_json)
    return session.returncode


def _functions(cases: Iterable[StoredCase]) -> list[str]:
    """Return the node ids of the test functions that the cases belong to, in their order."""
    found = dict.fromkeys(case.key.nodeid.partition("::")[::2] for case in cases)
    return list(dict.fromkeys(f"{path}::{name.partition('[')[0]}" for path, name in found))


def _is_of(run: Run, pid: int, old: Run) -> bool:
    return run.pid == pid and run.is_here and run.settings.get("rescored") == old.id


def _show(store: SqliteStore, old: Run, new: Run, flips: list[ScoreFlips], labels: int, *, as_json: bool) -> None:
    cases, verdicts = RunCases.read(store, new.id), list(store.verdicts(new.id))
    view = view_run(new, cases, verdicts)
    gone = find_gone(old, new, store.judged(old.id), cases.judged)
    if as_json:
        ended = {"status": new.shown_status, "partial": bool(new.left_out), "exit_code": new.end and new.end.exit_code}
        facts = {"run": new.id, "rescored": old.id, "labels": labels, "gone": gone, **ended}
        emit_json({**facts, "verdict": view.verdict, "flips": flips, "verdicts": verdicts})
        return
    width = terminal_width()
    shown = run_lines(view, width=width, tables=table_room(), more=SHOW_ALL)
    against = recorded_line(new, verdicts)
    notes = run_notes(new, cases.judged, store, ruled={verdict.suite for verdict in verdicts})
    lines = [*flip_lines(flips, table_room()), "", *shown, *not_judged_lines(view, width)]
    lines += note_lines([*notes, *([against] if against else [])], shown, width)
    if gone:
        lines += wrapped(gone_line(old.id, len(gone), {case.sample_id for case in gone}), width)
    name = f" ({one_line(old.name, 40)})" if old.name else ""
    lines += [f"the answers of run {printable(old.id)}{name} were scored again as run {printable(new.id)}"]
    if labels:
        lines.append(f"{counted(labels, 'label')} copied from it")
    echo_lines([*lines, verdict_line(view, new.end.exit_code if new.end else None)])
