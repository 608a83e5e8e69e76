"""What a caller of a model that is asked by the Responses API gets, and what its server is sent."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Message, Request, Response, ToolCall, Usage
from pytest_llmeval.models.local.server import LocalServer
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.registry import TransportName, open_model
from pytest_llmeval.models.specs import parse_spec
from tests.support.asking import FAST, ask_model, failure
from tests.support.responses_server import ResponsesServer, answer, function_call, reasoning

BAD = ErrorKind.BAD_REQUEST
ENCRYPTED = ["reasoning.encrypted_content"]
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def server() -> Iterator[ResponsesServer]:
    with ResponsesServer() as running:
        yield running


def ask(
    model: NamedModel, *chats: list[Message], environ: Mapping[str, str] | None = None, **params: object
) -> list[Response]:
    """Return the answers to chats, all asked at once by one backend."""
    backend = open_model(model, environ=environ or {}, policy=FAST)

    async def calls() -> list[Response]:
        try:
            return await asyncio.gather(
                *[backend.complete(Request(messages=(*chat,), params=params)) for chat in chats]
            )
        finally:
            await backend.aclose()

    return asyncio.run(calls())


def test_answer_carries_text_usage_and_what_it_took(server: ResponsesServer, transport: TransportName) -> None:
    """A plain answer is a response with all that the server said, over either transport; nothing is kept there."""
    response = ask_model(server.model("echo"), "two words", transport=transport)
    assert str(response) == "two words"
    assert response.usage == Usage(input_tokens=7, output_tokens=2)
    assert (response.finish_reason, response.model, response.attempts) == ("stop", "echo", 1)
    assert response.latency_s is not None and 0 < response.latency_s < 5
    assert (response.cost_usd, response.refusal, response.extra) == (None, None, {})
    (entry,) = server.ledger
    asked = [{"type": "message", "role": "user", "content": "two words"}]
    assert entry.path == "/v1/responses"
    assert entry.body == {"model": "echo", "input": asked, "store": False, "include": ENCRYPTED}
    assert not any(name.startswith("x-stainless") for name in entry.headers)


def test_cost_follows_prices(server: ResponsesServer) -> None:
    model = replace(server.model("echo"), prices=Prices(input_usd_per_million=1.0, output_usd_per_million=10.0))
    assert ask_model(model, "a b c").cost_usd == pytest.approx((7 + 3 * 10) / 1e6)


def test_parameters_go_out_in_the_words_of_the_api(server: ResponsesServer) -> None:
    """The call's replace the model's, a bound under either of its names."""
    model = server.model("echo", max_completion_tokens=500, reasoning_effort="high", temperature=1)
    ask_model(model, params={"max_tokens": 20, "reasoning_effort": "low", "response_format": {"type": "json_object"}})
    body = server.ledger[0].body
    assert (body["max_output_tokens"], body["temperature"]) == (20, 1)
    assert (body["reasoning"], body["text"]) == ({"effort": "low"}, {"format": {"type": "json_object"}})
    assert not body.keys() & {"max_tokens", "max_completion_tokens", "reasoning_effort", "response_format"}


def test_reasoning_goes_with_the_conversation(server: ResponsesServer) -> None:
    """As a message of the next request holds what the last response had besides."""
    thought = reasoning()
    server.reply = lambda items: (
        "20 degrees" if len(items) > 1 else answer(thought, function_call("look", '{"city": "Rome"}'))
    )
    asked: Message = {"role": "user", "content": "How warm is it in Rome?"}
    (first,) = ask(server.model("echo"), [asked], tools=[FUNCTION])
    assert first.tool_calls == (ToolCall(name="look", arguments='{"city": "Rome"}'),)
    function = {"name": "look", "arguments": first.tool_calls[0].arguments}
    calls = [{"id": "a", "type": "function", "function": function}]
    said: Any = {"role": "assistant", "content": None, "tool_calls": calls, **first.extra}
    (last,) = ask(server.model("echo"), [asked, said, {"role": "tool", "tool_call_id": "a", "content": "20"}])
    assert last.text == "20 degrees"
    assert server.ledger[1].body["input"] == [
        {"type": "message", **asked},
        thought,
        {"type": "function_call", "call_id": "a", **function},
        {"type": "function_call_output", "call_id": "a", "output": "20"},
    ]


def test_what_other_apis_alone_are_told_of_a_message_is_not_sent(server: ResponsesServer) -> None:
    """As it stands in what an application of Anthropic's SDK has said so far."""
    beside: Any = {"is_error": True, "in_place": True, "content_blocks": [{"type": "text", "text": "x"}]}
    said: list[Any] = [{"role": "user", "content": "x", **beside}, {"role": "assistant", "content": "y", **beside}]
    ask(server.model("echo"), said)
    assert [item.keys() for item in server.ledger[0].body["input"]] == [{"type", "role", "content"}] * 2


