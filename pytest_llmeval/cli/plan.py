"""The command ``llmeval plan``: the drop that today's suites can detect, and the rows or epochs that a drop takes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    opened_store,
    table_room,
    terminal_width,
    thresholds_option,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judges import gating
from pytest_llmeval.core.planning.plan import plan
from pytest_llmeval.core.planning.proposals import Proposal, propose
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.plan_text import plan_lines
from pytest_llmeval.reports.proposal_text import proposal_lines
from pytest_llmeval.reports.run_text import run_label
from pytest_llmeval.store.baselines import FoundBaseline, find_baseline
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.trust import trust_in
from pytest_llmeval.store.twins import twin_of

__all__ = ["plan_suites"]


@click.command("plan")
@click.argument("run", default="last")
@click.option(
    "--drop",
    type=click.FloatRange(min=0, min_open=True),
    default=0.05,
    show_default=True,
    help="The drop to see, in the unit of the scores.",
)
@click.option(
    "--power",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.8,
    show_default=True,
    help="In how many of all runs it is to be seen.",
)
@click.option("--rules", "proposes", is_flag=True, help="Print a thresholds.yaml for the suites without rules instead.")
@thresholds_option("RUN")
@json_option
@database_option
def plan_suites(
    run: str, drop: float, power: float, proposes: bool, thresholds: Path | None, as_json: bool, database: Path | None
) -> None:
    """Show which drops the suites of RUN can detect, and how many rows or epochs it takes to detect a drop.

    How much answers vary is estimated from the epochs of RUN, or from another stored run of the same rows.
    """
    project = find_project()
    with opened_store(project, database, [run]) as store:
        found = find_baseline(run, reader=store, root=project.root)
        rules = rules_for(project, found.run, thresholds, may_be_empty=proposes)
        twin = twin_of(found.run, store.runs()) if store is not None else None
        others = store.judged(twin.id) if store is not None and twin is not None else ()
        cases = found.own_cases()
        rules, silent = gating(rules, cases, trust_in(store, rules))
        facts = {"run": found.run.id, "other": twin.id if twin else None, "drop": drop, "power": power}
        if proposes:
            _show_rules(propose(rules, cases, others, power=power), rules, found, cases, facts, as_json=as_json)
            return
        made = plan(rules, cases, others, drop=drop, power=power)
    if not made.rows:
        raise _no_value(found.run)
    if as_json:
        reasons = [{"rule": rule, "reason": why} for rule, why in silent.items()]
        emit_json({**facts, "metrics": made.rows, "cannot_fail": made.unfailing, "may_not_gate": reasons})
        return
    room = {"width": terminal_width(), "tables": table_room()}
    lines = plan_lines(made, rules, twin=run_label(twin) if twin is not None else None, silent=silent, **room)
    echo_lines([_heading(found.run), "", *lines])


def _show_rules(
    proposals: Sequence[Proposal],
    rules: Thresholds,
    found: FoundBaseline,
    cases: Iterable[JudgedCase],
    facts: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    ruled = sorted({case.suite for case in cases if rules.has_rules(case.suite)})
    if not proposals and not ruled:
        raise _no_value(found.run)
    if as_json:
        emit_json({**facts, "proposals": proposals})
        return
    echo_lines(proposal_lines(proposals, run_label(found.run), power=facts["power"], ruled=ruled))


def _no_value(run: Run) -> StoreError:
    return StoreError(f"run {run.id}: no case of it has a value, so there is nothing to plan with")


def _heading(run: Run) -> str:
    partial = ", partial" if run.left_out else ""
    return f"run {run_label(run)}: {run.shown_status}{partial}"
