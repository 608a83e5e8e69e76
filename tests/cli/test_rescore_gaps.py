"""What the answers of a run do not tell when they are scored again: the time of calls, and rows that are gone."""

from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"answer {n}", "target": f"answer {n}"} for n in range(6)]
EXACT = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
"""


@pytest.mark.parametrize("spread", [["-n0"], ["-n2"]], ids=str)
def test_a_failed_call_has_no_latency_of_its_own(project: Project, llmeval: Command, spread: list[str]) -> None:
    """The time-out of the old run, the only latency that is stored beside cached ones, fails no rule of the new one."""

    def reply(messages: list[dict[str, Any]]) -> str:
        text = str(messages[-1]["content"])
        if text == "answer 3":
            project.server.closing.wait(5)
        return text

    project.server.reply = reply
    project.eval(EXACT, ROWS)
    rules = "{exact: {min: 0.5}, latency_s: {max_p50: 0.9}, settings: {max_error_rate: 0.2}}"
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {rules}}}\n")
    assert project.run("evals", "--timeout-s=1").ret == 0
    assert project.rows("SELECT error_kind, cached FROM cases WHERE sample_id = 'r3'") == [
        {"error_kind": "timeout", "cached": 0}
    ]
    done = llmeval("rescore", "last", *spread)
    assert (done.status, done.out.splitlines()[-1]) == (0, "gate: PASS (1 pass, 1 not judged)")
    new = project.last_run()["id"]
    again = project.rows("SELECT error_kind, cached FROM cases WHERE run_id = ? AND sample_id = 'r3'", new)
    assert again == [{"error_kind": "timeout", "cached": 1}]
    assert "not judged (all answers come from the cache): echo latency_s max_p50=0.9" in done.out
    assert "latency_seconds" not in llmeval("export", "prometheus", "last").out