def test_a_model_that_does_not_reason_is_asked_without(server: ResponsesServer) -> None:
    """Nobody but this package asked for its reasoning; once is enough to know, also for calls under way."""
    model = server.model("fault-noencryption")
    chats: list[list[Message]] = [[{"role": "user", "content": f"row {n}"}] for n in range(3)]
    assert [each.text for each in ask(model, *chats)] == ["row 0", "row 1", "row 2"]
    assert [("include" in entry.body) for entry in server.ledger].count(True) == 3 == len(server.ledger) / 2
    backend = open_model(model, environ={}, policy=FAST)

    async def one_after_the_other() -> list[int]:
        found = [(await backend.complete(Request(messages=tuple(chat)))).attempts for chat in chats]
        await backend.aclose()
        return found

    assert asyncio.run(one_after_the_other()) == [2, 1, 1]


def test_who_asks_for_reasoning_is_told_that_there_is_none(server: ResponsesServer) -> None:
    """It would be missed."""
    error = failure(server.model("fault-noencryption"), params={"include": ENCRYPTED})
    assert (error.kind, error.attempts, error.param) == (BAD, 1, "include")
    assert "Encrypted content is not supported" in str(error) and "take 'include' out of the params" in str(error)


def test_a_form_that_is_refused_is_named_as_it_was_asked_for(server: ResponsesServer) -> None:
    """So that a judge asks in the next one; its user is told nothing of what a judge does by itself."""
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    error = failure(server.model("fault-noformat-json_schema"), params={"response_format": shape})
    assert (error.kind, error.attempts, error.param) == (BAD, 1, "response_format")
    assert "take " not in str(error)


@pytest.mark.parametrize("name", ["temperature", "max_output_tokens"])
def test_a_parameter_that_is_refused_says_what_to_do(server: ResponsesServer, name: str) -> None:
    """As OpenAI's reasoning models refuse a temperature; nothing is left out, as that would change what is measured."""
    asked = "max_tokens" if name == "max_output_tokens" else name
    error = failure(server.model(f"fault-noparam-{name}"), params={asked: 1})
    assert (error.kind, error.attempts, error.param) == (BAD, 1, asked)
    assert f"unsupported: {name}; take {asked!r} out of the params of models.yaml, the marker or the call" in str(error)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"stream": True}, "stream"),
        ({"seed": 7}, "seed"),
        ({"max_output_tokens": 7}, "max_output_tokens"),
        ({"model": "x"}, None),
        ({"temprature": 0}, None),
        ({"temperature": float("nan")}, None),
        ({"x": {1}}, None),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "low"}, None),
    ],
)
def test_unsendable_params_cost_no_request(
    server: ResponsesServer, params: dict[str, object], param: str | None
) -> None:
    """What cannot be sent is said, and nothing is sent."""
    error = failure(server.model("echo"), params=params)
    assert (error.kind, error.attempts, error.param, server.ledger) == (BAD, 0, param, [])


