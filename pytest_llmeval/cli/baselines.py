"""The commands ``llmeval baseline``: naming runs for comparison, and exporting them to files and importing them."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    echo_written,
    emit_json,
    json_option,
    open_reader,
    open_store,
    size_label,
    table_room,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.cli.replaced import check_replaces
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import XPASSED
from pytest_llmeval.core.text import counted, one_line, printable
from pytest_llmeval.reports.run_text import run_label
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.store.baseline_choice import TAKEN_NAMES
from pytest_llmeval.store.baseline_file import BaselineFile, write_baseline
from pytest_llmeval.store.baselines import refusal
from pytest_llmeval.store.code_state import resumed_on
from pytest_llmeval.store.records import ANSWERING, FAILED_TESTS, Run, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.twins import origins

__all__ = ["baseline"]

_COLUMNS: list[Column] = [
    ("name", "left"),
    ("run", "fixed"),
    ("set (UTC)", "fixed"),
    ("verdict", "fixed"),
    ("commit", "fixed"),
    ("models", "left"),
]
_LONGEST_NAME = 100


def _valid(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Return the typed name; raise BadParameter if it is not a valid baseline name."""
    why = None if name is None else _why_no_name(name)
    if why is not None:
        raise click.BadParameter(why, ctx=context, param=parameter)
    return name


@click.group()
def baseline() -> None:
    """Name runs as baselines for comparison; keep them in files."""


@baseline.command("set")
@click.argument("name", callback=_valid)
@click.argument("run", default="last")
@click.option("--even-red", is_flag=True, help="Accept a run that failed, too.")
@json_option
@database_option
def set_baseline(name: str, run: str, even_red: bool, as_json: bool, database: Path | None) -> None:
    """Give RUN the baseline name NAME, replacing the run that had it.

    RUN must be complete and green. It must have all suites of the run that had the name, unless they no longer exist,
    and values of all metrics that rules compare.
    """
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        found = store.find_run(run)
        _check(found, even_red=even_red or _only_misses(store, found), db_option=store.db_option)
        check_replaces(store, name, found, store.judged(found.id), project)
        before = _name(store, name, found.id)
    if as_json:
        emit_json({"name": name, "run": found.id, "replaced": before})
        return
    echo_lines([f"baseline {name}: run {run_label(found)}{_instead(before, found)}", *_left_out(found)])


@baseline.command("list")
@json_option
@database_option
def list_baselines(as_json: bool, database: Path | None) -> None:
    """List the named baselines."""
    with contextlib.closing(open_reader(find_project(), database)) as store:
        found = [(each, store.known_run(each.run_id)) for each in store.baselines()]
    if as_json:
        emit_json([{"name": each.name, "set_at": each.set_at, **_facts(run)} for each, run in found])
        return
    if not found:
        echo_lines(["no baselines yet; `llmeval baseline set NAME` names the last run"])
        return
    rows = [
        [
            one_line(each.name, _LONGEST_NAME),
            printable(run.id),
            one_line(each.set_at[:16].replace("T", " ")),
            run.end.verdict if run.end else "",
            one_line((run.git_commit or "")[:9]),
            one_line(", ".join(run.models)),
        ]
        for each, run in found
    ]
    echo_lines(table_lines(_COLUMNS, rows, width=table_room()))


@baseline.command("rm")
@click.argument("name")
@json_option
@database_option
def remove(name: str, as_json: bool, database: Path | None) -> None:
    """Remove the baseline name NAME; its run stays."""
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        run_id = _named(store).get(name)
        if run_id is None or not store.drop_baseline(name):
            raise StoreError(_unknown(store, name, project))
    if as_json:
        emit_json({"name": name, "run": run_id})
        return
    echo_lines([f"baseline {one_line(name)} is removed; run {printable(run_id)} stays"])


@baseline.command()
@click.argument("run", metavar="NAME|RUN")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--no-answers", is_flag=True, help="Leave out everything that quotes the models or the dataset.")
@click.option("--even-red", is_flag=True, help="Accept a run that failed, too; one that has a name is always accepted.")
@json_option
@database_option
def export(run: str, file: Path, no_answers: bool, even_red: bool, as_json: bool, database: Path | None) -> None:
    """Write a baseline, or a run that could be one, to FILE, for git or as an artifact.

    FILE is compressed if its name ends in .gz.
    """
    with contextlib.closing(open_reader(find_project(), database)) as store:
        named = _named(store).get(run)
        found = store.find_run(named or run)
        is_red_taken = even_red or named is not None or _only_misses(store, found)
        _check(found, even_red=is_red_taken, db_option=store.db_option)
        name = run if named else found.name or found.id
        count = sum(1 for _ in store.judged(found.id))
        write_baseline(
            file,
            shown=one_line(str(file)),
            name=name,
            run=replace(found, settings={**found.settings, **_beside(store, found)}),
            count=count,
            cases=store.cases(found.id),
            judges=store.judges(found.id),
            answers=not no_answers,
        )
    size = file.stat().st_size
    if as_json:
        emit_json({"file": str(file), "name": name, "run": found.id, "cases": count, "bytes": size})
        return
    answers = "without answers, " if no_answers else ""
    message = f"run {run_label(found)} as {one_line(name)}: {counted(count, 'case')}, {answers}{size_label(size)}"
    echo_written(file, f"{one_line(str(file))}: {message}")


