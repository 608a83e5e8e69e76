"""What a caller gets for every kind of answer, and what the server is sent; against a real server."""

import asyncio
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Backend, Request, Response, Usage
from pytest_llmeval.models.named import NamedModel, Prices, resolve_model
from pytest_llmeval.models.registry import TransportName, open_model
from pytest_llmeval.models.retry import RetryPolicy
from pytest_llmeval.models.specs import parse_spec
from tests.support.asking import FAST, Ask, Fail
from tests.support.fault_server import FaultServer
from tests.support.sessions import has_arrived, together


def test_answer_carries_text_usage_and_what_it_took(server: FaultServer, ask: Ask) -> None:
    """A plain answer is a response with everything that the server said."""
    response = ask(server.spec("echo"), "two words")
    assert str(response) == "two words"
    assert response.usage == Usage(input_tokens=7, output_tokens=2)
    assert (response.finish_reason, response.model, response.attempts) == ("stop", "echo", 1)
    assert response.system_fingerprint == "fp_test"
    assert response.latency_s is not None and 0 < response.latency_s < 5
    assert response.cost_usd is None


def test_cost_follows_prices(server: FaultServer, ask: Ask) -> None:
    """Tokens times price, per million."""
    prices = Prices(input_usd_per_million=1.0, output_usd_per_million=10.0)
    model = NamedModel(name="priced", spec=parse_spec(server.spec("echo")), prices=prices)
    assert ask(model, "a b c").cost_usd == pytest.approx((7 + 3 * 10) / 1e6)


def test_cost_is_unknown_without_usage(server: FaultServer, ask: Ask) -> None:
    """A price without tokens gives no cost, not 0."""
    prices = Prices(input_usd_per_million=1.0, output_usd_per_million=10.0)
    model = NamedModel(name="priced", spec=parse_spec(server.spec("fault-body-nousage")), prices=prices)
    assert ask(model).cost_usd is None


def test_params_and_messages_go_out_as_they_are(server: FaultServer, ask: Ask) -> None:
    """The model's parameters, over them the call's; unknown ones and lone surrogates included."""
    spec = parse_spec(server.spec("echo"))
    model = NamedModel(name="m", spec=spec, params={"temperature": 0, "top_k": 5, "max_tokens": 9})
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    ask(model, "a\ud800b", params={"temperature": 1, "response_format": shape, "lora": [{"id": 0}]})
    assert server.ledger[0].body == {
        "model": "echo",
        "messages": [{"role": "user", "content": "a\ud800b"}],
        "temperature": 1,
        "top_k": 5,
        "max_tokens": 9,
        "response_format": shape,
        "lora": [{"id": 0}],
    }


@pytest.mark.parametrize("params", [{"messages": []}, {"model": "x"}, {"temperature": float("nan")}, {"x": {1}}])
def test_unsendable_params_cost_no_request(server: FaultServer, fail: Fail, params: dict[str, object]) -> None:
    """What cannot be sent is said, and nothing is sent."""
    error = fail(server.spec("echo"), params=params)
    assert (error.kind, error.attempts, server.ledger) == (ErrorKind.BAD_REQUEST, 0, [])


@pytest.mark.parametrize(
    ("fault", "kind", "requests"),
    [
        ("status-400", ErrorKind.BAD_REQUEST, 1),
        ("status-401", ErrorKind.AUTH, 1),
        ("status-402", ErrorKind.QUOTA, 1),
        ("status-403", ErrorKind.AUTH, 1),
        ("status-404", ErrorKind.BAD_REQUEST, 1),
        ("status-422", ErrorKind.BAD_REQUEST, 1),
        ("quota", ErrorKind.QUOTA, 1),
        ("status-408", ErrorKind.TIMEOUT, 6),
        ("status-409", ErrorKind.SERVER_ERROR, 6),
        ("status-429", ErrorKind.RATE_LIMITED, 6),
        ("status-500", ErrorKind.SERVER_ERROR, 6),
        ("status-503", ErrorKind.SERVER_ERROR, 6),
        ("rst", ErrorKind.CONNECTION, 6),
        ("close", ErrorKind.CONNECTION, 6),
        ("truncate", ErrorKind.CONNECTION, 6),
        ("chunkcut", ErrorKind.CONNECTION, 6),
        ("redirect-307", ErrorKind.BAD_REQUEST, 1),
        ("redirect-302", ErrorKind.BAD_REQUEST, 1),
        ("big-9000000", ErrorKind.TOO_LARGE, 1),
        ("gzipbomb", ErrorKind.TOO_LARGE, 1),
        ("body-filter", ErrorKind.FILTERED, 1),
        ("badgzip", ErrorKind.MALFORMED_RESPONSE, 2),
        *[
            (f"body-{name}", ErrorKind.MALFORMED_RESPONSE, 2)
            for name in [
                "badjson",
                "badutf8",
                "bigint",
                "contentint",
                "contentlist",
                "deep",
                "empty",
                "emptyobj",
                "err200",
                "html",
                "list",
                "nochoices",
                "null",
                "nullchoices",
                "nullcontent",
                "nullmessage",
                "toolbad",
            ]
        ],
    ],
)
def test_fault_has_its_kind_and_its_number_of_requests(
    server: FaultServer, fail: Fail, fault: str, kind: ErrorKind, requests: int
) -> None:
    """Every fault ends as an error of one line, after exactly the requests that may help."""
    error = fail(server.spec(f"fault-{fault}"))
    assert (error.kind, error.attempts, len(server.ledger)) == (kind, requests, requests)
    assert error.latency_s is not None
    message = str(error)
    assert message.startswith(f"fault-{fault} at 127.0.0.1:{server.port}: ")
    assert message.isprintable() and len(message) < 500
    assert error.__suppress_context__ and error.__cause__ is None


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("status-429-2", 3),
        ("status-503-5", 6),
        ("status-408-1", 2),
        ("rst-1", 2),
        ("close-2", 3),
        ("truncate-1", 2),
        ("chunkcut-1", 2),
        ("body-badjson-1", 2),
        ("body-null-1", 2),
        ("gzip", 1),
    ],
)
def test_passing_fault_ends_in_an_answer(server: FaultServer, ask: Ask, fault: str, attempts: int) -> None:
    """What passes is tried again, and the attempts are counted."""
    response = ask(server.spec(f"fault-{fault}"), "fine")
    assert (response.text, response.attempts, len(server.ledger)) == ("fine", attempts, attempts)


