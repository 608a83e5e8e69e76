"""An agent whose server knows its tool calls by ids: they come back with the results, as they would without us."""

from typing import Any

import pytest

from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "ab"]
CHAT = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_openai_client
    chat, make = [{"role": "user", "content": sample.input}], async_openai_client(model).chat.completions.create
    said = (await make(model="x", messages=chat)).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in said.tool_calls]
    last = await make(model="x", messages=[*chat, said, *results])
    score.exact(last.choices[0].message.content, "right")
"""
RESPONSES = """
def test_agent(sample, model, score):
    from pytest_llmeval import openai_client
    make = openai_client(model).responses.create
    first = make(model="x", input=sample.input)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "20"} for call in first.output]
    score.exact(make(model="x", input=results, previous_response_id=first.id).output_text, "right")
"""
MESSAGES = """
def test_agent(sample, model, score):
    from pytest_llmeval import anthropic_client
    chat, make = [{"role": "user", "content": sample.input}], anthropic_client(model).messages.create
    said = make(model="x", max_tokens=9, messages=chat)
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "20"} for use in said.content]
    chat += [{"role": "assistant", "content": said.content}, {"role": "user", "content": results}]
    score.exact(make(model="x", max_tokens=9, messages=chat).content[0].text, "right")
"""
OWN = """
async def test_agent(sample, model, score):
    chat = [{"role": "user", "content": sample.input}]
    said = await model.generate(chat)
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in said.tool_calls
    ]
    chat.append({"role": "assistant", "content": None, "tool_calls": calls})
    chat += [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in said.tool_calls]
    score.exact(await model.generate(chat), "right")
"""
IDS = ["functions.warmth:0", "functions.warmth:1"]


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call two tools, and look whether their ids come back."""
    function = {"name": "warmth", "arguments": "{}"}
    calls = [{"id": id_, "type": "function", "function": function} for id_ in IDS]
    if len(messages) == 1:
        return completion(None, finish="tool_calls", tool_calls=calls)
    told = [call["id"] for call in messages[1]["tool_calls"]], [each["tool_call_id"] for each in messages[2:]]
    return completion("right" if told == (IDS, IDS) else str(told))


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [CHAT, RESPONSES, MESSAGES, OWN], ids=["chat", "responses", "messages", "own"])
def test_the_server_is_told_its_own_ids(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """Now, and where the first answer is one of an earlier run, so that the second one is found, too."""
    project.eval(body, ROWS)
    project.server.reply = reply
    project.run("evals", *arguments).assert_outcomes(passed=2)
    project.run("evals", "--cache=only", *arguments).assert_outcomes(passed=2)
    assert len(project.server.ledger) == 4


TWICE = """
def test_agent(sample, model, score):
    from pytest_llmeval import openai_client
    make = openai_client(model).responses.create
    first, other = make(model="x", input=sample.input), make(model="x", input=sample.input)
    assert first.id != other.id and {call.id for call in first.output}.isdisjoint(call.id for call in other.output)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "20"} for call in first.output]
    last = make(model="x", input=results, previous_response_id=first.id)
    score.exact(last.output_text, "right")
"""


def test_of_equal_calls_under_other_ids_each_is_gone_on_from(project: Project) -> None:
    """The ids of their responses are others, too, and the same again where they are those of an earlier run."""
    project.eval(TWICE, ROWS[:1])
    asked: list[int] = []

    def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
        asked.append(len(messages))
        if len(messages) == 1:
            call = {"id": f"call_{len(asked)}", "type": "function", "function": {"name": "warmth", "arguments": "{}"}}
            return completion(None, finish="tool_calls", tool_calls=[call])
        return completion("right" if messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] else "wrong")

    project.server.reply = reply
    project.run("evals").assert_outcomes(passed=1)
    project.run("evals", "--cache=only").assert_outcomes(passed=1)
    assert asked == [1, 1, 3]
