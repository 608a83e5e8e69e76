"""An agent whose model thinks: what it thought before it called a tool is sent back with the tool's result."""

from typing import Any

import pytest

from tests.support.anthropic_server import AnthropicServer, message
from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"How warm is it in {each}?"} for each in ("Rome", "Oslo")]
AGENT = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_openai_client
    score.exact(await agent(sample.input, async_openai_client(model)), "20")

async def agent(question, client):
    messages = [{"role": "user", "content": question}]
    tools = [{"type": "function", "function": {"name": "warmth", "parameters": {"type": "object"}}}]
    while True:
        said = (await client.chat.completions.create(model="x", messages=messages, tools=tools)).choices[0].message
        if not said.tool_calls:
            return said.content
        messages.append(said)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in said.tool_calls]
"""
STREAMED = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_openai_client
    score.exact(await agent(sample.input, async_openai_client(model)), "20")

async def agent(question, client):
    messages = [{"role": "user", "content": question}]
    while True:
        async with client.chat.completions.stream(model="x", messages=messages) as events:
            said = (await events.get_final_completion()).choices[0].message
        if not said.tool_calls:
            return said.content
        messages.append(said.to_dict())
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in said.tool_calls]
"""
FUNCTION = {"name": "warmth", "arguments": "{}"}
SIGNED = {"google": {"thought_signature": "c2ln"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call a tool, and answer with its result where what was thought came back with it."""
    thought = f"Hm: {messages[0]['content']}"
    if len(messages) == 1:
        call = {"id": "1", "type": "function", "function": FUNCTION, "extra_content": SIGNED}
        return completion(None, finish="tool_calls", tool_calls=[call], reasoning_content="", reasoning=thought)
    said = messages[1]
    is_whole = (said["reasoning_content"], said["reasoning"]) == ("", thought)
    is_signed = said["tool_calls"][0]["extra_content"] == SIGNED
    return completion(messages[2]["content"] if is_whole and is_signed else "what it thought was lost")


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [AGENT, STREAMED], ids=["whole", "streamed"])
def test_what_a_message_holds_comes_back_with_the_next_request(
    project: Project, body: str, arguments: tuple[str, ...]
) -> None:
    """Now, and where the answer is one of an earlier run."""
    project.eval(body, ROWS)
    project.server.reply = reply
    project.run("evals", *arguments).assert_outcomes(passed=2)
    project.run("evals", "--cache=only", *arguments).assert_outcomes(passed=2)
    assert len(project.server.ledger) == 4


def test_a_content_of_parts_comes_as_it_is(project: Project) -> None:
    """As to any application of OpenAI's client that asks one of Mistral's thinking models."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "20"}]
    body = """
    def test_parts(sample, model, score):
        from pytest_llmeval import openai_client
        chat = openai_client(model).chat.completions
        asked = {"role": "user", "content": sample.input}
        said = chat.create(model="x", messages=[asked]).choices[0].message.to_dict(warnings=False)
        chat.create(model="x", messages=[asked, said, asked])
        score.exact(said["content"][-1]["text"], "20")
    """
    project.eval(body, ROWS)
    project.server.reply = lambda messages: completion(parts)
    project.run("evals").assert_outcomes(passed=2)
    assert [entry.body["messages"][1]["content"] for entry in project.server.ledger[1::2]] == [parts, parts]


def test_thoughts_of_anthropic_come_back(project: Project) -> None:
    """Though the agent speaks with OpenAI's client."""

    def thinking(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if len(messages) == 1:
            return message(THOUGHT, {"type": "tool_use", "id": "1", "name": "warmth", "input": {}}, stop="tool_use")
        first = messages[1]["content"][0]
        return message(messages[2]["content"][0]["content"] if first == THOUGHT else "what it thought was lost")

    project.eval(AGENT, ROWS)
    with AnthropicServer() as server:
        server.reply = thinking
        project.run("evals", model=server.spec("echo")).assert_outcomes(passed=2)
