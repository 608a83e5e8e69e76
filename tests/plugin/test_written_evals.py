"""Eval functions that are counted where they are written, as no module of theirs is imported."""

from pathlib import Path

from pytest_llmeval.bridge.collection.written_evals import written_evals
from tests.support.project import Project

MODULE = """
import pytest

@pytest.mark.llmeval("rows.jsonl")
def test_one(response): ...

@pytest.mark.judge_attack
@pytest.mark.llmeval("attacks.jsonl")
def test_attack(response): ...

@pytest.mark.judge_attack
@pytest.mark.llmeval("attacks.jsonl")
class TestAttacks:
    def test_two(self, response): ...
"""


def test_attacks_on_the_judge_do_not_wait(tmp_path: Path) -> None:
    """They run by their mark alone, so that naming the folder brings none of them."""
    (tmp_path / "test_a.py").write_text(MODULE, "utf-8")
    assert written_evals(tmp_path / "test_a.py", ["Test"]) == 1


def test_a_function_that_is_called_test_gives_its_suite_that_name(project: Project) -> None:
    project.eval("def test_(response):\n    pass\n", [{"input": "a"}])
    assert project.run("evals").ret == 0
    assert [row["suite"] for row in project.rows("SELECT suite FROM cases")] == ["test_"]
