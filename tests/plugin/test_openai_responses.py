"""An application that asks OpenAI's client for responses: what it asks is asked through the case's model."""

from typing import Any

import pytest

from tests.support.anthropic_server import AnthropicServer, message
from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "ab"]
SYNC = """
def test_echo(sample, model, score):
    from pytest_llmeval import openai_client
    score.exact(app(sample.input, openai_client(model)), sample.input)

def app(question, client):
    asked = {"instructions": "Echo.", "max_output_tokens": 9, "reasoning": {"effort": "low", "summary": "auto"}}
    return client.responses.create(model="gpt-4o", input=question, temperature=0.5, store=False, **asked).output_text
"""
ASYNC = """
async def test_echo(sample, model, score):
    from pytest_llmeval import async_openai_client
    score.exact(await app(sample.input, async_openai_client(model)), sample.input)

async def app(question, client):
    asked = {"instructions": "Echo.", "max_output_tokens": 9, "reasoning": {"effort": "low"}}
    events = await client.responses.create(model="gpt-4o", input=question, temperature=0.5, stream=True, **asked)
    return "".join([event.delta async for event in events if event.type == "response.output_text.delta"])
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_responses_are_calls_of_the_case(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """They go to the case's model as chat completions, are recorded, and serve a later run."""
    project.eval(body, ROWS, marker='params={"temperature": 0, "max_tokens": 50, "seed": 7}')
    project.run("evals", *arguments).assert_outcomes(passed=2)
    sent = sorted((entry.body for entry in project.server.ledger), key=str)
    system = {"role": "system", "content": "Echo."}
    params = {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9, "reasoning_effort": "low"}
    chats = [[system, {"role": "user", "content": row["input"]}] for row in ROWS]
    assert sent == [{"model": "echo", "messages": chat, **params} for chat in chats]
    calls = project.rows("SELECT status, input_tokens, output_tokens FROM calls")
    assert [list(call.values()) for call in calls] == [["ok", 7, 2]] * 2
    project.run("evals", "--cache=only").assert_outcomes(passed=2)
    assert len(project.server.ledger) == 2


AGENT = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_openai_client
    score.exact(await AGENTS[sample.id](sample.input, async_openai_client(model).responses), "sunny and rainy")

TOOLS = [{"type": "function", "name": "find", "parameters": {"type": "object"}, "strict": True}]
TOOLS += [{"type": "custom", "name": "note", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}}]

def results(output):
    found = {'{"city": "Rome"}': "sunny", "aa": "rainy"}
    for item in output:
        if item.type == "function_call":
            yield {"type": "function_call_output", "call_id": item.call_id, "output": found[item.arguments]}
        if item.type == "custom_tool_call":
            text = [{"type": "input_text", "text": found[item.input]}]
            yield {"type": "custom_tool_call_output", "call_id": item.call_id, "output": text}

async def whole(question, responses):
    items = [{"role": "user", "content": question}]
    while True:
        response = await responses.create(model="x", input=items, tools=TOOLS, store=False, instructions="Find.")
        items += response.output
        items += results(response.output)
        if items[-1] is response.output[-1]:
            return response.output_text

async def streamed(question, responses):
    items = [{"role": "user", "content": [{"type": "input_text", "text": question}]}]
    while True:
        async with responses.stream(model="x", input=items, tools=TOOLS, instructions="Find.") as events:
            response = await events.get_final_response()
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        items += results(response.output)
        if items[-1].get("role") == "assistant":
            return response.output_text

async def by_response(question, responses):
    response = await responses.create(model="x", input=question, tools=TOOLS, instructions="Find.")
    while found := list(results(response.output)):
        asked = {"previous_response_id": response.id, "input": found}
        response = await responses.create(model="x", tools=TOOLS, instructions="Find.", **asked)
    return response.output_text

async def by_item(question, responses):
    items = [{"role": "user", "content": question, "type": "message"}]
    while True:
        response = await responses.create(model="x", input=items, tools=TOOLS, instructions="Find.")
        items += [{"type": "item_reference", "id": item.id} for item in response.output]
        found = list(results(response.output))
        items += found
        if not found:
            return response.output_text

