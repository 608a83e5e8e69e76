"""What a caller of an ``anthropic:`` model gets for every kind of answer, and what the server is sent."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Message, Request, Response, ToolCall, Usage
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.retry import RetryPolicy
from pytest_llmeval.models.specs import parse_spec
from tests.support.anthropic_server import AnthropicServer, message
from tests.support.asking import FAST, ask_model, failure
from tests.support.sessions import has_arrived, together


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


def test_params_and_messages_go_out_as_they_are(server: AnthropicServer) -> None:
    """The model's parameters, over them the call's; unknown ones and lone surrogates included."""
    spec = parse_spec(server.spec("echo"))
    model = NamedModel(name="m", spec=spec, params={"temperature": 0, "top_k": 5, "max_tokens": 9})
    ask_model(model, "a\ud800b", params={"temperature": 1, "thinking": {"type": "adaptive"}})
    assert server.ledger[0].body == {
        "model": "echo",
        "messages": [{"role": "user", "content": "a\ud800b"}],
        "temperature": 1,
        "top_k": 5,
        "max_tokens": 9,
        "thinking": {"type": "adaptive"},
    }


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
    with pytest.raises(CallError, match="'system' stands in params and in the messages"):
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
    ("fault", "kind", "requests"),
    [
        ("status-400", ErrorKind.BAD_REQUEST, 1),
        ("status-401", ErrorKind.AUTH, 1),
        ("status-402", ErrorKind.QUOTA, 1),
        ("status-403", ErrorKind.AUTH, 1),
        ("status-404", ErrorKind.BAD_REQUEST, 1),
        ("status-413", ErrorKind.BAD_REQUEST, 1),
        ("status-422", ErrorKind.BAD_REQUEST, 1),
        ("credit", ErrorKind.QUOTA, 1),
        ("limits", ErrorKind.QUOTA, 1),
        ("status-429", ErrorKind.RATE_LIMITED, 6),
        ("status-500", ErrorKind.SERVER_ERROR, 6),
        ("status-529", ErrorKind.SERVER_ERROR, 6),
        ("rst", ErrorKind.CONNECTION, 6),
        ("close", ErrorKind.CONNECTION, 6),
        ("truncate", ErrorKind.CONNECTION, 6),
        ("chunkcut", ErrorKind.CONNECTION, 6),
        ("redirect-307", ErrorKind.BAD_REQUEST, 1),
        ("big-9000000", ErrorKind.TOO_LARGE, 1),
        ("gzipbomb", ErrorKind.TOO_LARGE, 1),
        ("badgzip", ErrorKind.MALFORMED_RESPONSE, 2),
        ("badgzip-9-401", ErrorKind.AUTH, 1),
        *[
            (f"body-{name}", ErrorKind.MALFORMED_RESPONSE, 2)
            for name in [
                "badjson",
                "badutf8",
                "bareblock",
                "bigint",
                "completion",
                "contentstr",
                "deep",
                "empty",
                "emptyobj",
                "err200",
                "html",
                "list",
                "nocontent",
                "notext",
                "notype",
                "null",
                "nullcontent",
                "textint",
                "toolbad",
                "toolnan",
                "toolnoname",
            ]
        ],
    ],
)
def test_fault_has_its_kind_and_its_number_of_requests(
    server: AnthropicServer, fault: str, kind: ErrorKind, requests: int
) -> None:
    """Every fault ends as an error of one line, after exactly the requests that may help."""
    error = failure(server.spec(f"fault-{fault}"))
    assert (error.kind, error.attempts, len(server.ledger)) == (kind, requests, requests)
    assert error.latency_s is not None
    message = str(error)
    assert message.startswith(f"fault-{fault} at 127.0.0.1:{server.port}: ")
    assert message.isprintable() and len(message) < 500
    assert error.__suppress_context__ and error.__cause__ is None


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [("status-429-2", 3), ("status-529-5", 6), ("rst-1", 2), ("chunkcut-1", 2), ("body-html-1", 2), ("gzip", 1)],
)
def test_passing_fault_ends_in_an_answer(server: AnthropicServer, fault: str, attempts: int) -> None:
    """What passes is tried again, and the attempts are counted."""
    response = ask_model(server.spec(f"fault-{fault}"), "fine")
    assert (response.text, response.attempts, len(server.ledger)) == ("fine", attempts, attempts)


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


def test_nobody_listens() -> None:
    """A closed port is a connection error after all attempts."""
    with AnthropicServer() as gone:
        spec = gone.spec("echo")
    error = failure(spec)
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 6)


def test_nobody_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not made in time is tried again, within the call's time."""
    monkeypatch.setattr("pytest_llmeval.models.sdk_transport.CONNECT_TIMEOUT_S", 0.1)
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the backlog holds: the kernel answers no further one
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        error = failure(f"anthropic:m@http://127.0.0.1:{full.getsockname()[1]}")
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 6)


