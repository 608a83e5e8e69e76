"""A comment decides nothing: a run goes on behind it, and a scorer with it is the one that the baseline had."""

from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(6)]
SCORER = "import pytest_llmeval\n\n@pytest_llmeval.scorer\ndef own(response):\n%s    return 1.0\n"
BODY = "def test_echo(response, score):\n%s    score.own(response)\n"
COMMENT = "    # why it is so\n\n"


def begun(project: Project) -> None:
    """Run the eval once, as its author wrote it first; add comments then."""
    project.write(conftest_py=SCORER % "", thresholds_yaml="version: 1\nsuites: {echo: {own: {max_drop: 0.02}}}\n")
    project.eval(BODY % "", ROWS)
    assert project.run("evals", inside=False).ret == 0
    project.write(conftest_py=SCORER % COMMENT)
    project.eval(BODY % COMMENT, ROWS)


def test_a_run_goes_on_behind_a_comment(project: Project) -> None:
    """In the test and in a scorer; nothing is asked again."""
    begun(project)
    result = project.run("evals", "--resume=last", model="", inside=False)
    assert (result.ret, len(project.server.ledger)) == (0, len(ROWS)), result.stderr.str()


def test_a_baseline_holds_behind_a_comment(project: Project) -> None:
    """The scores are by the same scorer, and the set-up is the same."""
    begun(project)
    base = project.last_run()["id"]
    result = project.run("evals", f"--baseline={base}", inside=False)
    assert result.ret == 0
    assert [row["verdict"] for row in project.rows("SELECT verdict FROM verdicts WHERE run_id != ?", base)] == ["pass"]
    assert "code of the test or a scorer" not in result.stdout.str()