@pytest.mark.parametrize(
    ("name", "text", "finish", "refusal"),
    [
        ("length", "cut off in the mid", "length", None),
        ("lengthnull", "", "length", None),
        ("nofinish", "ok", None, None),
        ("refusal", "", "stop", "I cannot help with that."),
        ("surrogate", "a\ud800b", "stop", None),
        ("toolcalls", "", "tool_calls", None),
    ],
)
def test_states_that_are_answers(
    server: FaultServer, ask: Ask, name: str, text: str, finish: str | None, refusal: str | None
) -> None:
    """Refusals, cut answers and odd text are answers, marked as what they are."""
    response = ask(server.spec(f"fault-body-{name}"))
    assert (response.text, response.finish_reason, response.refusal) == (text, finish, refusal)


@pytest.mark.parametrize("name", ["nousage", "badusage", "nanusage"])
def test_senseless_usage_is_unknown(server: FaultServer, ask: Ask, name: str) -> None:
    """NaN, negative numbers and strings are no token counts."""
    assert ask(server.spec(f"fault-body-{name}")).usage == Usage()


def test_nobody_listens(fail: Fail) -> None:
    """A closed port is a connection error after all attempts."""
    with FaultServer() as gone:
        spec = gone.spec("echo")
    error = fail(spec)
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 6)
    assert "gave up after 6 attempts" in str(error)


def test_nobody_accepts(fail: Fail, transport: TransportName, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not made in time is tried again, within the call's time."""
    monkeypatch.setattr(f"pytest_llmeval.models.{transport}_transport.CONNECT_TIMEOUT_S", 0.1)
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the backlog holds: the kernel answers no further one
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        error = fail(f"m@http://127.0.0.1:{full.getsockname()[1]}/v1")
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 6)


@pytest.mark.parametrize("fault", ["hang", "drip-20", "slow-5000"])
def test_one_deadline_over_everything(server: FaultServer, fail: Fail, fault: str) -> None:
    """Neither silence nor a drip of bytes outlives the call's time."""
    start = time.monotonic()
    error = fail(server.spec(f"fault-{fault}"), policy=RetryPolicy(timeout_s=0.5))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 1)
    assert time.monotonic() - start < 3
    assert "0.5 s" in str(error)


def test_deadline_covers_retries_and_pauses(server: FaultServer, fail: Fail) -> None:
    """Back-off that would pass the deadline is not slept."""
    start = time.monotonic()
    error = fail(server.spec("fault-status-503"), policy=RetryPolicy(timeout_s=0.6, base_s=5, cap_s=5))
    assert error.kind is ErrorKind.SERVER_ERROR and time.monotonic() - start < 3


def test_retry_after_is_honoured(server: FaultServer, ask: Ask) -> None:
    """The server's wait is kept, and is not in the latency."""
    response = ask(server.spec("fault-status-429-1-after-1"), "x")
    first, second = server.ledger
    assert 1 <= second.time_s - first.time_s < 3
    assert response.attempts == 2 and response.latency_s is not None and response.latency_s < 0.9


def test_retry_after_as_a_date_is_honoured(server: FaultServer, ask: Ask) -> None:
    """An HTTP date says when, to the second."""
    ask(server.spec("fault-status-503-1-after-date"))
    first, second = server.ledger
    assert 0.8 <= second.time_s - first.time_s < 4


