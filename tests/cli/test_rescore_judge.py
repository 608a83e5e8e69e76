"""Stored answers are judged again: by another rubric or judge, or for the first time; the model is never asked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.models.vllm.executable import vllm_version
from tests.cli.conftest import Command
from tests.support.fake_vllm import FakeVllm, write_base
from tests.support.fault_server import FaultServer
from tests.support.judges import ROWS, named, verdict
from tests.support.project import Project

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


@pytest.fixture
def judged_here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    """A run of which a judge on this machine said something of each answer."""
    vllm_version.cache_clear()
    fake = FakeVllm(tmp_path / "bin", monkeypatch)
    write_base(project.root / "base")
    project.eval(
        """
        def test_echo(sample, response, judge, score):
            score.record("said", judge.generate_sync("Is it " + sample.input).text == "Is it " + sample.input)
        """,
        ROWS,
    )
    project.write(models_yaml="models: {j: {spec: 'vllm:base'}}\n")
    assert project.run("evals", "--judge-model=j").ret == 0
    return fake


def digests(project: Project) -> list[dict[str, str]]:
    """Return what identified the judges of each run."""
    rows = project.rows("SELECT settings_json FROM runs ORDER BY rowid")
    return [json.loads(row["settings_json"])["judge_digests"] for row in rows]


@pytest.mark.parametrize("gone", ["base/config.json", "vllm"])
def test_a_judge_whose_weights_are_gone_is_the_one_that_the_run_asked(
    project: Project, llmeval: Command, judged_here: FakeVllm, gone: str, spread: list[str]
) -> None:
    """Nobody asks it; what it said is in the run."""
    (judged_here.path if gone == "vllm" else project.root / gone).unlink()
    vllm_version.cache_clear()
    result = llmeval("rescore", "last", *spread)
    assert result.status == 0, result.out + result.err
    first, again = digests(project)
    assert first == again
    assert len(project.rows("SELECT * FROM scores WHERE value = 1.0")) == 2 * len(ROWS)
    assert len(judged_here.starts) == 1


@pytest.mark.parametrize("change", ["another spec", "other weights"])
def test_a_judge_that_became_another_one_is_refused_by_name(
    project: Project, llmeval: Command, judged_here: FakeVllm, change: str
) -> None:
    if change == "another spec":
        project.write(models_yaml="models: {j: {spec: 'hf:/gone'}}\n")
    else:
        (project.root / "base" / "model.safetensors").write_bytes(b"others")
    result = llmeval("rescore", "last")
    assert result.status == 4
    assert "judge 'j' is not what the run asked (vllm:base); name it with --judge-model=j" in result.out + result.err
    assert len(digests(project)) == 1