@baseline.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", callback=_valid, help="Name of the baseline; default: the one in the file.")
@json_option
@database_option
def import_baseline(file: Path, name: str | None, as_json: bool, database: Path | None) -> None:
    """Import the run in FILE and name it, replacing the run that had the name. A run already here is not added twice.

    A database is created if there is none.
    """
    found = BaselineFile(file, one_line(str(file)))
    why = _why_no_name(found.name) if name is None else None
    if why:
        raise StoreError(f"{found.shown}: the name in it cannot be used ({why}); give one with --name")
    _check(found.run, even_red=True)
    name = name or found.name
    project = find_project()
    path = project.database_at(database)
    with contextlib.closing(SqliteStore(path, db_option=project.db_option(path))) as store:
        check_replaces(store, name, found.run, found.judged(), project)
        is_new = store.import_run(found.run, found.cases(), found.judges)
        before = _name(store, name, found.run.id)
    if as_json:
        emit_json({"name": name, "run": found.run.id, "imported": is_new, "cases": found.count, "replaced": before})
        return
    how = f"{counted(found.count, 'case')} imported" if is_new else "it was here already"
    echo_lines([f"baseline {one_line(name)}: run {run_label(found.run)}, {how}{_instead(before, found.run)}"])


def _beside(store: SqliteReader, run: Run) -> dict[str, Any]:
    """Return the settings that an export adds, because the file holds neither calls nor other runs; perhaps none.

    They are the models that answered for the judges, and the run whose calls got the answers if it is another run.
    """
    told = store.answering(run)
    answered = origins(store.runs())[run.id] if run.settings.get("rescored") else run.id
    return {**({ANSWERING: told} if told else {}), **({"rescored": answered} if answered != run.id else {})}


def _why_no_name(name: str) -> str | None:
    """Return why ``name`` is not a valid baseline name; None if it is."""
    if not name.strip() or name != name.strip() or not name.isprintable() or name != printable(name):
        return f"{one_line(repr(name), 80)} is not printable, or begins or ends with a space"
    if any(sign in name for sign in "@/\\"):
        return f"{one_line(repr(name), 80)} holds '@', '/' or '\\', which are used in RUN@MODEL and file names"
    if name in TAKEN_NAMES:
        return f"{name!r} is reserved where a baseline is named"
    if len(name) > _LONGEST_NAME:
        return f"it has {len(name)} characters, and at most {_LONGEST_NAME} are allowed"
    return None


def _only_misses(store: SqliteReader, run: Run) -> bool:
    """Whether a run without judged rules is red only because of misses; such a run is a start for writing rules."""
    if run.end is None or (run.end.exit_code, run.end.verdict) != (1, "none") or run.settings.get(FAILED_TESTS):
        return False
    cases = list(store.judged(run.id))
    is_broken = any(case.outcome == "error" or case.error_kind == XPASSED for case in cases)
    return not is_broken and any(case.outcome == "missed" for case in cases)


def _check(run: Run, *, even_red: bool, db_option: str = "") -> None:
    why = refusal(run, even_red=even_red, db_option=db_option)
    if why is not None:
        raise StoreError(f"not a valid baseline: {why}")
    for told in resumed_on(run):
        click.echo(
            f"warning: run {run.id} was {told}: its answers may be of several states of the application", err=True
        )


def _named(store: SqliteReader) -> dict[str, str]:
    """Return the run id of each named baseline."""
    return {each.name: each.run_id for each in store.baselines()}


def _name(store: SqliteStore, name: str, run_id: str) -> str | None:
    """Give a run a baseline name; return the id of the run that had it before."""
    before = _named(store).get(name)
    store.set_baseline(name, run_id, utc_now())
    return before


def _unknown(store: SqliteStore, name: str, project: Project) -> str:
    known = ", ".join(one_line(each, 40) for each in _named(store)) or "none"
    return f"{project.shown(store.path)}: no baseline {one_line(repr(name), 80)}; there are: {known}"


def _left_out(found: Run) -> Iterator[str]:
    """Yield a note on how many rows ``-m`` left out, which comparisons with this baseline will lack."""
    if count := sum(suite.get("deselected", 0) for suite in found.suites.values()):
        chosen = one_line(repr(found.settings.get("markexpr", "")), 60)
        yield f"note: -m {chosen} left out {counted(count, 'row')}, which the baseline lacks"


def _instead(before: str | None, run: Run) -> str:
    if before is None:
        return ""
    return ", as before" if before == run.id else f", in place of run {printable(before)}"


def _facts(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "run_name": run.name,
        "models": run.models,
        "verdict": run.end.verdict if run.end else "none",
        "exit_code": run.end.exit_code if run.end else None,
        "git_commit": run.git_commit,
        "git_branch": run.git_branch,
    }
