"""What the answers of a run do not tell when they are scored again: the time of calls, and rows that are gone."""

from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project
from tests.support.row_evals import EXACT

ROWS = [{"id": f"r{n}", "input": f"answer {n}", "target": f"answer {n}"} for n in range(6)]


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


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project with a run called ``main``."""
    project.eval(EXACT, ROWS)
    assert project.run("evals", "--run-name=main").ret == 0
    return project


def test_rows_that_are_gone_are_named(recorded: Project, llmeval: Command) -> None:
    """Be they removed or renamed; the shorter run has the name of the longer one from here on."""
    old = recorded.last_run()["id"]
    recorded.eval(EXACT, [*ROWS[:4], {**ROWS[4], "id": "renamed"}])
    result = recorded.run("evals", f"--llmeval-rescore={old}", model="")
    told = " ".join(result.stdout.str().split())
    assert f"note: 2 cases of run {old} stand in no dataset any more: r4, r5" in told
    done = llmeval("rescore", old)
    assert done.status == 0
    assert f"2 cases of run {old} stand in no dataset any more: r4, r5" in done.out.splitlines()
    assert llmeval("rescore", old, "--json").json()["gone"] == [
        {"suite": "echo", "sample_id": name, "model": "echo", "epoch": 1} for name in ("r4", "r5")
    ]
    assert (recorded.last_run()["name"], llmeval("rescore", "last", "--json").json()["gone"]) == ("main", [])


def test_one_row_that_is_gone_is_told_in_a_line_of_its_own_kind(recorded: Project, llmeval: Command) -> None:
    old = recorded.last_run()["id"]
    recorded.eval(EXACT, ROWS[:5])
    assert f"1 case of run {old} stands in no dataset any more: r5" in llmeval("rescore", old).out.splitlines()


def test_rows_that_were_left_out_are_not_taken_for_gone(recorded: Project, llmeval: Command) -> None:
    """Nor those that a session which stopped did not come to."""
    told = llmeval("rescore", "main", "--json", "-k", "r0 or r1").json()
    assert (told["status"], told["partial"], told["gone"]) == ("finished", True, [])
    recorded.eval("def test_echo(sample, response):\n    assert sample.id != 'r2'\n")
    told = llmeval("rescore", "main", "--json", "-x").json()
    assert (told["status"], told["gone"]) == ("interrupted", [])


def test_rows_that_are_gone_of_a_run_that_was_stopped_are_named(project: Project, llmeval: Command) -> None:
    project.eval("def test_echo(sample, response):\n    assert sample.id != 'r3'\n", ROWS)
    assert project.run("evals", "-x").ret == 1
    project.eval("def test_echo(sample, response):\n    pass\n", ROWS[1:])
    told = llmeval("rescore", "last", "--json").json()
    assert (told["status"], [each["sample_id"] for each in told["gone"]]) == ("interrupted", ["r0"])
