"""``judge:`` in thresholds.yaml, from the session on: a judge gates once people agree with it, and not before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pytest_llmeval
from tests.cli.conftest import Command
from tests.faults.test_patched_time import FROZEN
from tests.support.fault_server import FaultServer
from tests.support.judges import SYNC, answer_in, named, verdict
from tests.support.project import Project

ROWS = [
    {"id": f"{said}{number}", "input": said, "target": "yes", "slice": said}
    for said in ("yes", "no")
    for number in range(6)
]
RULES = """\
version: 1
suites:
  echo:
    correctness: {min: 0.8, judge: {min_kappa: 0.9, min_labels: 10, max_age_days: 30, min_specificity: 0.9}}
    completeness: {min: 0.8}
    slices:
      "no": {correctness: {min: 0.5}}
"""
RUBRIC = Path(pytest_llmeval.__file__).with_name("rubrics") / "qa.yaml"
PLAIN = ["-p", "no:xdist"]
DIFFER = "rubric, template, model, checks or way of asking differ"
SPREADS = pytest.mark.parametrize("spread", [PLAIN, ["-n2"]], ids=["plain", "n2"])


@pytest.fixture
def judge() -> Iterator[FaultServer]:
    with FaultServer(reply=verdict) as server:
        yield server


@pytest.fixture
def flag(project: Project, judge: FaultServer) -> str:
    """An eval with a judge that knows what is right, and rules on it; the option that names the judge."""
    project.eval(SYNC, ROWS)
    project.write(thresholds_yaml=RULES)
    return named(project, judge)


def label(project: Project, llmeval: Command, *, wrong: int = 0, name: str = "correctness") -> None:
    """Label all answers of the newest run as the judge does, but for so many of the worst ones."""
    low, high = ("wrong", "right") if name == "correctness" else ("missing", "complete")
    rows = [
        {"sample_id": row["id"], "name": name, "level": high if row["input"] == "yes" or at >= 12 - wrong else low}
        for at, row in enumerate(ROWS)
    ]
    Path("labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = llmeval("labels", "import", "labels.jsonl", "--rater", "kim")
    assert done.status == 0, done.err


def verdicts(project: Project) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return the verdicts of the newest run, by metric and slice."""
    rows = project.rows("SELECT * FROM verdicts WHERE run_id = ?", project.last_run()["id"])
    return {(row["metric"], row["slice"]): row for row in rows}


@SPREADS
def test_without_labels_a_judge_reports_and_does_not_gate(project: Project, flag: str, spread: list[str]) -> None:
    """The rules on it are shown with their numbers and what they come to; those of others decide."""
    result = project.run("evals", flag, *spread)
    assert result.ret == 0, result.stdout.str()
    found = verdicts(project)
    assert {key: row["verdict"] for key, row in found.items()} == {
        ("correctness", None): "not_judged",
        ("correctness", "no"): "not_judged",
        ("completeness", None): "pass",
    }
    assert (found["correctness", None]["value"], found["correctness", None]["n"]) == (0.5, 12)
    assert project.last_run()["verdict"] == "pass"
    told = " ".join(result.stdout.str().split())
    assert "correctness 12 0.500" in told
    assert "min=0.8 not judged" in told
    assert "not judged: correctness min=0.8: its judge may not gate: people labelled none of its answers in the" in told
    assert "The rule by itself: fail (it is 0.5, below 0.8)" in told
    assert "gate: PASS (1 pass, 2 not judged)" in told


@SPREADS
def test_once_people_agree_with_it_a_judge_gates_in_every_run(
    project: Project, llmeval: Command, flag: str, spread: list[str]
) -> None:
    """Labels of one run count for all that the same judge judges: the one that is judged again, and a new one."""
    project.run("evals", flag, *PLAIN)
    label(project, llmeval)
    again = llmeval("gate", "--json")
    assert again.status == 1
    assert {(row["metric"], row["slice"]): row["verdict"] for row in again.json()["verdicts"]} == {
        ("correctness", None): "fail",
        ("correctness", "no"): "fail",
        ("completeness", None): "pass",
    }
    result = project.run("evals", flag, *spread)
    assert result.ret == 1, result.stdout.str()
    assert verdicts(project)["correctness", None]["reason"] == "it is 0.5, below 0.8"


