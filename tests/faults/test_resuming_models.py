"""``--resume --llmeval-resume-changed`` with a model or a judge that the run did not have: it has it from then on."""

import json

import pytest

from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(4)]
BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
    score.judge_sync(response, rubric="qa", gates=False)
    if sample.id == "r3" and not __import__("os").path.exists("fixed"):
        raise RuntimeError("not now")
"""
CHANGED = "--llmeval-resume-changed"
RULES = "version: 1\nsuites: {echo: {exact: {min: 0.5}, settings: {max_error_rate: 0.9}}}\n"


@pytest.fixture
def begun(project: Project) -> Project:
    """A project whose run of one model has an error, which the file ``fixed`` takes away."""
    project.eval(BODY, ROWS)
    project.write(thresholds_yaml=RULES)
    project.run("evals")
    return project


def test_a_model_that_was_added_is_one_of_the_run(begun: Project, spread: list[str]) -> None:
    """It stands in its row, is asked for what it lacks by whoever goes on, and is scored again."""
    other = begun.server.spec("other")
    begun.run("evals", "--resume=last", f"--model={other}", CHANGED, *spread)
    run = begun.last_run()
    assert json.loads(run["models"]) == ["echo", "other"]
    (begun.root / "fixed").touch()
    result = begun.run("evals", "--resume=last", *spread, model="")
    assert result.ret == 0
    found = begun.rows("SELECT model, outcome, count(*) AS n FROM cases GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(row.values()) for row in found] == [("echo", "passed", 4), ("other", "passed", 4)]
    assert len(begun.server.ledger) == 8
    again = begun.llmeval("rescore", "last")
    assert again.ret == 0
    assert "stand in no dataset" not in again.stdout.str()
    assert begun.rows("SELECT count(*) AS n FROM cases")[0]["n"] == 16


def test_a_judge_that_was_added_judges_what_is_left(begun: Project) -> None:
    """Also in a session that does not name it again."""
    judge = f"--judge-model={begun.server.spec('grader')}"
    begun.server.reply = lambda messages: "no verdict" if "BEGIN" in str(messages) else str(messages[-1]["content"])
    begun.run("evals", "--resume=last", judge, CHANGED, model="")
    assert json.loads(begun.last_run()["judge_models"]) == ["grader"]
    before = [entry.model for entry in begun.server.ledger].count("grader")
    begun.run("evals", "--resume=last", model="")
    assert [entry.model for entry in begun.server.ledger].count("grader") > before > 0


@pytest.mark.parametrize("arguments", [("--shard=1/1",), ()], ids=["a shard", "an interrupted run"])
def test_of_misses_in_a_run_that_was_not_judged_no_status_is_told(project: Project, arguments: tuple[str, ...]) -> None:
    """Its suites have rules, which nobody has asked yet."""
    body = """
    def test_echo(sample, response, score):
        import os
        score.exact(response, sample.target)
        if sample.id == "r3" and not os.path.exists("fixed"):
            if not os.environ.get("STOP"):
                raise RuntimeError("not now")
            raise KeyboardInterrupt
    """
    project.eval(body, [{**ROWS[0], "target": "other"}, *ROWS[1:]])
    project.write(thresholds_yaml=RULES)
    project.run("evals", *arguments)
    if arguments:
        (project.root / "fixed").touch()
    else:
        project.pytester._monkeypatch.setenv("STOP", "1")
    result = project.run("evals", "--resume=last", *arguments, fresh=True)
    assert result.ret == (0 if arguments else 2)
    for text in (result.stdout.str(), project.llmeval("show", "last").stdout.str()):
        assert "missed in a suite without rules" not in " ".join(text.split())
