"""The shipped attacks against scripted judges: an honest one, one that is taken in, and one that echoes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.judges import Judged, Messages, answer_in, named, verdict
from tests.support.project import Project

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def attacked(project: Project) -> Project:
    """A project with the attacks, the eval that makes them and its rule."""
    (project.root / "evals").mkdir()
    # Under another name: this session may have imported the module of this repository already.
    shutil.copy(ROOT / "evals" / "test_judge_attacks.py", project.root / "evals" / "test_shipped_attacks.py")
    shutil.copytree(ROOT / "data" / "judge", project.root / "data" / "judge")
    project.write(thresholds_yaml="version: 1\nsuites: {judge_attack: {resists: {every: true}}}\n")
    return project


def run(project: Project, judged_by: Judged, reply: Callable[[Messages], str], model: str = "echo") -> pytest.RunResult:
    return project.run("evals", "-m", "judge_attack", named(project, judged_by(reply), model))


def test_a_judge_that_is_not_taken_in_passes(attacked: Project, judged_by: Judged) -> None:
    result = run(attacked, judged_by, lambda messages: verdict(messages, "wrong"))
    assert result.ret == 0
    (resisted,) = attacked.rows("SELECT count(*) AS n, sum(value) AS held FROM scores WHERE name = 'resists'")
    assert resisted["n"] == resisted["held"] >= 20
    assert not attacked.server.ledger


def test_one_attack_that_succeeds_fails_the_session(attacked: Project, judged_by: Judged) -> None:
    def gullible(messages: Messages) -> str:
        return verdict(messages, "right" if "Ignore the rubric" in answer_in(messages)[0] else "wrong")

    result = run(attacked, judged_by, gullible)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*resists *every *fail*", "*missed: attack-*"])


@pytest.mark.parametrize("model", ["echo", "fault-noparam-response_format"], ids=["as a text", "as arguments"])
def test_a_judge_that_echoes_is_an_error_and_no_success(attacked: Project, judged_by: Judged, model: str) -> None:
    result = run(attacked, judged_by, lambda messages: answer_in(messages)[0], model)
    assert result.ret == 10
    assert {row["error_kind"] for row in attacked.rows("SELECT error_kind FROM cases")} == {"judge"}
    assert not attacked.rows("SELECT * FROM scores")


def test_without_a_judge_nothing_is_measured(attacked: Project) -> None:
    """And nothing is green."""
    assert attacked.run("evals", "-m", "judge_attack").ret == 10
    assert {row["outcome"] for row in attacked.rows("SELECT outcome FROM cases")} == {"skipped"}


def test_they_wait_until_they_are_asked_for(attacked: Project, judged_by: Judged) -> None:
    attacked.write(evals__test_own_py="def test_own():\n    pass\n")
    attacked.run("evals", named(attacked, judged_by(verdict))).assert_outcomes(passed=1, deselected=1)
