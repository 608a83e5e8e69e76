"""What a caller of an ``anthropic:`` model gets for every kind of answer, and what the server is sent."""

import asyncio
from collections.abc import Iterator

import pytest

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Message, Request, Response, ToolCall, Usage
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.specs import parse_spec
from tests.support.anthropic_server import AnthropicServer, message
from tests.support.asking import FAST, ask_model, failure


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


def ask(server: AnthropicServer, *messages: Message, **params: object) -> Response:
    """Return the echo's answer to a chat."""
    backend = open_model(resolve_model(server.spec("echo"), {}), environ={}, policy=FAST)

    async def call() -> Response:
        try:
            return await backend.complete(Request(messages=messages, params=params))
        finally:
            await backend.aclose()

    return asyncio.run(call())


def test_answer_carries_text_usage_and_what_it_took(server: AnthropicServer) -> None:
    """A plain answer is a response with everything that the server said, in the words of the OpenAI protocol."""
    response = ask_model(server.spec("echo"), "two words")
    assert str(response) == "two words"
    assert response.usage == Usage(input_tokens=7, output_tokens=2)
    assert (response.finish_reason, response.model, response.attempts) == ("stop", "echo", 1)
    assert response.latency_s is not None and 0 < response.latency_s < 5
    assert (response.cost_usd, response.refusal) == (None, None)


def test_cost_follows_prices(server: AnthropicServer) -> None:
    """Tokens times price, per million; cached input counts as input."""
    prices = Prices(input_usd_per_million=1.0, output_usd_per_million=10.0)
    for name, cost in (("echo", 7 + 3 * 10), ("fault-body-cached", 127 + 10), ("fault-body-nousage", None)):
        model = NamedModel(name="priced", spec=parse_spec(server.spec(name)), prices=prices)
        assert ask_model(model, "a b c").cost_usd == (cost and pytest.approx(cost / 1e6))


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "look", "description": "Looks.", "strict": True}
OWN_TOOL = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"type": "any", "disable_parallel_tool_use": True}),
    ],
)
def test_tools_are_told_in_the_words_of_the_api(server: AnthropicServer, choice: object, sent: object) -> None:
    """Those of OpenAI are translated, those of the API itself go out as they are."""
    function = {"type": "function", "function": {**FUNCTION, "parameters": SCHEMA}}
    ask(server, {"role": "user", "content": "{}"}, tools=[function, OWN_TOOL], tool_choice=choice)
    assert server.ledger[0].body["tools"] == [{**FUNCTION, "input_schema": SCHEMA}, OWN_TOOL]
    assert server.ledger[0].body["tool_choice"] == sent


def test_one_tool_call_at_a_time_is_told_in_the_words_of_the_api(server: AnthropicServer) -> None:
    """A function without parameters has an empty schema."""
    tools = [{"type": "function", "function": {"name": "look"}}]
    ask(server, {"role": "user", "content": "x"}, tools=tools, parallel_tool_calls=False)
    body = server.ledger[0].body
    assert body["tools"] == [{"name": "look", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "parallel_tool_calls" not in body


FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
FORMED = {"format": {"type": "json_schema", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"stop": ["END"]}, {"stop_sequences": ["END"]}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"user": "me"}, {"metadata": {"user_id": "me"}}),
        ({"reasoning_effort": "low"}, {"output_config": {"effort": "low"}}),
        ({"response_format": FORM}, {"output_config": FORMED}),
        ({"response_format": FORM, "reasoning_effort": "low"}, {"output_config": {**FORMED, "effort": "low"}}),
        ({"response_format": {"type": "text"}}, {}),
        ({"tools": "none"}, {"tools": "none"}),
        ({"top_k": 3}, {"top_k": 3}),
    ],
)
def test_params_are_told_in_the_words_of_the_api(
    server: AnthropicServer, params: dict[str, object], sent: dict[str, object]
) -> None:
    ask(server, {"role": "user", "content": "x"}, **params)
    body = server.ledger[0].body
    assert {key: body[key] for key in body.keys() - {"model", "messages", "max_tokens"}} == sent


@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {}}, "json", None])
def test_a_form_that_the_api_does_not_know_costs_no_request(server: AnthropicServer, form: object) -> None:
    """A judge is told that it is the form, and tries another."""
    error = failure(server.spec("echo"), params={"response_format": form})
    assert (error.kind, error.param, server.ledger) == (ErrorKind.BAD_REQUEST, "response_format", [])


