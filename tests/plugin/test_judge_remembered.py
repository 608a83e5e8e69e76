"""What a judge said before, in an earlier run or session: it is not paid for twice, and it is no reason to give up."""

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import pytest_llmeval
from tests.plugin.test_judge import values
from tests.support.chat_bodies import completion
from tests.support.judges import EVAL, ROWS, SYNC, Judged, Messages, answer_in, named, verdict
from tests.support.project import Project

SHIPPED = Path(pytest_llmeval.__file__).parent / "rubrics"
SHOWN = 2
"""Messages by which a judge is asked for the first time."""


def stumbling(messages: Messages) -> str:
    """Reply as a judge that needs to be told what was wrong."""
    return "It is right." if len(messages) == SHOWN else verdict(messages)


@pytest.mark.parametrize(("body", "spread"), [(EVAL, "-n0"), (SYNC, "-n0"), (EVAL, "-n2")], ids=["async", "sync", "n2"])
def test_only_a_verdict_that_came_at_once_serves_a_later_run(
    project: Project, judged_by: Judged, body: str, spread: str
) -> None:
    """A reply that was cut, and one after it was told what was wrong, are asked for anew: each may come out better."""

    def reply(messages: Messages) -> str | dict[str, Any]:
        answer, _ = answer_in(messages)
        if answer == "maybe":
            return completion(verdict(messages), finish="length")
        return stumbling(messages) if answer == "no" else verdict(messages)

    judge = judged_by(reply)
    project.eval(body, ROWS)
    flag = named(project, judge)
    for requests in (1 + 3 + 2, 1 + 3 + 2 + 3 + 2):
        project.run("evals", flag, spread)
        assert values(project)["correctness"] == {"good": 1.0, "bad": 0.0}
        assert len(judge.ledger) == requests
    used = "SELECT sample_id FROM calls JOIN cases ON cases.id = case_id WHERE role = 'judge' AND calls.cached"
    assert [row["sample_id"] for row in project.rows(used)] == ["good"]


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


def test_escalation_is_the_same_for_a_verdict_that_came_late_again(project: Project, judged_by: Judged) -> None:
    first, second = judged_by(stumbling), judged_by(verdict)
    specs = {"one": first.spec("echo"), "two": second.spec("echo")}
    project.write(models_yaml=json.dumps({"models": {name: {"spec": spec} for name, spec in specs.items()}}))
    project.eval(EVAL, ROWS[:1])
    for _ in range(2):
        project.run("evals", "--judge-model=one", "--judge-model=two", "--llmeval-judge-panel=escalate")
        rows = project.rows("SELECT decided_by FROM scores JOIN cases ON cases.id = case_id ORDER BY run_id")
        assert {row["decided_by"] for row in rows} == {"panel"}
    assert (len(first.ledger), len(second.ledger)) == (4, 1)