AGENTS = {"whole": whole, "streamed": streamed, "by_response": by_response, "by_item": by_item}
"""
WAYS = ("whole", "streamed", "by_response", "by_item")
THOUGHT: dict[str, Any] = {"reasoning_content": "Two cities.", "annotations": [{"type": "x"}]}
SIGNED = {"extra_content": {"google": {"thought_signature": "c2ln"}}}


def called(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call two tools, and say what they gave."""
    if len(messages) > 2:
        return completion(" and ".join(message["content"] for message in messages[3:]))
    function = {"name": "find", "arguments": '{"city": "Rome"}'}
    calls = [
        {"id": "1", "type": "function", "function": function, **SIGNED},
        {"id": "2", "type": "custom", "custom": {"name": "note", "input": "aa"}},
    ]
    return completion("Let me see.", finish="tool_calls", tool_calls=calls, **THOUGHT)


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
def test_an_agent_goes_on_in_each_way_that_there_is(project: Project, arguments: tuple[str, ...]) -> None:
    """It passes all items, or the id of the response, or those of the items: what the model is sent is the same.

    That is what it said, thought and called, in one message, and what the tools gave.
    """
    project.eval(AGENT, [{"id": each, "input": "Where?"} for each in WAYS])
    project.server.reply = called
    project.run("evals", *arguments).assert_outcomes(passed=4)
    first, *_, last = sorted((entry.body for entry in project.server.ledger), key=lambda body: len(body["messages"]))
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    assert first["tools"] == [
        {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "note", "format": grammar}},
    ]
    system, user, said, *found = last["messages"]
    assert [system["role"], user, said["content"]] == ["system", {"role": "user", "content": "Where?"}, "Let me see."]
    assert THOUGHT.items() <= said.items()
    one, other = said["tool_calls"]
    assert (one["function"]["name"], one["extra_content"]) == ("find", SIGNED["extra_content"])
    assert other == {"id": other["id"], "type": "custom", "custom": {"name": "note", "input": "aa"}}
    texts = {one["id"]: "sunny", other["id"]: "rainy"}
    assert found == [{"role": "tool", "tool_call_id": id_, "content": text} for id_, text in texts.items()]
    chats = {str(entry.body["messages"]) for entry in project.server.ledger}
    assert (len(project.server.ledger), len(chats)) == (8, 2)
    project.run("evals", "--cache=only", *arguments).assert_outcomes(passed=4)
    assert len(project.server.ledger) == 8


def test_what_a_resumed_agent_asks_is_found(project: Project) -> None:
    """The step that was answered, by the ids in what it asks then."""
    project.eval(AGENT, [{"id": each, "input": "Where?"} for each in ("whole", "by_response")])
    project.server.reply = lambda messages: called(messages) if len(messages) < 3 else {"error": "down"}
    project.run("evals").assert_outcomes(errors=2)
    asked = len(project.server.ledger)
    project.server.reply = called
    project.run("evals", "--resume=last").assert_outcomes(passed=2)
    assert [len(entry.body["messages"]) for entry in project.server.ledger[asked:]] == [5, 5]


KINDS = """
def test_kinds(sample, model):
    import json
    import pydantic
    from openai.types.responses import Response, ResponseStreamEvent
    from pytest_llmeval import openai_client

    asked = {"model": "x", "input": sample.input, "top_p": 1, "metadata": {"a": "b"}, "user": "me"}
    asked["tools"] = [{"type": "function", "name": "f", "parameters": {}, "strict": None}]
    responses = openai_client(model).responses
    sent = responses.with_raw_response.create(**asked).http_response.text
    whole = Response.model_validate_json(sent, strict=True)
    assert (whole.model, whole.metadata, whole.user, whole.top_p) == ("test", {"a": "b"}, "me", 1)
    kinds = [part.type for item in whole.output for part in getattr(item, "content", None) or [item]]
    assert [whole.status, whole.usage and whole.usage.total_tokens, *kinds] == sample.target
    details = whole.incomplete_details and whole.incomplete_details.reason
    assert details == ("max_output_tokens" if whole.status == "incomplete" else None)

    event = pydantic.TypeAdapter(ResponseStreamEvent)
    with responses.with_streaming_response.create(**asked, stream=True) as raw:
        lines = [line.removeprefix("data: ") for line in raw.iter_lines() if line.startswith("data: ")]
    events = [event.validate_json(line, strict=True) for line in lines]
    assert [each.sequence_number for each in events] == list(range(len(events)))
    names = [each.type.removeprefix("response.") for each in events]
    assert [names[0], names[1], names[-1]] == ["created", "in_progress", whole.status]
    assert [each.item for each in events if each.type == "response.output_item.done"] == whole.output
    assert events[-1].response.output == whole.output and events[0].response.output == []
    said = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    assert said == events[-1].response.output_text == whole.output_text
    with responses.stream(**asked) as stream:
        assert [each.type for each in stream] == [each.type for each in events]
"""
CALLS = [{"id": each, "type": "function", "function": {"name": "f", "arguments": each}} for each in ("", '{"a": 1}')]
NATIVE = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "It thought."}],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "encrypted_content": "x",
}
TEXT = {"type": "text", "text": "Hello."}
ANSWERS: dict[str, dict[str, Any]] = {
    "text": completion("Hello there."),
    "empty": completion(""),
    "cut": completion("Hello", finish="length"),
    "nothing": completion("", finish="length"),
    "refusal": completion(None, refusal="No."),
    "both": completion("Well.", refusal="No."),
    "calls": completion(None, finish="tool_calls", tool_calls=CALLS),
    "thoughts": completion("Hello.", reasoning="Hm.", tool_calls=CALLS[:1]),
    "parts": completion([{"type": "thinking", "thinking": [TEXT | {"text": "Hm."}]}, TEXT]),
    "unseen": completion("Hello.", annotations=[{"type": "x"}]),
    "native": completion("Hello.", reasoning_items=[NATIVE]),
    "uncounted": {**completion("Hello."), "usage": None},
}
SHOWN: dict[str, list[Any]] = {
    "text": ["completed", 9, "output_text"],
    "empty": ["completed", 7, "output_text"],
    "cut": ["incomplete", 8, "output_text"],
    "nothing": ["incomplete", 7],
    "refusal": ["completed", 7, "refusal"],
    "both": ["completed", 8, "output_text", "refusal"],
    "calls": ["completed", 7, "function_call", "function_call"],
    "thoughts": ["completed", 8, "reasoning_text", "output_text", "function_call"],
    "parts": ["completed", 7, "reasoning_text", "output_text"],
    "unseen": ["completed", 8, "reasoning", "output_text"],
    "native": ["completed", 8, "reasoning_text", "output_text"],
    "uncounted": ["completed", None, "output_text"],
}
"""Status and tokens of each, and what its items hold."""


