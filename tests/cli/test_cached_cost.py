"""Answers from the cache cost nothing: that is paid, and two runs are compared by what both of them asked."""

import pytest

from tests.cli.conftest import Command
from tests.support.fault_server import FaultServer
from tests.support.judges import verdict
from tests.support.project import Project

EVAL = """
async def test_echo(sample, model, score):
    await score.judge(await model.generate(), rubric="qa")
"""
PRICED = "  {}: {{spec: '{}', prices: {{input: 100000, output: 100000}}}}\n"
RULES = """
version: 1
suites: {{echo: {{qa: {{min: 0.1}}, cost_usd: {{max: {most}, max_p95: 1000, max_total: 1000, max_rise: 0.0001}}}}}}
"""
Verdicts = dict[str, tuple[str, int, str]]


def ruled(project: Project, baseline: str, name: str, *options: str, ret: int = 0) -> Verdicts:
    """Run the evals against a baseline; return what became of the rules on cost."""
    result = project.run("evals", "--judge-model=j", f"--baseline={baseline}", f"--run-name={name}", *options)
    assert result.ret == ret, result.stdout.str()
    found = project.rows("SELECT * FROM verdicts WHERE run_id = ? AND metric = 'cost_usd'", project.last_run()["id"])
    return {row["rule"].partition("=")[0]: (row["verdict"], row["n"], row["reason"] or "") for row in found}


def test_what_answers_from_the_cache_cost_is_paid_and_not_compared(project: Project, llmeval: Command) -> None:
    """A verdict that was had for nothing says no more of what a case costs than an answer does of how long it takes."""
    answers = {f"q{number}": "yes" for number in range(4)}
    project.eval(EVAL, [{"id": asking, "input": asking, "target": "yes"} for asking in answers])
    project.write(thresholds_yaml=RULES.format(most=1000))
    project.model = "m"
    with (
        FaultServer(reply=lambda messages: answers[messages[-1]["content"]]) as asked,
        FaultServer(reply=verdict) as judge,
    ):
        specs = PRICED.format("m", asked.spec("echo")) + PRICED.format("j", judge.spec("echo"))
        project.write(models_yaml=f"models:\n{specs}")
        fresh = ruled(project, "none", "fresh")
        assert {found[:2] for rule, found in fresh.items() if rule != "max_rise"} == {("pass", 4)}
        again = ruled(project, "fresh", "again")
        assert {found[:2] for found in again.values()} == {("pass", 4)}
        assert again["max_rise"][2].endswith("left out: the judges' part of the cost of 4 rows")
        answers["q0"] = "no"
        assert llmeval("baseline", "export", "again", "kept.jsonl", "--no-answers").status == 0
        for baseline in ("again", "kept.jsonl"):
            on, n, why = ruled(project, baseline, f"changed since {baseline}")["max_rise"]
            assert (on, n) == ("pass", 4)
            assert why.endswith("left out: the judges' part of the cost of 4 rows")
        remembered = ruled(project, "fresh", "remembered", "--cache=use")
        assert remembered.pop("max_rise") == (
            "not_judged",
            0,
            "all answers come from the cache, here or in baseline fresh",
        )
        assert {found[:2] for found in remembered.values()} == {("pass", 4)}

    paid, sums = (
        [row["usd"] for row in project.rows(sql)]
        for sql in (
            "SELECT value AS usd FROM verdicts WHERE rule LIKE 'max_total%' ORDER BY usd",
            "SELECT sum(cost_usd) AS usd FROM cases GROUP BY run_id ORDER BY usd",
        )
    )
    assert paid == pytest.approx(sums)
    assert sums[0] == 0 < sums[1] < sums[-1]
    compared = llmeval("compare", "fresh", "again", "--json").json()["measures"]
    costs = {each["measure"]: each for each in compared}["cost_usd"]
    assert (costs["n"], costs["after"] - costs["before"]) == (4, 0)
    assert "cost_usd total" in llmeval("compare", "fresh", "again").out


def test_a_dearer_model_with_the_same_answers_is_dearer(project: Project, llmeval: Command) -> None:
    """All verdicts come from the cache then, and every answer of the model was paid for."""
    project.eval(EVAL, [{"id": f"r{number}", "input": "q", "target": "yes"} for number in range(12)])
    project.write(thresholds_yaml=RULES.format(most=5))
    project.model = "m"
    with FaultServer(reply=lambda _: "yes") as asked, FaultServer(reply=verdict) as judge:
        specs = PRICED.format("m", asked.spec("echo")) + PRICED.format("j", judge.spec("echo"))
        project.write(models_yaml=f"models:\n{specs}")
        ruled(project, "none", "cheap")
        project.write(models_yaml=f"models:\n{specs}".replace("100000", "1000000"))
        found = ruled(project, "cheap", "dear", ret=1)
    assert found["max_rise"][:2] == found["max"][:2] == ("fail", 12)
    assert found["max_rise"][2].endswith("left out: the judges' part of the cost of 12 rows")
    costs = {each["measure"]: each for each in llmeval("compare", "cheap", "dear", "--json").json()["measures"]}
    assert costs["cost_usd"]["after"] == pytest.approx(10 * costs["cost_usd"]["before"])