@pytest.mark.parametrize("fault", ["hang", "drip-30"])
def test_one_deadline_over_everything(server: AnthropicServer, fault: str) -> None:
    """Neither silence nor a drip of bytes outlives the call's time."""
    start = time.monotonic()
    error = failure(server.spec(f"fault-{fault}"), policy=RetryPolicy(timeout_s=0.5))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 1)
    assert time.monotonic() - start < 3


def test_retry_after_is_honoured(server: AnthropicServer) -> None:
    """The server's wait is kept, and is not in the latency; one that is too long is not begun."""
    response = ask_model(server.spec("fault-status-529-1-after-1"), "x")
    first, second = server.ledger
    assert 1 <= second.time_s - first.time_s < 3
    assert response.attempts == 2 and response.latency_s is not None and response.latency_s < 0.9
    error = failure(server.spec("fault-status-429-9-after-3600"))
    assert (error.kind, error.attempts) == (ErrorKind.RATE_LIMITED, 1)


def test_slot_is_held_by_attempts_only(server: AnthropicServer) -> None:
    """Each request has a slot of its own."""
    entered = 0

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        nonlocal entered
        entered += 1
        yield

    assert ask_model(server.spec("fault-status-503-2"), "x", slots=lambda account: slot).attempts == entered == 3


def test_models_of_one_server_share_a_client_until_the_last_is_closed(server: AnthropicServer) -> None:
    """Closing one backend leaves the other's connections alone, and requests do not queue for each other."""
    first, second = (
        open_model(resolve_model(server.spec(name), {}), environ={}, policy=FAST) for name in ("echo", "other")
    )
    requests = [Request(messages=({"role": "user", "content": f"row {n}"},)) for n in range(40)]

    async def both() -> None:
        await first.complete(requests[0])
        server.reply = together(40)
        slow = [asyncio.create_task(second.complete(request)) for request in requests]
        await asyncio.sleep(0)
        await first.aclose()
        assert [(await task).text for task in slow] == [f"row {n}" for n in range(40)]
        await second.aclose()

    asyncio.run(both())
    assert len(server.ledger) == 41 and server.max_in_flight == 40


def test_cancelling_a_call_stops_it(server: AnthropicServer) -> None:
    """A cancelled call is neither retried nor turned into an error."""
    backend = open_model(resolve_model(server.spec("fault-hang"), {}), environ={}, policy=FAST)

    async def cancel() -> None:
        task = asyncio.create_task(backend.complete(Request(messages=({"role": "user", "content": "x"},))))
        await has_arrived(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.aclose()

    asyncio.run(cancel())
    assert len(server.ledger) == 1


def test_body_quoted_in_an_error_is_one_short_line(server: AnthropicServer) -> None:
    """Control and bidi characters of the server are escaped, and the quote is cut."""
    server.reply = lambda messages: {"oops": "\x1b[31m\n::error::\u202e" + "x" * 1000}
    message = str(failure(server.spec("echo")))
    assert json.dumps("\x1b")[1:-1] in message and "\n" not in message and "\u202e" not in message
    assert len(message) < 400