@pytest.mark.parametrize(
    ("name", "text", "finish", "refusal"),
    [
        ("custom", "", "tool_calls", None),
        ("length", "cut off in the mid", "length", None),
        ("lengthcall", "", "length", None),
        ("lengthempty", "", "length", None),
        ("nostatus", "ok", None, None),
        ("nothing", "", "stop", None),
        ("refusal", "", "stop", "I cannot help with that."),
        ("search", "Found.", "stop", None),
        ("steered", "half an", "steered", None),
        ("surrogate", "a\ud800b", "stop", None),
        ("thought", "Yes, sure.", "stop", None),
        ("toolcall", "", "tool_calls", None),
        ("tooltext", "Let me look.", "tool_calls", None),
        ("unexplained", "half an", "incomplete", None),
    ],
)
def test_states_that_are_answers(
    server: ResponsesServer, name: str, text: str, finish: str | None, refusal: str | None
) -> None:
    """Refusals, cut answers, reasoning and odd text are answers, marked as what they are."""
    response = ask_model(server.model(f"fault-body-{name}"))
    assert (response.text, response.finish_reason, response.refusal) == (text, finish, refusal)


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("nousage", Usage()),
        ("badusage", Usage()),
        ("nanusage", Usage()),
        ("hugeusage", Usage(output_tokens=1)),
    ],
)
def test_usage_holds_no_nonsense(server: ResponsesServer, name: str, usage: Usage) -> None:
    assert ask_model(server.model(f"fault-body-{name}")).usage == usage


def test_a_stream_of_events_that_nobody_asked_for_is_read(server: ResponsesServer) -> None:
    """Some gateways send one whatever is asked for."""
    response = ask_model(server.model("fault-events"), "two words")
    assert (response.text, response.finish_reason, response.usage.output_tokens) == ("two words", "stop", 2)


def identity_key(model: NamedModel) -> str:
    """Return what an answer is found by in a later run."""
    backend = open_model(model, environ={})
    asyncio.run(backend.aclose())
    return digest(canonical(dict(backend.identity(Request(messages=({"role": "user", "content": "x"},))))))


def test_an_answer_by_another_api_is_another(server: ResponsesServer) -> None:
    """Those of chat completions are found by what they were always found by."""
    model = server.model("echo", max_tokens=9)
    assert identity_key(model) != identity_key(replace(model, api="chat"))
    backend = open_model(model, environ={})
    assert backend.identity(Request(messages=()))["params"] == {"max_tokens": 9}
    asyncio.run(backend.aclose())
    chat = open_model(replace(model, api="chat"), environ={})
    assert "api" not in chat.identity(Request(messages=()))
    asyncio.run(chat.aclose())


def test_opening_a_model_does_not_import_the_sdk() -> None:
    """Its import takes a second."""
    code = (
        "import sys; from pytest_llmeval.models.named import NamedModel; from pytest_llmeval.models.specs import "
        "parse_spec; from pytest_llmeval.models.registry import open_model;"
        "open_model(NamedModel(name='m', spec=parse_spec('m@http://h:1/v1'), api='responses'), environ={});"
        "print('openai' in sys.modules, 'pydantic' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]


def test_an_error_names_the_model_and_its_place(server: ResponsesServer) -> None:
    with pytest.raises(CallError, match=rf"^fault-status-400 at 127.0.0.1:{server.port}: HTTP 400: fault 400"):
        ask_model(server.model("fault-status-400"))


@pytest.mark.parametrize(
    "chat",
    [
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "My name is Zoe."}]},
            {"role": "assistant", "content": "Hello, Zoe!"},
            {"role": "user", "content": "What is my name?"},
        ],
        [
            {"role": "user", "content": "How warm is it in Rome?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "20 degrees"},
        ],
    ],
    ids=["chat", "tools"],
)
def test_a_server_that_speaks_both_is_told_the_same_by_either(local_server: LocalServer, chat: list[Message]) -> None:
    """llama.cpp, whose authors read the API by themselves: the greedy answers to one prompt are equal."""
    spec = parse_spec(f"openai:smollm2@{local_server.base_url}")
    params = {"temperature": 0, "max_tokens": 8}
    model = NamedModel(name="m", spec=spec, params=params, api="responses")
    environ = {"LLMEVAL_API_KEY": local_server.api_key}
    (by_responses,) = ask(model, chat, environ=environ)
    (by_chat,) = ask(replace(model, api="chat"), chat, environ=environ)
    assert by_responses.text == by_chat.text
    assert (by_responses.usage, by_responses.model) == (by_chat.usage, by_chat.model)
