"""Models, and judges, that are asked by the Responses API: ``api: responses`` in models.yaml."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.plugin.test_thinking_agents import AGENT
from tests.support.judges import ROWS as JUDGED_ROWS
from tests.support.judges import Judged, verdict
from tests.support.project import Project
from tests.support.responses_server import ResponsesServer, answer, function_call, reasoning, said

ROWS = [{"id": each, "input": f"How warm is it in {each}?"} for each in ("Rome", "Oslo")]
REQUEST: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)
BY_HAND = """
async def test_agent(sample, model, score):
    chat = [{"role": "user", "content": sample.input}]
    first = await model.generate(chat, tools=[TOOL])
    function = {"name": first.tool_calls[0].name, "arguments": first.tool_calls[0].arguments}
    calls = [{"id": "a", "type": "function", "function": function}]
    chat += [{"role": "assistant", "content": first.text, "tool_calls": calls, **first.extra}]
    chat += [{"role": "tool", "tool_call_id": "a", "content": "20"}]
    score.exact(await model.generate(chat, tools=[TOOL]), "20")

TOOL = {"type": "function", "function": {"name": "warmth", "parameters": {"type": "object"}}}
"""


@pytest.fixture
def asked() -> Iterator[ResponsesServer]:
    with ResponsesServer() as running:
        yield running


def agent_reply(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Call a tool, and answer with its result where the reasoning came back before the call."""
    thought = reasoning(f"rs_{items[0]['content'][17:21]}")
    if len(items) == 1:
        return answer(thought, function_call("warmth", "{}"))
    kinds = [item["type"] for item in items[1:]]
    is_whole = items[1] == thought and kinds == ["reasoning", "function_call", "function_call_output"]
    return answer(said(items[-1]["output"] if is_whole else "its reasoning was lost", phase="final_answer"))


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [AGENT, BY_HAND], ids=["client", "by hand"])
def test_an_agent_gives_its_reasoning_back(
    project: Project, asked: ResponsesServer, body: str, arguments: tuple[str, ...]
) -> None:
    """With the result of a tool, through OpenAI's client and without; a later run finds all of it in the cache."""
    asked.reply = agent_reply
    project.write(models_yaml=asked.yaml("gpt-5-pro", params={"max_tokens": 500}))
    project.eval(body, ROWS)
    project.run("evals", *arguments, model="m").assert_outcomes(passed=2)
    assert len(asked.ledger) == 4
    for entry in asked.ledger:
        REQUEST.validate_python(entry.body)
        assert (entry.body["store"], entry.body["max_output_tokens"]) == (False, 500)
    project.run("evals", "--cache=only", *arguments, model="m").assert_outcomes(passed=2)
    assert len(asked.ledger) == 4
    calls = project.rows("SELECT status, output_tokens, detail FROM calls WHERE cached = 0")
    assert len(calls) == 4 and all(call["status"] == "ok" for call in calls)
    held = [json.loads(call["detail"]).get("extra", {}) for call in calls]
    assert sorted(len(extra.get("reasoning_items", ())) for extra in held) == [0, 0, 1, 1]


def judge_yaml(server: ResponsesServer, model: str) -> str:
    return f"models: {{j: {{spec: '{server.spec(model)}', api: responses}}}}\n"


@pytest.mark.parametrize(
    ("model", "requests", "form"),
    [
        ("echo", 3, "text"),
        ("fault-noformat-json_schema", 4, "tools"),
        ("fault-noparam-tools", 3, "text"),
        ("fault-noparam-temperature", 4, "text"),
        ("fault-nameless-text-tools", 7, "input"),
    ],
)
def test_a_judge_is_asked_in_a_form_that_its_server_takes(
    project: Project, asked: ResponsesServer, model: str, requests: int, form: str
) -> None:
    """What it refuses by a name of that API is not sent again; one after the other, so that it is refused once."""
    asked.reply = verdict
    project.write(models_yaml=judge_yaml(asked, model))
    body = "def test_echo(sample, score):\n    score.judge_sync(sample.input, rubric='qa')\n"
    project.eval(body, JUDGED_ROWS)
    assert project.run("evals", "--judge-model=j", "--max-connections=1").ret == 1
    rows = project.rows("SELECT sample_id, value FROM scores JOIN cases ON id = case_id WHERE name = 'correctness'")
    assert {row["sample_id"]: row["value"] for row in rows} == {"good": 1.0, "half": 0.5, "bad": 0.0}
    assert len(asked.ledger) == requests and form in asked.ledger[-1].body
    assert ("temperature" in asked.ledger[-1].body) == (model != "fault-noparam-temperature")


