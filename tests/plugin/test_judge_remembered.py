"""What a judge said before, in an earlier run or session: it is not paid for twice, and it is no reason to give up."""

import json

import pytest

from tests.plugin.test_judge import EVAL, ROWS, SYNC, values
from tests.support.judges import Judged, Messages, named, verdict
from tests.support.project import Project

SHOWN = 2
"""Messages by which a judge is asked for the first time."""


def stumbling(messages: Messages) -> str:
    """Reply as a judge that needs to be told what was wrong."""
    return "It is right." if len(messages) == SHOWN else verdict(messages)


@pytest.mark.parametrize("body", [EVAL, SYNC], ids=["async", "sync"])
def test_a_verdict_that_was_asked_for_again_is_not_paid_for_twice(
    project: Project, judged_by: Judged, body: str
) -> None:
    judge = judged_by(stumbling)
    project.eval(body, ROWS)
    flag = named(project, judge)
    for _ in range(3):
        project.run("evals", flag)
        assert values(project)["correctness"] == {"good": 1.0, "half": 0.5, "bad": 0.0}
    assert len(judge.ledger) == 2 * len(ROWS)


def test_a_resumed_run_goes_on_where_the_judge_was_told_what_was_wrong(project: Project, judged_by: Judged) -> None:
    judge = judged_by(stumbling)
    project.write(killed_txt="")
    killed = f"{EVAL}    import os, pathlib\n    pathlib.Path('killed.txt').exists() and os._exit(9)\n"
    project.eval(killed, ROWS[:1])
    project.run("evals", named(project, judge), inside=False)
    assert len(judge.ledger) == SHOWN
    (project.root / "killed.txt").unlink()
    assert project.run("evals", "--resume=last").ret == 0
    assert len(judge.ledger) == SHOWN
    assert values(project)["correctness"] == {"good": 1.0}


def test_escalation_is_the_same_for_a_verdict_that_is_known(project: Project, judged_by: Judged) -> None:
    first, second = judged_by(stumbling), judged_by(verdict)
    specs = {"one": first.spec("echo"), "two": second.spec("echo")}
    project.write(models_yaml=json.dumps({"models": {name: {"spec": spec} for name, spec in specs.items()}}))
    project.eval(EVAL, ROWS[:1])
    for _ in range(2):
        project.run("evals", "--judge-model=one", "--judge-model=two", "--judge-panel=escalate")
        rows = project.rows("SELECT decided_by FROM scores JOIN cases ON cases.id = case_id ORDER BY run_id")
        assert {row["decided_by"] for row in rows} == {"panel"}
    assert (len(first.ledger), len(second.ledger)) == (2, 1)


def test_what_was_no_verdict_in_an_earlier_run_is_asked_for_anew(project: Project, judged_by: Judged) -> None:
    broken = [True]
    judge = judged_by(lambda messages: "It is right." if broken[0] else verdict(messages))
    project.eval(EVAL, ROWS[:1])
    flag = named(project, judge)
    project.run("evals", flag)
    broken[0] = False
    project.run("evals", flag)
    assert project.cases() == {"good": "passed"}
    assert len(judge.ledger) == 3 + 1
    project.run("evals", flag)
    assert len(judge.ledger) == 3 + 1
    run = project.last_run()["id"]
    assert project.run("evals", f"--llmeval-rescore={run}", model="").ret == 0
    assert project.cases() == {"good": "passed"}
    assert len(judge.ledger) == 3 + 1