def test_tool_calls_carry_their_arguments_as_canonical_json(server: AnthropicServer) -> None:
    """Beside a text and without one; in the order in which they came."""
    blocks = [{"type": "tool_use", "id": str(n), "name": f"t{n}", "input": {"b": n, "a": "ü"}} for n in (1, 2)]
    for text in ([], ["Let me look."]):
        server.reply = lambda messages, text=text: message(*text, *blocks, stop="tool_use")  # type: ignore[misc]
        response = ask(server, {"role": "user", "content": "x"})
        assert response.text == "".join(text)
        assert response.tool_calls == tuple(
            ToolCall(name=f"t{n}", arguments=f'{{"a":"\\u00fc","b":{n}}}') for n in (1, 2)
        )


def test_headers_are_ours(server: AnthropicServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of the API is named, and nothing goes out that the SDK adds by itself."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Leak: CANARY")
    ask_model(server.spec("echo"))
    headers = server.ledger[0].headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert not any(name.startswith(("x-stainless", "x-leak", "traceparent", "idempotency")) for name in headers)


def test_max_tokens_has_a_default(server: AnthropicServer) -> None:
    """The API demands one."""
    ask_model(server.spec("echo"))
    assert server.ledger[0].body["max_tokens"] == 1024


def test_system_messages_become_the_system_prompt(server: AnthropicServer) -> None:
    """System and developer messages together, wherever they stand; the others keep their order."""
    chat: list[Message] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": "Be kind."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Bye"},
    ]
    ask(server, *chat)
    assert server.ledger[0].body["system"] == "Be brief.\n\nBe kind."
    assert server.ledger[0].body["messages"] == [chat[1], chat[3], chat[4]]


def test_system_blocks_stay_blocks(server: AnthropicServer) -> None:
    """So that a cached prefix can be marked."""
    block = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    ask(server, {"role": "system", "content": [block]}, {"role": "system", "content": "x"})
    assert server.ledger[0].body["system"] == [block, {"type": "text", "text": "x"}]


@pytest.mark.parametrize("content", [None, 3, {"type": "text", "text": "x"}])
def test_a_system_message_without_a_content_costs_no_request(server: AnthropicServer, content: object) -> None:
    with pytest.raises(CallError, match="the content of a system message is neither") as caught:
        ask(server, {"role": "system", "content": content})  # type: ignore[typeddict-item]  # as a test may pass it
    assert (caught.value.kind, caught.value.attempts, server.ledger) == (ErrorKind.BAD_REQUEST, 0, [])


def test_a_system_prompt_in_params_is_sent_unless_there_are_two(server: AnthropicServer) -> None:
    """One would silently win over the other."""
    ask(server, {"role": "user", "content": "x"}, system="Be brief.")
    assert server.ledger[0].body["system"] == "Be brief."
    with pytest.raises(CallError, match="'system' is in both params and the messages"):
        ask(server, {"role": "system", "content": "x"}, system="Be brief.")
    assert len(server.ledger) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"stream": True},
        {"model": "x"},
        {"temperature": float("nan")},
        {"x": {1}},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_unsendable_params_cost_no_request(server: AnthropicServer, params: dict[str, object]) -> None:
    """What cannot be sent is said, and nothing is sent."""
    error = failure(server.spec("echo"), params=params)
    assert (error.kind, error.attempts, server.ledger) == (ErrorKind.BAD_REQUEST, 0, [])


@pytest.mark.parametrize(
    ("name", "text", "finish", "refusal"),
    [
        ("length", "cut off in the mid", "length", None),
        ("lengthempty", "", "length", None),
        ("nostop", "ok", None, None),
        ("nothing", "", "stop", None),
        ("refusal", "", "refusal", "It could do harm."),
        ("refusalbare", "", "refusal", "refused without an explanation"),
        ("refusaltext", "I cannot help.", "refusal", "I cannot help."),
        ("sequence", "ok", "stop", None),
        ("surrogate", "a\ud800b", "stop", None),
        ("thinking", "Yes, sure.", "stop", None),
        ("tooltext", "Let me look.", "tool_calls", None),
        ("tooluse", "", "tool_calls", None),
    ],
)
def test_states_that_are_answers(
    server: AnthropicServer, name: str, text: str, finish: str | None, refusal: str | None
) -> None:
    """Refusals, cut answers, thinking and odd text are answers, marked as what they are."""
    response = ask_model(server.spec(f"fault-body-{name}"))
    assert (response.text, response.finish_reason, response.refusal) == (text, finish, refusal)


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("nousage", Usage()),
        ("badusage", Usage()),
        ("nanusage", Usage()),
        ("badcache", Usage(output_tokens=1)),
        ("hugeusage", Usage(output_tokens=1)),
        ("cached", Usage(input_tokens=127, output_tokens=1)),
    ],
)
def test_usage_counts_cached_input_and_no_nonsense(server: AnthropicServer, name: str, usage: Usage) -> None:
    """All input is input; NaN, negative numbers and strings are no token counts."""
    assert ask_model(server.spec(f"fault-body-{name}")).usage == usage
