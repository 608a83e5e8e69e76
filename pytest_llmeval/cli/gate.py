"""The command ``llmeval gate``: judging a stored run again by today's rules, against its own baseline or another."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    thresholds_option,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.rules import check_rules, rules_for
from pytest_llmeval.cli.runs import print_run
from pytest_llmeval.core.gate.case import broke_behind_answer
from pytest_llmeval.core.gate.judging import GateResult, apply_gate
from pytest_llmeval.core.judge.trust import Trust
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.status import FAILED, stored_status
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.reports.judge_drift import judge_warnings
from pytest_llmeval.reports.open_errors import open_errors
from pytest_llmeval.reports.rule_words import inconclusive_words, ungated_words, unmeasurable_words
from pytest_llmeval.reports.run_notes import passed_wrongly, run_notes
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.baseline_choice import BaselineChoice, choose_again
from pytest_llmeval.store.records import UNFINISHED, Run, Spending
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.trust import trust_in

__all__ = ["Gated", "gate"]


@click.command()
@click.argument("run", default="last")
@thresholds_option("RUN")
@click.option("--baseline", metavar="NAME|RUN|FILE|none", help="What to compare with; default: what the session used.")
@json_option
@database_option
def gate(run: str, thresholds: Path | None, baseline: str | None, as_json: bool, database: Path | None) -> int:
    """Judge a stored run again by today's rules, without any model call. The exit status is that of the gate."""
    project = find_project()
    with contextlib.closing(open_reader(project, database)) as store:
        found = store.find_run(run)
        rules = rules_for(project, found, thresholds, to_judge=True)
        check_rules(rules, found, store.judged(found.id))
        gated = Gated.of(store, found, rules, choose_again(found, baseline, rules, reader=store, root=project.root))
    gated.show(as_json=as_json)
    return gated.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """The gate's result for a stored run, and what is shown with it."""

    run: Run
    cases: RunCases
    choice: BaselineChoice
    result: GateResult
    exit_code: int
    """Exit status that follows from the result."""
    spending: list[Spending]
    notes: list[str]
    """Remarks on the run besides its figures, as sentences."""
    against: list[str]
    """Lines that say what rules on a change were judged against."""
    warnings: list[str]
    """Warnings that ``notes`` does not contain."""
    db_option: str
    """Option by which commands find its database, with a leading space; empty if they need none."""

    @classmethod
    def of(cls, store: SqliteReader, run: Run, rules: Thresholds, choice: BaselineChoice) -> "Gated":
        """Judge ``run`` by ``rules``, against the chosen baseline."""
        cases = RunCases.read(store, run.id)
        result, exit_code = _judged(run, rules, choice, cases, trust_in(store, rules))
        against = against_lines(choice, run, result.verdicts, cases.judged, db_option=store.db_option)
        ruled = [name for name in rules.suites if rules.has_rules(name)]
        return cls(
            run=run,
            cases=cases,
            choice=choice,
            result=result,
            exit_code=exit_code,
            spending=store.spending(run.id),
            notes=run_notes(_as_judged(run, rules, choice), cases.judged, store, ruled=ruled),
            against=[
                *against,
                *ungated_words(rules, cases.judged),
                *unmeasurable_words(rules, cases.judged),
                *inconclusive_words(result.verdicts, rules),
            ],
            warnings=[*judge_warnings(run, store.answering(run), choice.found)],
            db_option=store.db_option,
        )

    def show(self, *, as_json: bool, notes: Sequence[str] = (), **facts: Any) -> None:
        """Print the result, with ``notes`` for people and ``facts`` for JSON."""
        if as_json:
            fields = {"run": self.run.id, "status": self.run.shown_status, "exit_code": self.exit_code, **facts}
            fields |= {"partial": bool(self.run.left_out), "verdict": self.result.verdict}
            fields |= {"baseline": self.choice.recorded()}
            warnings = [*self.warnings, *passed_wrongly(self.cases.judged)]
            emit_json({**fields, "verdicts": self.result.verdicts, "warnings": warnings})
            return
        view = view_run(self.run, self.cases, self.result.verdicts, is_anew=True)
        beside = [*self.notes, *notes, *self.against, *(f"warning: {each}" for each in self.warnings)]
        print_run(view, self.spending, 0, notes=beside, exit_code=self.exit_code)
        if self._lacks_answers:
            echo_lines([f"continue with: {self.run.resume_command(db_option=self.db_option)}"])

    @property
    def _lacks_answers(self) -> bool:
        """Whether the run is unmeasurable and another session may get answers that its cases lack."""
        if self.run.is_imported or self.run.settings.get("rescored"):
            return False
        broken = open_errors(self.run, self.cases.judged)
        return any(not broke_behind_answer(case.error_kind, case.latency_s) for case in broken)


def _as_judged(run: Run, rules: Thresholds, choice: BaselineChoice) -> Run:
    """Return ``run`` with its notes on suites without an eval updated to ``rules`` and the chosen baseline."""
    noted = choice.noted_in(run)
    unmade = {name: count for name, count in noted.settings["unmade"].items() if name in rules.suites}
    return replace(noted, settings={**noted.settings, "unmade": unmade})


def _judged(
    run: Run, rules: Thresholds, choice: BaselineChoice, cases: RunCases, trust: Trust
) -> tuple[GateResult, int]:
    """Return the gate's result for a run, and the exit status that follows."""
    if run.settings.get("shard") and run.end is not None and run.end.status not in UNFINISHED:
        return GateResult(verdicts=(), verdict="none"), run.end.exit_code
    if run.shown_status in UNFINISHED:
        stopped = GateResult(verdicts=(), verdict="none")
        return stopped, (run.end and run.end.exit_code) or FAILED
    result = apply_gate(
        rules,
        cases.judged,
        collected=run.expected,
        baseline=choice.to_judge(run),
        no_baseline=choice.why_none,
        trust=trust,
        first_look=run.first_look,
    )
    outcomes = [(case.suite, case.outcome, case.error_kind) for case in cases.judged]
    return result, stored_status(result, rules, cases=outcomes)
