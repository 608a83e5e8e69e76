"""What a caller gets for every kind of answer, and what the server is sent; against a real server."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Request, Response, Usage
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import NamedModel, Prices, resolve_model
from pytest_llmeval.models.registry import TransportName, open_model
from pytest_llmeval.models.specs import parse_spec
from tests.support.asking import Ask, Fail
from tests.support.fault_server import FaultServer
from tests.support.sessions import together


def test_answer_carries_text_usage_and_what_it_took(server: FaultServer, ask: Ask) -> None:
    """A plain answer is a response with everything that the server said."""
    response = ask(server.spec("echo"), "two words")
    assert str(response) == "two words"
    assert response.usage == Usage(input_tokens=7, output_tokens=2)
    assert (response.finish_reason, response.model, response.attempts) == ("stop", "echo", 1)
    assert response.system_fingerprint == "fp_test"
    assert response.latency_s is not None and 0 < response.latency_s < 5
    assert response.cost_usd is None


def test_an_address_that_has_no_such_path_is_told_with_what_was_asked(server: FaultServer, fail: Fail) -> None:
    """Most often its /v1 was left out; what else it holds stays untold."""
    for path, advice in (("", "; does the address end in /v1?"), ("/api/v2", "")):
        url = server.url.replace("/v1", path)
        error = fail(f"openai:fault-status-404@{url}?k=CANARY".replace("//", "//user:CANARY@"))
        assert error.kind == ErrorKind.BAD_REQUEST
        assert str(error).endswith(f": HTTP 404 of {url}/chat/completions: fault 404{advice}")


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


@pytest.mark.parametrize("params", [{"messages": []}, {"model": "x"}, {"temperature": float("nan")}, {"x": {1}}])
def test_unsendable_params_cost_no_request(server: FaultServer, fail: Fail, params: dict[str, object]) -> None:
    """What cannot be sent is said, and nothing is sent."""
    error = fail(server.spec("echo"), params=params)
    assert (error.kind, error.attempts, server.ledger) == (ErrorKind.BAD_REQUEST, 0, [])


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


def test_deadline_covers_retries_and_pauses(server: FaultServer, fail: Fail) -> None:
    """Back-off that would pass the deadline is not slept."""
    start = time.monotonic()
    error = fail(server.spec("fault-status-503"), policy=RetryPolicy(timeout_s=0.6, base_s=60, cap_s=60))
    assert error.kind is ErrorKind.SERVER_ERROR and time.monotonic() - start < 20


def test_retry_after_as_a_date_is_honoured(server: FaultServer, ask: Ask) -> None:
    """An HTTP date says when, to the second."""
    ask(server.spec("fault-status-503-1-after-date"))
    first, second = server.ledger
    assert 0.8 <= second.time_s - first.time_s < 4


@pytest.mark.parametrize("when", ["minus1", "nan", "inf", "abc", "1e999", "datepast"])
def test_senseless_retry_after_is_ignored(server: FaultServer, ask: Ask, when: str) -> None:
    """Ordinary back-off instead of a crash or a hot loop."""
    assert ask(server.spec(f"fault-status-429-1-after-{when}"), "x").attempts == 2


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


def test_retry_after_0_is_ordinary_back_off(server: FaultServer, ask: Ask) -> None:
    ask(server.spec("fault-status-429-3-after-0"), "x", policy=RetryPolicy(base_s=0.4, timeout_s=20))
    pauses = [after.time_s - before.time_s for before, after in itertools.pairwise(server.ledger)]
    assert sum(pauses) > 0.02
