"""A stored run judged again: by today's rules, against the baseline of its session or another."""

import contextlib
from pathlib import Path

import click

from pytest_llmeval.cli.output import database_option, emit_json, json_option, open_store
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.cli.runs import print_run
from pytest_llmeval.core.gate.judging import GateResult, judge
from pytest_llmeval.core.judge.trust import Trust
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.status import FAILED, stored_status
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.reports.judge_drift import judge_warnings
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.baseline_choice import BaselineChoice, choose_again
from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.trust import trust_in

__all__ = ["gate"]


@click.command()
@click.argument("run", default="last")
@click.option("--thresholds", type=click.Path(path_type=Path), help="The rules; thresholds.yaml of the project.")
@click.option("--baseline", metavar="NAME|RUN|FILE|none", help="What to compare with; what the session was told.")
@json_option
@database_option
def gate(run: str, thresholds: Path | None, baseline: str | None, as_json: bool, database: Path | None) -> int:
    """Judge a stored run again by today's rules, without any model call. The exit status is that of the gate."""
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        found = store.find_run(run)
        rules = rules_for(project, found, thresholds, to_judge=True)
        choice = choose_again(found, baseline, rules, reader=store, root=project.root)
        cases = RunCases.read(store, found.id)
        spending = store.spending(found.id)
        warnings = list(judge_warnings(found, store.answering(found), choice.found))
        result, exit_code = _judged(found, rules, choice, cases, trust_in(store, rules))
    view = view_run(found, cases, result.verdicts)
    if as_json:
        facts = {"run": found.id, "status": found.shown_status, "exit_code": exit_code, "verdict": result.verdict}
        emit_json({**facts, "baseline": choice.recorded(), "verdicts": result.verdicts, "warnings": warnings})
    else:
        print_run(
            view, spending, 0, notes=[*against_lines(choice, found, rules), *(f"warning: {each}" for each in warnings)]
        )
    return exit_code


def _judged(
    run: Run, rules: Thresholds, choice: BaselineChoice, cases: RunCases, trust: Trust
) -> tuple[GateResult, int]:
    """Return what the gate says of a run, and the exit status that it comes to."""
    partial = bool(run.settings.get("partial"))
    if run.settings.get("shard") and run.end is not None and run.end.status not in UNFINISHED:
        return GateResult(verdicts=(), verdict="none", partial=partial), run.end.exit_code
    if run.shown_status in UNFINISHED:
        stopped = GateResult(verdicts=(), verdict="none", partial=partial)
        return stopped, (run.end and run.end.exit_code) or FAILED
    result = judge(
        rules,
        cases.judged,
        collected=_expected(run),
        partial=partial,
        baseline=choice.to_judge(run),
        no_baseline=choice.why_none,
        trust=trust,
    )
    told = [(case.suite, case.outcome, case.error_kind) for case in cases.judged]
    return result, stored_status(result, rules, cases=told)


def _expected(run: Run) -> dict[tuple[str, str], int]:
    """Return how many cases each suite and model was to have."""
    suites = run.settings.get("suites", {})
    return {
        (name, model): count for name, suite in suites.items() for model, count in suite.get("expected", {}).items()
    }
