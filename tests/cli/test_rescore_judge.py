"""Stored answers are judged again: by another rubric or judge, or for the first time; the model is never asked."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Command
from tests.support.fault_server import FaultServer
from tests.support.judges import named, verdict
from tests.support.project import Project

ROWS = [
    {"id": "good", "input": "yes", "target": "yes"},
    {"id": "half", "input": "maybe", "target": "yes"},
    {"id": "bad", "input": "no", "target": "yes"},
]
EVAL = """
def test_echo(sample, response, score):
    score.judge_sync(response, rubric="qa", gates=False)
"""
OTHER = EVAL.replace('rubric="qa"', 'rubric="qa", question="In one word?"')


@pytest.fixture
def judge() -> Iterator[FaultServer]:
    with FaultServer(verdict) as server:
        yield server


def correctness(project: Project) -> dict[str, float | None]:
    sql = "SELECT sample_id, value FROM scores JOIN cases ON cases.id = case_id WHERE run_id = ? AND name = ?"
    rows = project.rows(sql, project.last_run()["id"], "correctness")
    return {row["sample_id"]: row["value"] for row in rows}


RIGHT = {"good": 1.0, "half": 0.5, "bad": 0.0}


@pytest.mark.parametrize("spread", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_run_that_had_no_judge_is_judged_for_the_first_time(
    project: Project, llmeval: Command, judge: FaultServer, spread: list[str]
) -> None:
    project.eval(EVAL, ROWS)
    assert project.run("evals").ret == 0
    flag, asked = named(project, judge), len(project.server.ledger)
    result = llmeval("rescore", "last", flag, *spread)
    assert result.status == 0, result.out
    assert correctness(project) == RIGHT
    assert (len(judge.ledger), len(project.server.ledger)) == (3, asked)
    assert llmeval("rescore", "last", flag, *spread).status == 0
    assert len(judge.ledger) == 3  # the run that was made holds them


def test_only_a_judge_that_is_named_is_asked_what_the_run_does_not_hold(
    project: Project, llmeval: Command, judge: FaultServer
) -> None:
    project.eval(EVAL, ROWS)
    flag = named(project, judge)
    assert project.run("evals", flag).ret == 0
    project.eval(OTHER, ROWS)
    assert llmeval("rescore", "last").status == 10
    kinds = project.rows("SELECT error_kind FROM cases WHERE run_id = ?", project.last_run()["id"])
    assert [row["error_kind"] for row in kinds] == 3 * ["not_cached"]
    assert len(judge.ledger) == 3
    (run,) = project.rows("SELECT id FROM runs ORDER BY started_at LIMIT 1")
    assert llmeval("rescore", run["id"], flag).status == 0
    assert correctness(project) == RIGHT
    assert len(judge.ledger) == 6


def test_a_judge_that_failed_is_asked_again_where_it_is_named(
    project: Project, llmeval: Command, judge: FaultServer
) -> None:
    project.eval(EVAL, ROWS[:1])
    with FaultServer(lambda messages: "no idea") as broken:
        assert project.run("evals", named(project, broken)).ret == 1
    assert llmeval("rescore", "last").status == 1  # it fails as it did
    assert llmeval("rescore", "last", named(project, judge)).status == 0
    assert correctness(project) == {"good": 1.0}


def test_what_judging_again_may_cost_is_limited(project: Project, llmeval: Command, judge: FaultServer) -> None:
    """A judge whose price nobody stated cannot be held to it; the model's does not matter, as it is not asked."""
    project.eval(EVAL, ROWS)
    assert project.run("evals").ret == 0
    result = llmeval("rescore", "last", named(project, judge), "--max-cost=1")
    assert result.status == 4
    assert "--max-cost: the price of model 'j' is not known" in result.out + result.err
    assert not judge.ledger