@pytest.mark.parametrize("when", ["3600", "datefar"])
def test_retry_after_beyond_the_deadline_fails_at_once(server: FaultServer, fail: Fail, when: str) -> None:
    """A wait that is longer than the call may take is not begun; the message names it."""
    error = fail(server.spec(f"fault-status-429-9-after-{when}"))
    assert (error.kind, len(server.ledger)) == (ErrorKind.RATE_LIMITED, 1)
    assert "asks to wait 3" in str(error) and "20 s" in str(error)


@pytest.mark.parametrize("when", ["minus1", "nan", "inf", "abc", "1e999", "datepast"])
def test_senseless_retry_after_is_ignored(server: FaultServer, ask: Ask, when: str) -> None:
    """Ordinary back-off instead of a crash or a hot loop."""
    assert ask(server.spec(f"fault-status-429-1-after-{when}"), "x").attempts == 2


def test_slot_is_held_by_attempts_only(server: FaultServer, ask: Ask) -> None:
    """Each request has a slot of its own, none is held in a pause, and queueing is not the call's time."""
    held, most, entered = 0, 0, 0

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        nonlocal held, most, entered
        await asyncio.sleep(0.6)
        held, entered = held + 1, entered + 1
        most = max(most, held)
        try:
            yield
        finally:
            held -= 1

    policy = RetryPolicy(timeout_s=1.6, base_s=0.01)
    response = ask(server.spec("fault-status-503-3"), "x", policy=policy, slots=lambda account: slot)
    assert (response.attempts, entered, most, held) == (4, 4, 1, 0)
    assert response.latency_s is not None and response.latency_s < 0.5


@pytest.mark.parametrize("requests", [0, 1])
def test_error_of_the_slot_passes_unchanged(server: FaultServer, fail: Fail, requests: int) -> None:
    """A limit that says stop ends the call without a request more, also between two attempts."""

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        if len(server.ledger) >= requests:
            raise CallError("budget used up", kind=ErrorKind.BUDGET, attempts=0)
        yield

    assert fail(server.spec("fault-status-503"), slots=lambda account: slot).kind is ErrorKind.BUDGET
    assert len(server.ledger) == requests


async def _many(backend: Backend, count: int) -> list[Response]:
    requests = [Request(messages=({"role": "user", "content": f"row {n}"},)) for n in range(count)]
    try:
        return list(await asyncio.gather(*map(backend.complete, requests)))
    finally:
        await backend.aclose()


def test_concurrency_is_the_callers(server: FaultServer, transport: TransportName) -> None:
    """No pool of ours queues requests into a timeout, and every answer goes to its own request."""
    server.reply = together(100)
    model = resolve_model(server.spec("echo"), {})
    backend = open_model(model, environ={}, transport=transport, policy=RetryPolicy(timeout_s=10))
    responses = asyncio.run(_many(backend, 100))
    assert [response.text for response in responses] == [f"row {n}" for n in range(100)]
    assert len(server.ledger) == server.max_in_flight == 100


def test_models_of_one_server_share_a_client_until_the_last_is_closed(
    server: FaultServer, transport: TransportName
) -> None:
    """Closing one backend leaves the other's connections alone, and both can be used in a later loop."""
    first, second = (
        open_model(resolve_model(server.spec(name), {}), environ={}, transport=transport, policy=FAST)
        for name in ("echo", "other")
    )
    request = Request(messages=({"role": "user", "content": "x"},))

    async def both() -> None:
        await first.complete(request)
        slow = asyncio.create_task(second.complete(request))
        await asyncio.sleep(0)
        await first.aclose()
        assert (await slow).text == "x"
        await second.aclose()

    asyncio.run(both())
    assert len(server.ledger) == 2


def test_cancelling_a_call_stops_it(server: FaultServer, transport: TransportName) -> None:
    """A cancelled call is neither retried nor turned into an error."""
    backend = open_model(resolve_model(server.spec("fault-hang"), {}), environ={}, transport=transport, policy=FAST)

    async def cancel() -> None:
        task = asyncio.create_task(backend.complete(Request(messages=({"role": "user", "content": "x"},))))
        await has_arrived(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.aclose()

    asyncio.run(cancel())
    assert len(server.ledger) == 1


def test_body_quoted_in_an_error_is_one_short_line(server: FaultServer, fail: Fail) -> None:
    """Control and bidi characters of the server are escaped, and the quote is cut."""
    server.reply = lambda messages: {"oops": "\x1b[31m\n::error::\u202e" + "x" * 1000}
    message = str(fail(server.spec("echo")))
    assert json.dumps("\x1b")[1:-1] in message and "\n" not in message and "\u202e" not in message
    assert len(message) < 400


def test_retry_after_0_is_ordinary_back_off(server: FaultServer, ask: Ask) -> None:
    ask(server.spec("fault-status-429-3-after-0"), "x", policy=RetryPolicy(base_s=0.4, timeout_s=20))
    pauses = [after.time_s - before.time_s for before, after in itertools.pairwise(server.ledger)]
    assert sum(pauses) > 0.02