def test_every_kind_of_answer_is_what_the_sdk_knows(project: Project) -> None:
    """Whole and as a stream, checked by the SDK's own types; the stream makes up what comes whole."""
    project.eval(KINDS, [{"id": each, "input": each, "target": SHOWN[each]} for each in ANSWERS])
    project.server.reply = lambda messages: ANSWERS[messages[0]["content"]]
    project.run("evals").assert_outcomes(passed=len(ANSWERS))


def test_structures_come_parsed(project: Project) -> None:
    """Text by a class, and the arguments of a tool that one describes; streamed, too."""
    body = """
    def test_parsed(sample, model):
        import openai
        import pydantic
        from pytest_llmeval import openai_client

        class Place(pydantic.BaseModel):
            city: str

        asked = {"model": "x", "input": sample.input, "text_format": Place}
        responses = openai_client(model).responses
        assert responses.parse(**asked).output_parsed == Place(city="Rome")
        with responses.stream(**asked) as events:
            assert events.get_final_response().output_parsed == Place(city="Rome")
        tools = [openai.pydantic_function_tool(Place)]
        (call,) = responses.parse(model="x", input=sample.input, tools=tools, tool_choice="required").output
        assert call.parsed_arguments == Place(city="Rome")
    """
    project.eval(body, [{"id": "a", "input": '{"city": "Rome"}'}])
    project.run("evals").assert_outcomes(passed=1)
    form = project.server.ledger[0].body["response_format"]
    assert (form["type"], form["json_schema"]["name"], form["json_schema"]["strict"]) == ("json_schema", "Place", True)
    assert project.server.ledger[-1].body["tools"][0]["function"]["strict"] is True


def test_conversations_of_one_client_do_not_mix(project: Project) -> None:
    """Those of many tasks, and of many threads."""
    body = """
    async def test_many(sample, model, score):
        import asyncio
        from pytest_llmeval import async_openai_client, openai_client

        client, other = async_openai_client(model), openai_client(model)

        async def talk(number):
            first = await client.responses.create(model="x", input=f"{number} a")
            again = {"previous_response_id": first.id, "input": f"{number} b"}
            return (await client.responses.create(model="x", **again)).output_text

        def speak(number):
            first = other.responses.create(model="x", input=f"{number} a")
            return other.responses.create(model="x", previous_response_id=first.id, input=f"{number} b").output_text

        numbers = range(12)
        said = await asyncio.gather(*map(talk, numbers), *(asyncio.to_thread(speak, -1 - each) for each in numbers))
        assert said == [f"{each} a, {each} b" for each in (*numbers, *(-1 - each for each in numbers))]
    """
    project.eval(body, ROWS[:1])
    project.server.reply = lambda messages: ", ".join(each["content"] for each in messages if each["role"] == "user")
    project.run("evals").assert_outcomes(passed=1)
    assert len(project.server.ledger) == 48


def test_thoughts_of_anthropic_come_back(project: Project) -> None:
    """Though the agent asks OpenAI's client for responses: any model can be the case's."""
    thought = {"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"}

    def thinking(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if len(messages) > 1:
            lost = "what it thought was lost"
            return message("sunny and rainy" if messages[1]["content"][0] == thought else lost)
        arguments = {"city": "Rome"}
        return message(thought, {"type": "tool_use", "id": "1", "name": "find", "input": arguments}, stop="tool_use")

    body = (
        AGENT.replace("TOOLS += ", "CUSTOM = ")
        .replace('"city": "Rome"', '"city":"Rome"')
        .replace(', "strict": True', "")
    )
    project.eval(body, [{"id": each, "input": "Where?"} for each in WAYS])
    with AnthropicServer() as server:
        server.reply = thinking
        project.run("evals", model=server.spec("echo")).assert_outcomes(passed=len(WAYS))