def test_labels_are_as_old_as_they_are_in_a_session_whose_clock_stands(
    project: Project, llmeval: Command, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a day years ahead, by which labels of today are too old."""
    project.run("evals", flag, *PLAIN)
    label(project, llmeval)
    monkeypatch.setenv("PYTHONPATH", str(project.root), prepend=":")
    project.write(frozen_py=FROZEN)
    project.write(evals__conftest_py="import frozen\n\nstopped = frozen.frozen()\nstopped.__enter__()")
    assert project.run("evals", flag, *PLAIN, inside=False, fresh=True).ret == 1
    assert verdicts(project)["correctness", None]["reason"] == "it is 0.5, below 0.8"


def test_a_judge_that_people_do_not_agree_with_gates_nothing(project: Project, llmeval: Command, flag: str) -> None:
    """Each demand that is missed is named, with what was found."""
    project.run("evals", flag, *PLAIN)
    label(project, llmeval, wrong=3)
    done = llmeval("gate")
    told = " ".join(done.out.split())
    assert done.status == 0
    assert "kappa 0.5 (95% interval " in told
    assert "over 12 labelled answers in the last 30 days, min_kappa asks 0.9; fix its rubric where people" in told
    assert "min_labels" not in told.replace("min_labels asks", "")
    assert "specificity" not in told


def test_labels_of_another_judge_do_not_count(
    project: Project, llmeval: Command, judge: FaultServer, flag: str
) -> None:
    """The same server under the name of another model is another judge."""
    project.run("evals", flag, *PLAIN)
    label(project, llmeval)
    other = named(project, judge, "other")
    result = project.run("evals", other, *PLAIN)
    assert result.ret == 0, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    assert f"labels of another judge ({DIFFER}) do not count" in told


@SPREADS
def test_answers_that_are_scored_again_are_held_to_the_same(
    project: Project, llmeval: Command, flag: str, spread: list[str]
) -> None:
    project.run("evals", flag, *PLAIN)
    first = project.last_run()["id"]
    assert llmeval("rescore", first, flag, *spread).status == 0
    assert verdicts(project)["correctness", None]["verdict"] == "not_judged"
    label(project, llmeval)
    assert llmeval("rescore", first, flag, *spread).status == 1


def test_comparing_selftest_and_plan_hold_rules_on_a_change_to_the_same(
    project: Project, llmeval: Command, judge: FaultServer
) -> None:
    """What fails once the answers are labelled raises no alarm before."""
    judge.reply = lambda messages: verdict(messages, "right" if answer_in(messages)[0] == "yes" else "wrong")
    rule = "{max_drop: 0.01, judge: {min_labels: 9}}"
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{correctness: {rule}}}}}\n")
    flag, ids = named(project, judge), []
    for prompt in ("{input}", "no {input}"):
        project.eval(SYNC, [{**row, "input": "yes"} for row in ROWS], marker=f'prompt="{prompt}"')
        project.run("evals", flag, *PLAIN)
        ids.append(project.last_run()["id"])

    def compared() -> tuple[str, float]:
        (change,) = llmeval("compare", *ids, "--json").json()["changes"]
        return change["verdict"], change["delta"]

    def alarms() -> tuple[int, dict[str, int]]:
        found = llmeval("selftest", *ids, "--pairs", "50", "--json").json()
        return found["alarms"], found["rules"][0]["verdicts"]

    assert compared() == ("not_judged", -1.0)
    assert "not judged: correctness max_drop=0.01: its judge may not gate" in " ".join(
        llmeval("compare", *ids).out.split()
    )
    assert alarms() == (0, {"not_judged": 50})
    assert "not judged: correctness max_drop=0.01: its judge" in " ".join(llmeval("selftest", *ids).out.split())
    planned = llmeval("plan", ids[0], "--json").json()
    assert [each["rule"]["metric"] for each in planned["may_not_gate"]] == ["correctness"]
    assert "its judge may not gate, so that it takes no share" in " ".join(llmeval("plan", ids[0]).out.split())
    label(project, llmeval)
    assert llmeval("plan", ids[0], "--json").json()["may_not_gate"] == []
    assert compared() == ("fail", -1.0)
    assert "not_judged" not in alarms()[1]


def test_a_demand_on_a_comparison_is_unmeasurable_and_says_why(
    project: Project, llmeval: Command, judge: FaultServer
) -> None:
    def prefers(messages: list[dict[str, Any]]) -> str:
        nonce = messages[1]["content"].partition("BEGIN FIRST ANSWER ")[2].partition("\n")[0]
        names = ("correctness", "completeness", "format")
        return json.dumps({**{name: {"reason": "So: tie", "verdict": "tie"} for name in names}, "nonce": nonce})

    judge.reply = prefers
    project.eval("def test_echo(response, score):\n    score.prefer_sync(response, 'other', rubric='qa')\n", ROWS[:2])
    rule = "qa_preference: {min: 0.9, judge: {min_kappa: 0.6}}"
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{{rule}}}}}\n")
    result = project.run("evals", named(project, judge))
    assert result.ret == 10, result.stdout.str()
    for told in (result.stdout.str(), llmeval("gate", "last").out):
        assert "unmeasurable: qa_preference min=0.9: 'qa_preference' says which of two answers is better, which" in (
            " ".join(told.split())
        )


@SPREADS
def test_a_run_that_was_resumed_after_its_rubric_changed_is_unmeasurable(
    project: Project, llmeval: Command, judge: FaultServer, spread: list[str]
) -> None:
    """Some of its rows were judged by the old one; scoring the answers again fixes it."""
    project.eval(SYNC.replace('"qa"', '"own.yaml"'), ROWS)
    project.write(
        own_yaml=RUBRIC.read_text(), thresholds_yaml="version: 1\nsuites: {echo: {correctness: {min: 0.1}}}\n"
    )
    flag = named(project, judge)
    judge.reply = lambda messages: "hm" if answer_in(messages)[0] == "no" else verdict(messages)
    assert project.run("evals", flag, *spread).ret == 10
    judge.reply = verdict
    project.write(own_yaml=RUBRIC.read_text().replace("version: 1", "version: 2"))
    result = project.run("evals", flag, "--resume=last", *spread)
    assert result.ret == 10, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    assert f"unmeasurable: correctness min=0.1: 2 different judges ({DIFFER}) made it" in told
    mixed = project.last_run()["id"]
    assert llmeval("gate", mixed).status == 10
    assert "have one judge all of them: llmeval rescore RUN --judge-model SPEC" in " ".join(
        llmeval("gate", mixed).out.split()
    )
    alone = llmeval("rescore", mixed, *spread)
    assert alone.status == 10
    assert (
        "rubric, judge, row or the calls of the test have changed"
        in project.rows("SELECT error FROM cases WHERE error_kind = 'not_cached'")[0]["error"]
    )
    assert llmeval("rescore", mixed, flag, *spread).status == 0
    assert verdicts(project)["correctness", None]["verdict"] == "pass"
