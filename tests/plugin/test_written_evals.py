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


def test_what_python_warns_of_in_a_module_is_told_once_and_with_its_file(project: Project) -> None:
    """The plugin reads the code, too, to count evals and to tell what they do."""
    project.eval(
        """
        def test_echo(response, score):
            score.regex(response, "\\d")
        """,
        [{"input": "1"}],
    )
    for arguments in (["evals"], []):
        result = project.run("-W", "default", *arguments)
        assert result.ret == (0 if arguments else 5)
        told = [line for line in result.stdout.lines if "invalid escape sequence" in line]
        assert len(told) <= 1
        assert all("test_echo.py:" in line for line in told)
        assert "<unknown>" not in result.stdout.str()
