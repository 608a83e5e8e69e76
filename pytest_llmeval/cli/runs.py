"""Stored runs: list them, show one, judge one again."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_store,
    terminal_width,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.gate import GateResult, judge
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.status import FAILED, stored_status
from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.reports.run_text import heading, not_judged_lines, run_lines, spending_lines, verdict_line
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.store.records import UNFINISHED, Run, Spending

__all__ = ["gate", "runs", "show"]

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
    with contextlib.closing(open_store(find_project(), database)) as store:
        found = store.runs()[:limit]
    if as_json:
        emit_json([_run_facts(run) for run in found])
        return
    rows = [
        [
            printable(run.id),
            one_line(run.name or "", 40),
            run.shown_status,
            run.end.verdict if run.end else "",
            str(run.end.exit_code) if run.end else "",
            one_line(", ".join(run.models)),
        ]
        for run in found
    ]
    echo_lines(table_lines(_COLUMNS, rows, width=terminal_width()))


@click.command()
@click.argument("run", default="last")
@click.option("-v", "--verbose", count=True, help="Every slice and more misses; twice: all of them.")
@json_option
@database_option
def show(run: str, verbose: int, as_json: bool, database: Path | None) -> None:
    """Show one run: its metrics by suite and slice, its verdicts, its misses and errors."""
    with contextlib.closing(open_store(find_project(), database)) as store:
        found = store.find_run(run)
        cases = list(store.cases(found.id)) if as_json else store.cases(found.id)
        view = view_run(found, RunCases.of(cases), store.verdicts(found.id))
        spending = store.spending(found.id)
    if as_json:
        facts = {"suites": view.suites, "verdict": view.verdict, "spending": spending, "cases": cases}
        emit_json({**_run_facts(found), **facts})
        return
    _print(view, spending, verbose + 1)


@click.command()
@click.argument("run", default="last")
@click.option("--thresholds", type=click.Path(path_type=Path), help="The rules; thresholds.yaml of the project.")
@json_option
@database_option
def gate(run: str, thresholds: Path | None, as_json: bool, database: Path | None) -> int:
    """Judge a stored run again by today's rules, without any model call. The exit status is that of the gate."""
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        found = store.find_run(run)
        cases = RunCases.of(store.cases(found.id))
        spending = store.spending(found.id)
    rules = _rules(project, found, thresholds)
    partial = bool(found.settings.get("partial"))
    if found.shown_status in UNFINISHED:
        result = GateResult(verdicts=(), verdict="none", partial=partial)
        exit_code = (found.end and found.end.exit_code) or FAILED
    else:
        result = judge(rules, cases.judged, collected=_expected(found), partial=partial)
        told = [(case.suite, case.outcome, case.error_kind) for case in cases.judged]
        exit_code = stored_status(result, rules, cases=told)
    if as_json:
        facts = {"run": found.id, "status": found.shown_status, "exit_code": exit_code, "verdict": result.verdict}
        emit_json({**facts, "verdicts": result.verdicts})
    else:
        _print(view_run(found, cases, result.verdicts), spending, 0)
    return exit_code


def _print(view: RunView, spending: Sequence[Spending], verbosity: int) -> None:
    width = terminal_width()
    lines = [*heading(view, width=width), "", *run_lines(view, width=width, verbosity=verbosity)]
    lines += not_judged_lines(view, width)
    lines += spending_lines(spending, width)
    echo_lines([*lines, verdict_line(view)])


def _rules(project: Project, run: Run, given: Path | None) -> Thresholds:
    """Return the rules of the file that is named here, in the environment or by the run, else of thresholds.yaml.

    Where the latter is missing there are none, as in the run's own session.
    """
    named = given or project.environ.get("LLMEVAL_THRESHOLDS")
    recorded = run.settings.get("options", {}).get("thresholds")
    path = project.root / recorded if recorded else project.thresholds
    if named:
        path = project.located(str(named))
    if os.path.exists(path):
        return load_thresholds(path, shown_as=project.shown(path))
    if not named and path == project.root / "thresholds.yaml":
        return Thresholds()
    raise ThresholdsError(f"{project.shown(path)}: no such file; name one with --thresholds")


def _expected(run: Run) -> dict[tuple[str, str], int]:
    suites = run.settings.get("suites", {})
    return {
        (name, model): count for name, suite in suites.items() for model, count in suite.get("expected", {}).items()
    }


def _run_facts(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "status": run.shown_status,
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
    }
