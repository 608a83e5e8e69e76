"""What is wrong with a rubric, found before it is paid for where the code names it."""

from tests.plugin.test_judge import OWN
from tests.support.judges import EVAL, ROWS, Judged, named, verdict
from tests.support.project import Project


def test_a_mistake_in_a_rubric_is_told_once_before_any_call(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    """With file, line and key; a rubric that the code does not name is met in the first case, in a line."""
    project.write(rubrics__tone_yaml=OWN.replace("    levels", "    mood: sad\n    levels"))
    options = [named(project, judged_by(verdict)), *spread]
    calls = 'rubric="qaa")\n    await score.judge(answer, name="b", rubric="rubrics/tone.yaml"'
    project.eval(EVAL.replace('rubric="qa"', calls), ROWS)
    result = project.run("evals", *options)
    assert (result.ret, project.server.ledger) == (4, [])
    told = result.stderr.str() + result.stdout.str()
    assert told.count("no rubric 'qaa'; did you mean 'qa'?") == 1
    assert told.count("rubrics/tone.yaml:7: dimensions.tone.mood: unknown key 'mood'") == 1
    assert "Traceback" not in told
    project.eval(EVAL.replace('rubric="qa"', 'rubric="/".join(("rubrics", "tone.yaml"))'), ROWS)
    result = project.run("evals", *options)
    assert result.ret == 1
    told = result.stdout.str()
    assert told.count("\ncode: rubrics/tone.yaml:7: ") == len(ROWS)
    assert "rubrics.py" not in told


def test_what_a_score_of_the_project_is_given_is_no_rubric_of_ours(project: Project) -> None:
    """Neither of a fixture nor of a variable of the test."""
    project.write(
        conftest_py="""
        import pytest

        class Own:
            def judge(self, answer, *, rubric):
                assert rubric == "as I like it"

        @pytest.fixture
        def score():
            return Own()
        """
    )
    judged = "    score.judge('yes', rubric='as I like it')\n"
    project.eval(f"def test_fixture(sample, score):\n{judged}", ROWS)
    own = f"    from conftest import Own\n\n    score = Own()\n{judged}"
    project.eval(f"def test_variable(sample):\n{own}", ROWS, name="variable")
    result = project.run("evals")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
