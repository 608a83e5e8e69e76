"""``local:`` models with an adapter in whole sessions: matrix, workers, resuming, mistakes."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.models.local.weights import SMOLLM2
from tests.support.project import Project
from tests.support.tiny_lora import SMOLLM2_SHAPES, write_lora

ROWS = [{"id": country, "input": f"What is the capital of {country}?"} for country in ("France", "Japan", "Peru")]
JUDGED = """
def test_judged(response, score):
    score.judge_sync(response, rubric="qa")
"""
BODY = """
def test_length(response, score):
    score.record("length", len(response.text))
"""
MARKER = 'params={"max_tokens": 12}'


@pytest.fixture(autouse=True)
def weights(smollm2: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of the project's own, in which the weights are."""
    (project.root / "cache" / "llmeval").mkdir(parents=True)
    (project.root / "cache" / "llmeval" / SMOLLM2.file_name).symlink_to(smollm2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.root / "cache"))


@pytest.fixture
def lora(project: Project) -> Path:
    """An adapter of random numbers that changes what the model says."""
    write_lora(project.root / "lora", SMOLLM2_SHAPES, rank=4, layers=30, strength=0.5)
    return project.root / "lora"


def own_servers() -> list[str]:
    """The embedded servers that this process has started and not ended."""
    listed = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if "local/child" in line]


def test_every_row_is_answered_by_base_and_adapter(project: Project, lora: Path, spread: list[str]) -> None:
    """One server has both, whoever runs the cases; it costs nothing, and what is made is told once."""
    project.eval(BODY, ROWS, marker=MARKER)
    result = project.run("evals", *spread, "--model=local:smollm2+lora", model="local:smollm2")
    assert result.ret == 0
    assert len([line for line in result.outlines if "out of lora (once)" in line]) == 1
    rows = project.rows("SELECT sample_id, model, response, cost_usd FROM cases")
    assert {(row["model"], row["cost_usd"]) for row in rows} == {("smollm2", 0), ("smollm2+lora", 0)}
    answers = {(row["model"], row["sample_id"]): row["response"] for row in rows}
    assert len(answers) == len(rows) == 6
    assert all(answers["smollm2", row["id"]] != answers["smollm2+lora", row["id"]] for row in ROWS)


def test_a_run_does_not_go_on_with_an_adapter_that_was_trained_again(project: Project, lora: Path) -> None:
    project.eval(BODY, ROWS, marker=MARKER)
    assert project.run("evals", "-k", "France", model="local:smollm2+lora").ret == 0
    write_lora(lora, SMOLLM2_SHAPES, rank=4, layers=30, strength=0.5, seed=1)
    result = project.run("evals", "--resume=last", model="local:smollm2+lora")
    assert result.ret == 4
    assert "smollm2+lora" in result.stderr.str()


@pytest.mark.parametrize(
    ("strength", "changes", "said"),
    [(0.0, {}, "it changes nothing"), (0.5, {"base_model_name_or_path": "org/other"}, "it was made for the base")],
)
def test_an_adapter_that_is_refused_ends_the_session_before_any_call(
    project: Project, strength: float, changes: dict[str, Any], said: str
) -> None:
    write_lora(project.root / "lora", SMOLLM2_SHAPES, rank=4, strength=strength, **changes)
    project.eval(BODY, ROWS, marker=MARKER)
    result = project.run("evals", model="local:smollm2+lora")
    assert result.ret == 4
    assert f"adapter lora: {said}" in " ".join(result.stderr.str().split())
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert own_servers() == []


def test_an_adapter_may_judge(project: Project) -> None:
    """Beside the base, which is under test; and like it, or it would say no end of nonsense."""
    write_lora(project.root / "lora", SMOLLM2_SHAPES, rank=4, layers=30, strength=0.02)
    project.eval(JUDGED, [{**ROWS[0], "target": "Paris"}], marker=MARKER)
    assert project.run("evals", "--judge-model=local:smollm2+lora", model="local:smollm2").ret in (0, 1)
    roles = project.rows("SELECT role, model FROM calls GROUP BY 1, 2")
    assert {(row["role"], row["model"]) for row in roles} == {("model", "smollm2"), ("judge", "smollm2+lora")}
