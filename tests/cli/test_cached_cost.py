"""Answers from the cache cost nothing: that is paid, and says nothing of what a case costs."""

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
suites: {echo: {qa: {min: 0.1}, cost_usd: {max: 1000, max_p95: 1000, max_total: 1000, max_rise: 0.0001}}}
"""
NOTHING = "not_judged", 0, "all answers come from the cache"


def test_what_answers_from_the_cache_cost_is_paid_and_not_compared(project: Project, llmeval: Command) -> None:
    """A verdict that was had for nothing says no more of what a case costs than an answer does of how long it takes."""
    answers = {f"q{number}": "yes" for number in range(4)}
    project.eval(EVAL, [{"id": asking, "input": asking, "target": "yes"} for asking in answers])
    project.write(thresholds_yaml=RULES)
    project.model = "m"

    def judged(baseline: str, name: str) -> dict[str, tuple[str, int, str | None]]:
        result = project.run("evals", "--judge-model=j", f"--baseline={baseline}", f"--run-name={name}")
        assert result.ret == 0, result.stdout.str()
        found = project.rows(
            "SELECT * FROM verdicts WHERE run_id = ? AND metric = 'cost_usd'", project.last_run()["id"]
        )
        return {row["rule"].partition("=")[0]: (row["verdict"], row["n"], row["reason"]) for row in found}

    with (
        FaultServer(reply=lambda messages: answers[messages[-1]["content"]]) as asked,
        FaultServer(reply=verdict) as judge,
    ):
        specs = PRICED.format("m", asked.spec("echo")) + PRICED.format("j", judge.spec("echo"))
        project.write(models_yaml=f"models:\n{specs}")
        assert {found[:2] for rule, found in judged("none", "fresh").items() if rule != "max_rise"} == {("pass", 4)}
        assert judged("fresh", "again") == {
            "max": NOTHING,
            "max_p95": NOTHING,
            "max_rise": NOTHING,
            "max_total": ("pass", 4, None),
        }
        answers["q0"] = "no"
        assert llmeval("baseline", "export", "again", "kept.jsonl", "--no-answers").status == 0
        for baseline in ("again", "kept.jsonl"):
            found = judged(baseline, f"changed since {baseline}")
            assert found["max_rise"][:2] == ("not_judged", 0)
            assert str(found["max_rise"][2]).startswith("all answers come from the cache")
            assert found["max"][:2] == (("pass", 1) if baseline == "again" else ("not_judged", 0))
        answers["q1"] = "no"
        verdict_on, n, why = judged("fresh", "two changed")["max_rise"]
    assert (verdict_on, n) == ("pass", 1)
    assert "left out: 3 answered from the cache" in str(why)

    paid, sums = (
        [row["usd"] for row in project.rows(sql)]
        for sql in (
            "SELECT value AS usd FROM verdicts WHERE rule LIKE 'max_total%' ORDER BY usd",
            "SELECT sum(cost_usd) AS usd FROM cases GROUP BY run_id ORDER BY usd",
        )
    )
    assert paid == pytest.approx(sums)
    assert 0 < sums[0] < sums[-1]  # what the model said anew was paid
    measures = llmeval("compare", "fresh", "two changed", "--json").json()["measures"]
    assert {
        each["measure"]: each["n"] for each in measures if each["measure"] in ("cost_usd total", "input_tokens")
    } == {
        "cost_usd total": 1,
        "input_tokens": 4,
    }