TWICE = """
async def test_echo(sample, model, score):
    answer = await model.generate()
    await score.judge(answer, rubric="qa")
    await score.METHOD
"""


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ('judge(answer, rubric="rubrics/mine.yaml")', "correctness"),
        ('judge(answer, rubric="qa", question="And?")', "qa"),
        ('prefer(answer, "x", rubric="qa", name="qa")', "qa"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_nobody_is_asked_for_a_score_that_the_case_has(
    project: Project, judged_by: Judged, method: str, name: str, is_async: bool
) -> None:
    judge = judged_by(verdict)
    project.write(rubrics__mine_yaml=(SHIPPED / "qa.yaml").read_text())
    body = TWICE.replace("METHOD", method)
    if not is_async:
        body = re.sub(r"await score\.(judge|prefer)", r"score.\1_sync", body)
        body = body.replace("async def", "def").replace("await model.generate", "model.generate_sync")
    project.eval(body, ROWS[:1])
    project.run("evals", named(project, judge))
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "scorer"
    assert f"the score {name!r} is recorded twice in one case; name one of the calls" in case["error"]
    assert len(judge.ledger) == 1


def test_an_answer_judged_without_its_reference_is_judged_by_another_judge(project: Project, judged_by: Judged) -> None:
    judge, found = judged_by(summarised), set()
    for reference in (True, False):
        project.eval(EVAL.replace('rubric="qa"', f'rubric="summary", reference={reference}'), ROWS[:1])
        project.run("evals", named(project, judge))
        (row,) = project.rows(
            "SELECT DISTINCT judge_id FROM scores JOIN cases ON cases.id = case_id WHERE run_id = ?",
            project.last_run()["id"],
        )
        found.add(row["judge_id"])
    assert len(found) == 2


def summarised(messages: Messages) -> str:
    levels = {"faithfulness": "supported", "coverage": "covers", "brevity": "brief"}
    found = {name: {"reason": "It is.", "verdict": level} for name, level in levels.items()}
    return json.dumps({**found, "nonce": answer_in(messages)[1]})


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


@pytest.mark.parametrize("verdicts", [0, 1])
def test_what_a_resumed_run_had_judged_anew_serves_a_later_run(
    project: Project, judged_by: Judged, verdicts: int
) -> None:
    """Each in its own place: two judgements of one answer are two draws, whichever of them failed at first."""
    left = [verdicts]

    def reply(messages: Messages) -> str:
        left[0] -= 1
        return verdict(messages) if left[0] >= 0 else "It is right."

    judge = judged_by(reply)
    project.eval(f'{EVAL}    await score.judge(answer, rubric="qa", name="again")\n', ROWS[:1])
    flag = named(project, judge)
    assert project.run("evals", flag).ret == 1
    assert len(judge.ledger) == verdicts + 3
    left[0] = 99
    for arguments in (["--resume=last"], [flag], [flag, "--cache=only"]):
        assert project.run("evals", *arguments).ret == 0
        assert len(judge.ledger) == 5
    used = "SELECT request, response FROM calls WHERE role = 'judge' AND cached AND run_id = ?"
    assert len(project.rows(used, project.last_run()["id"])) == 2


def test_a_rerun_asks_a_judge_that_gave_no_verdict_nothing_anew(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    """It is told the same replies; a session that goes on with the run asks once more, and its reruns do not."""
    judge = judged_by(lambda messages: "It is right.")
    project.eval(EVAL, ROWS[:1])
    for asked, flag in ((3, named(project, judge)), (6, "--resume=last")):
        result = project.run("evals", flag, "--reruns=2", *spread)
        assert result.parseoutcomes()["rerun"] == 2
        assert len(judge.ledger) == asked
    assert len(project.server.ledger) == 1


def correct(project: Project) -> set[float | None]:
    return set(values(project)["correctness"].values())


def test_what_another_judge_of_that_name_said_is_not_taken_for_its_verdict(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    old, new = (judged_by(partial(verdict, level=level)) for level in ("wrong", "right"))
    project.eval(EVAL, ROWS)
    project.run("evals", named(project, old))
    again, flag = f"--llmeval-rescore={project.last_run()['id']}", named(project, new)
    refused = project.run("evals", again, *spread, model="")
    assert refused.ret == 4
    assert "judge 'j' is not what the run asked" in " ".join("".join(refused.errlines + refused.outlines).split())
    assert len(new.ledger) == 0
    assert project.run("evals", again, flag, *spread, model="").ret == 0
    assert correct(project) == {1.0}
    assert (len(old.ledger), len(new.ledger), len(project.server.ledger)) == (3, 3, 3)


def test_a_judge_behind_another_query_is_another_one(project: Project, judged_by: Judged) -> None:
    judge = judged_by(verdict)
    project.eval(EVAL, ROWS[:1])
    for deployment, asked in (("a", 1), ("b", 2), ("a", 2)):
        project.write(models_yaml=f"models: {{j: {{spec: '{judge.spec('echo')}?deployment={deployment}'}}}}\n")
        again = [f"--llmeval-rescore={project.last_run()['id']}"] if deployment == "b" else []
        assert project.run("evals", "--judge-model=j", *again, model="" if again else None).ret == 0
        assert len(judge.ledger) == asked


def test_a_run_goes_on_with_the_judge_that_it_began_with(project: Project, judged_by: Judged) -> None:
    old, new = judged_by(lambda messages: "It is right."), judged_by(verdict)
    project.eval(EVAL, ROWS)
    project.run("evals", named(project, old))
    named(project, new)
    refused = project.run("evals", "--resume=last")
    assert refused.ret == 4
    assert "judge 'j' is not what the run asked" in " ".join("".join(refused.errlines).split())
    assert len(new.ledger) == 0


@pytest.mark.parametrize("works", [False, True])
def test_a_judge_that_never_gave_a_verdict_is_asked_no_more(project: Project, judged_by: Judged, works: bool) -> None:
    """Where it gave one it is asked to the end: some of its replies are just not good."""

    def reply(messages: Messages) -> str:
        is_good = works and answer_in(messages)[0] == "yes"
        return verdict(messages) if is_good else verdict(messages, nonce="0" * 32)

    judge = judged_by(reply)
    rows = [{"id": f"r{number}", "input": "no", "target": "yes"} for number in range(40)]
    project.eval(EVAL, [{**rows[0], "input": "yes"}, *rows[1:]])
    project.run("evals", named(project, judge), "--max-connections=4")
    errors = Counter(row["error"] for row in project.rows("SELECT error FROM cases WHERE error_kind = 'judge'"))
    stopped = (
        "judge j: not asked: by rubric qa none of 8 verdicts was valid, in 24 replies; see what is wrong with those,"
        " and try it with --limit 1"
    )
    if works:
        assert (len(judge.ledger), errors[stopped]) == (1 + 39 * 3, 0)
    else:
        assert 24 <= len(judge.ledger) < 80 and errors[stopped] >= 20
        assert errors.total() == 40


def test_a_judge_whose_server_refuses_all_is_asked_in_one_form_in_the_end(project: Project, judged_by: Judged) -> None:
    """Routers say 400 of a model that is not there, and name no parameter: it cannot be known from the first."""
    judge = judged_by(verdict)
    project.eval(SYNC, [{"id": f"r{number:02}", "input": "yes", "target": "yes"} for number in range(20)])
    project.run("evals", named(project, judge, "fault-status-400"), "--max-connections=1")
    assert [row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")] == ["bad_request"] * 20
    assert 20 < len(judge.ledger) <= 8 * 6 + 12 * 2  # some were begun before that was known