def test_a_judge_by_another_api_is_another_judge(project: Project, asked: ResponsesServer, judged_by: Judged) -> None:
    """Its labels, and its place in a baseline, are its own; that of chat completions stays what it was."""
    asked.reply, by_chat = verdict, judged_by(verdict)
    project.eval("def test_echo(sample, score):\n    score.judge_sync(sample.input, rubric='qa')\n", JUDGED_ROWS[:1])
    written = [f"spec: '{by_chat.spec('x')}'", f"spec: '{by_chat.spec('x')}', api: chat"]
    written += [f"spec: '{asked.spec('x')}', api: responses", f"spec: '{asked.spec('x')}'"]
    facts = []
    for text in written:
        project.write(models_yaml=f"models: {{j: {{{text}}}}}\n")
        project.run("evals", "--judge-model=j")
        (judge,) = project.rows("SELECT * FROM judges WHERE run_id = ?", project.last_run()["id"]) or [{}]
        facts.append((project.settings()["judge_digests"]["j"], judge.get("judge_id")))
    assert (len(asked.ledger), len(by_chat.ledger)) == (1, 1)
    assert facts[0] == facts[1]
    assert facts[2][0] != facts[3][0]


def test_a_panel_may_ask_one_model_by_both(project: Project, asked: ResponsesServer) -> None:
    """They are two judges, though they have one spec: by one of them the model keeps its reasoning."""
    spec = f"spec: '{asked.spec('x')}'"
    project.write(models_yaml=f"models: {{a: {{{spec}}}, b: {{{spec}, api: responses}}, c: {{{spec}, api: chat}}}}\n")
    project.eval("def test_echo(sample):\n    pass\n", JUDGED_ROWS[:1])
    assert project.run("evals", "--judge-model=a", "--judge-model=b").ret == 0
    assert project.run("evals", "--judge-model=a", "--judge-model=c").ret == 4


def test_a_name_with_an_api_is_listed_and_estimated(project: Project, asked: ResponsesServer) -> None:
    project.write(models_yaml=asked.yaml("gpt-5-pro", params={"max_tokens": 500}, prices={"input": 1, "output": 100}))
    project.eval("def test_it(response, score):\n    score.exact(response, 'x')\n", ROWS)
    (row, _) = json.loads(project.llmeval("models", "--json").stdout.str())
    assert (row["name"], row["note"]) == ("m", "asked by the Responses API")
    project.llmeval("estimate", "evals", "--model=m").stdout.fnmatch_lines(["*2 calls*1,000 out, about $0.10*"])
    assert not asked.ledger


def test_a_wrong_api_is_a_usage_error(project: Project) -> None:
    project.eval("def test_it(response):\n    pass\n", ROWS)
    project.write(models_yaml="models:\n  m:\n    spec: anthropic:claude\n    api: responses\n")
    result = project.run("evals", model="m")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["ERROR: models.yaml:4: models.m.api: only openai: models are asked by an API of choice, found anthropic:*"]
    )


def test_a_parameter_that_the_api_does_not_know_is_an_error_of_its_case(
    project: Project, asked: ResponsesServer
) -> None:
    """A marker may carry one for other models."""
    project.write(models_yaml=asked.yaml("gpt-5-pro"))
    project.eval("def test_it(response):\n    pass\n", ROWS, marker="params={'seed': 7, 'n': 1}")
    result = project.run("evals", model="m")
    result.assert_outcomes(errors=2)
    assert not asked.ledger
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"bad_request"}
    assert "'seed' is unknown to the Responses API; take it out" in result.stdout.str()
