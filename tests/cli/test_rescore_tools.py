"""Function calls, of a model and of a judge, are what they were wherever an answer is had again."""

from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.chat_bodies import completion
from tests.support.fault_server import FaultServer
from tests.support.judges import named, verdict
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"city {n}", "target": f"city {n}"} for n in range(4)]
BODY = """
def test_echo(sample, model, score):
    tool = {"type": "function", "function": {"name": "show", "parameters": {"type": "object"}}}
    answer = model.generate_sync(tools=[tool])
    assert (answer.text, answer.finish_reason) == ("", "tool_calls")
    names = [call.name for call in answer.tool_calls]
    assert names == ["show", "a\\x00b\\ud800"]
    score.json_match(answer.tool_calls[0].arguments, {"city": sample.target}, name="city")
"""


def called(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return two calls, the name of one of which SQLite cannot hold."""
    city = messages[-1]["content"]
    calls = [("show", f'{{"city" : "{city}"}}'), ("a\x00b\ud800", "{no JSON")]
    made = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    return completion(None, finish="tool_calls", tool_calls=made)


@pytest.fixture
def calling(project: Project) -> Project:
    """A project whose model calls functions."""
    project.server.reply = called
    project.eval(BODY, ROWS)
    return project


def cities(project: Project) -> list[float | None]:
    run = project.last_run()["id"]
    rows = project.rows(
        "SELECT value FROM scores JOIN cases ON cases.id = case_id WHERE name = 'city' AND run_id = ?", run
    )
    return [row["value"] for row in rows]


def test_function_calls_are_scored_like_any_answer(calling: Project, spread: list[str]) -> None:
    result = calling.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    assert cities(calling) == 4 * [1.0]
    assert {row["response"] for row in calling.rows("SELECT response FROM cases")} == {""}


def test_function_calls_are_had_again(calling: Project, llmeval: Command) -> None:
    """From the cache, by a run that goes on, and by one that is scored anew; streamed they are the same."""
    assert calling.run("evals", "--cache=use", "-k", "r0 or r1").ret == 0
    assert calling.run("evals", "--cache=use").ret == 0
    assert (cities(calling), len(calling.server.ledger)) == (4 * [1.0], 4)
    assert calling.run("evals", "--resume=last").ret == 0
    assert llmeval("rescore", "last").status == 0
    assert (cities(calling), len(calling.server.ledger)) == (4 * [1.0], 4)
    streamed = BODY.replace("tools=[tool]", "tools=[tool], stream=True")
    calling.eval(streamed, ROWS)
    assert calling.run("evals").ret == 0
    assert (cities(calling), len(calling.server.ledger)) == (4 * [1.0], 8)


JUDGED = """
def test_echo(sample, response, score):
    score.judge_sync(response, rubric="qa", gates=False)
"""


@pytest.mark.parametrize(
    "model", ["fault-noparam-response_format", "fault-noparam-tools-response_format", "fault-nameless-temperature"]
)
def test_verdicts_are_had_again_in_whatever_form_they_came(project: Project, llmeval: Command, model: str) -> None:
    """A run that is scored anew asks nobody what the judge takes, and neither does one from the cache alone."""
    rows = [{"id": text, "input": text, "target": "yes"} for text in ("yes", "maybe", "no")]
    project.eval(JUDGED, rows)
    with FaultServer(verdict) as judge:
        flag = named(project, judge, model)
        assert project.run("evals", flag).ret == 0
        sent = len(judge.ledger)
        assert llmeval("rescore", "last").status == 0
        assert project.run("evals", flag, "--cache=only").ret == 0
        assert len(judge.ledger) == sent
    scores = project.rows(
        "SELECT sample_id, value FROM scores JOIN cases ON cases.id = case_id WHERE name = 'correctness'"
    )
    expected = {"yes": 1.0, "maybe": 0.5, "no": 0.0}
    assert len(scores) == 3 * 3 and all(row["value"] == expected[row["sample_id"]] for row in scores)
