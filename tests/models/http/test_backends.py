"""What holds for every model behind HTTP, whatever its protocol and transport; against a real server."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Request, Usage
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import parse_spec
from tests.support.anthropic_server import AnthropicServer
from tests.support.fault_server import FaultServer
from tests.support.responses_server import ResponsesServer
from tests.support.sessions import has_arrived, together
from tests.support.vendors import VENDORS, Vendor

BAD, SERVER, CONNECTION = ErrorKind.BAD_REQUEST, ErrorKind.SERVER_ERROR, ErrorKind.CONNECTION
Fault = tuple[str, ErrorKind, int]


def malformed(*names: str) -> list[Fault]:
    """Return the faults of bodies that cannot be read: one may come by chance, and is asked for once more."""
    return [(f"body-{name}", ErrorKind.MALFORMED_RESPONSE, 2) for name in names]


FAULTS: list[Fault] = [
    *((f"status-{status}", BAD, 1) for status in (400, 404, 413, 422)),
    ("status-401", ErrorKind.AUTH, 1),
    ("status-402", ErrorKind.QUOTA, 1),
    ("status-403", ErrorKind.AUTH, 1),
    ("status-408", ErrorKind.TIMEOUT, 6),
    ("status-429", ErrorKind.RATE_LIMITED, 6),
    *((f"status-{status}", SERVER, 6) for status in (409, 500, 503, 529)),
    *((fault, CONNECTION, 6) for fault in ("rst", "close", "truncate", "chunkcut", "chunkbad")),
    ("redirect-307", ErrorKind.REDIRECT, 1),
    ("redirect-302", ErrorKind.REDIRECT, 1),
    ("big-9000000", ErrorKind.TOO_LARGE, 1),
    ("gzipbomb", ErrorKind.TOO_LARGE, 1),
    ("badgzip", ErrorKind.MALFORMED_RESPONSE, 2),
    ("badgzip-9-401", ErrorKind.AUTH, 1),
    *malformed("badjson", "badutf8", "bigint", "deep", "empty", "emptyobj", "err200", "html", "list", "null"),
    *malformed("nullcontent", "toolbad"),
]
OF_OPENAI: list[Fault] = [
    ("quota", ErrorKind.QUOTA, 1),
    ("body-filter", ErrorKind.FILTERED, 1),
    *malformed("contentint", "contentlist", "nochoices", "nullchoices", "nullmessage"),
]
OF_ANTHROPIC: list[Fault] = [
    ("credit", ErrorKind.QUOTA, 1),
    ("limits", ErrorKind.QUOTA, 1),
    *malformed("bareblock", "completion", "contentstr", "nocontent", "notext", "notype", "textint"),
    *malformed("toolnan", "toolnoname"),
]
OF_RESPONSES: list[Fault] = [
    ("quota", ErrorKind.QUOTA, 1),
    ("failed-server_error", SERVER, 6),
    ("failed-rate_limit_exceeded", ErrorKind.RATE_LIMITED, 6),
    ("failed-bio_policy", ErrorKind.FILTERED, 1),
    ("failed-invalid_prompt", BAD, 1),
    ("failed-invalid_base64_image", BAD, 1),
    ("failed-insufficient_quota", ErrorKind.QUOTA, 1),
    ("body-filter", ErrorKind.FILTERED, 1),
    *malformed("bareitem", "cancelled", "completion", "contentstr", "customobj", "nooutput", "notext", "notype"),
    *malformed("nulloutput", "queued", "textint", "toolnan", "toolnoname"),
]
OF_VENDORS = {FaultServer: OF_OPENAI, AnthropicServer: OF_ANTHROPIC, ResponsesServer: OF_RESPONSES}
ALL_FAULTS = [
    pytest.param(name, *fault, id=f"{name}-{fault[0]}")
    for name, vendor in VENDORS.items()
    for fault in (*FAULTS, *OF_VENDORS[vendor.speaker])
]


@contextmanager
def nobody_accepting() -> Iterator[str]:
    """Host and port of a server that takes no connection."""
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the backlog holds: the kernel answers no further one
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield f"127.0.0.1:{full.getsockname()[1]}"


@pytest.mark.parametrize(("vendor", "fault", "kind", "requests"), ALL_FAULTS, indirect=["vendor"])
def test_fault_has_its_kind_and_its_number_of_requests(
    speaking: FaultServer, vendor: Vendor, fault: str, kind: ErrorKind, requests: int
) -> None:
    """Every fault ends as an error of one line, after exactly the requests that may help."""
    error = vendor.fail(speaking.spec(f"fault-{fault}"))
    assert (error.kind, error.attempts, len(speaking.ledger)) == (kind, requests, requests)
    assert error.latency_s is not None
    message = str(error)
    key = " (no key was sent: set LLMEVAL_API_KEY, or api_key_env in models.yaml)" if kind is ErrorKind.AUTH else ""
    assert message.startswith(f"fault-{fault} at 127.0.0.1:{speaking.port}{key}: ")
    assert message.isprintable() and len(message) < 500
    assert error.__suppress_context__ and error.__cause__ is None


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("status-429-2", 3),
        ("status-503-5", 6),
        ("status-529-5", 6),
        ("status-408-1", 2),
        ("rst-1", 2),
        ("close-2", 3),
        ("truncate-1", 2),
        ("chunkcut-1", 2),
        ("chunkbad-1", 2),
        ("body-badjson-1", 2),
        ("body-html-1", 2),
        ("body-null-1", 2),
        ("gzip", 1),
    ],
)
def test_passing_fault_ends_in_an_answer(speaking: FaultServer, vendor: Vendor, fault: str, attempts: int) -> None:
    """What passes is tried again, and the attempts are counted."""
    response = vendor.ask(speaking.spec(f"fault-{fault}"), "fine")
    assert (response.text, response.attempts, len(speaking.ledger)) == ("fine", attempts, attempts)


def test_params_and_messages_go_out_as_they_are(speaking: FaultServer, vendor: Vendor) -> None:
    """The model's parameters, over them the call's; unknown ones and lone surrogates included."""
    spec = parse_spec(speaking.spec("echo"))
    model = NamedModel(name="m", spec=spec, params={"temperature": 0, "top_k": 5, "max_tokens": 9})
    vendor.ask(model, "a\ud800b", params={"temperature": 1, "lora": [{"id": 0}], **vendor.params})
    assert speaking.ledger[0].body == vendor.body(
        model="echo",
        messages=[{"role": "user", "content": "a\ud800b"}],
        temperature=1,
        top_k=5,
        max_tokens=9,
        lora=[{"id": 0}],
        **vendor.params,
    )


def test_nobody_listens(vendor: Vendor) -> None:
    """A closed port is a connection error after all attempts."""
    with vendor.speaker() as gone:
        spec = gone.spec("echo")
    error = vendor.fail(spec)
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 6)
    assert "gave up after 6 attempts" in str(error)


def test_nobody_accepts(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not made in time is tried again, within the call's time."""
    monkeypatch.setattr(f"pytest_llmeval.models.http.{vendor.transport}_transport.CONNECT_TIMEOUT_S", 0.1)
    with nobody_accepting() as authority:
        error = vendor.fail(vendor.spec("m", authority))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 6)


@pytest.mark.parametrize("fault", ["", "hang"])
def test_a_deadline_before_there_is_a_connection_costs_nothing(
    speaking: FaultServer, vendor: Vendor, fault: str
) -> None:
    """No answer can have been made; to a request that was sent one may have been."""
    vendor.ask(speaking.spec("echo"), "hello")  # the first call of a process loads modules: not in the time of this one
    timeout_s = 2 if fault else 0.3
    with nobody_accepting() as authority:
        spec = speaking.spec("fault-hang") if fault else vendor.spec("m", authority)
        error = vendor.fail(spec, policy=RetryPolicy(timeout_s=timeout_s))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 1)
    assert error.usages == ((Usage(),) if fault else ())
    assert f"no {'complete answer' if fault else 'connection'} within {timeout_s} s" in str(error)


@pytest.mark.parametrize("fault", ["hang", "drip-20", "slow-60000"])
def test_one_deadline_over_everything(speaking: FaultServer, vendor: Vendor, fault: str) -> None:
    """Neither silence nor a drip of bytes outlives the call's time."""
    start = time.monotonic()
    error = vendor.fail(speaking.spec(f"fault-{fault}"), policy=RetryPolicy(timeout_s=0.5))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 1)
    assert time.monotonic() - start < 20
    assert "0.5 s" in str(error)


def test_retry_after_is_honoured(speaking: FaultServer, vendor: Vendor) -> None:
    """The server's wait is kept, and is not in the latency."""
    response = vendor.ask(speaking.spec(f"fault-status-{vendor.busy}-1-after-1"), "x")
    first, second = speaking.ledger
    assert 1 <= second.time_s - first.time_s < 3
    assert response.attempts == 2 and response.latency_s is not None
    assert response.latency_s < second.time_s - first.time_s


@pytest.mark.parametrize("when", ["3600", "3e300", "datefar"])
def test_retry_after_beyond_the_deadline_fails_at_once(speaking: FaultServer, vendor: Vendor, when: str) -> None:
    """A wait that is longer than the call may take is not begun; the message names it."""
    error = vendor.fail(speaking.spec(f"fault-status-429-9-after-{when}"))
    assert (error.kind, error.attempts, len(speaking.ledger)) == (ErrorKind.RATE_LIMITED, 1, 1)
    assert "asks to wait 3" in str(error) and "20 s" in str(error) and len(str(error)) < 300


def test_slot_is_held_by_attempts_only(speaking: FaultServer, vendor: Vendor) -> None:
    """Each request has a slot of its own, none is held in a pause, and queueing is not the call's time."""
    held, most, entered, queued_s = 0, 0, 0, 1.0

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        nonlocal held, most, entered
        await asyncio.sleep(queued_s)
        held, entered = held + 1, entered + 1
        most = max(most, held)
        try:
            yield
        finally:
            held -= 1

    policy = RetryPolicy(timeout_s=3.5 * queued_s, base_s=0.01)
    response = vendor.ask(speaking.spec("fault-status-503-3"), "x", policy=policy, slots=lambda account: slot)
    assert (response.attempts, entered, most, held) == (4, 4, 1, 0)
    assert response.latency_s is not None and response.latency_s < 0.8 * queued_s


def test_models_of_one_server_are_closed_each_by_itself(speaking: FaultServer, vendor: Vendor) -> None:
    """Closing one backend leaves the other's connections alone, and requests do not queue for each other."""
    first, second = (vendor.open(speaking.spec(name)) for name in ("echo", "other"))
    requests = [Request(messages=({"role": "user", "content": f"row {n}"},)) for n in range(40)]

    async def both() -> None:
        await first.complete(requests[0])
        speaking.reply = together(40)
        slow = [asyncio.create_task(second.complete(request)) for request in requests]
        await asyncio.sleep(0)
        await first.aclose()
        answers = await asyncio.gather(*slow)
        assert [(answer.text, answer.attempts) for answer in answers] == [(f"row {n}", 1) for n in range(40)]
        await second.aclose()

    asyncio.run(both())
    assert len(speaking.ledger) == 41 and speaking.max_in_flight == 40


def test_cancelling_a_call_stops_it(speaking: FaultServer, vendor: Vendor) -> None:
    """A cancelled call is neither retried nor turned into an error."""
    backend = vendor.open(speaking.spec("fault-hang"))

    async def cancel() -> None:
        task = asyncio.create_task(backend.complete(Request(messages=({"role": "user", "content": "x"},))))
        await has_arrived(speaking)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.aclose()

    asyncio.run(cancel())
    assert len(speaking.ledger) == 1


def test_body_quoted_in_an_error_is_one_short_line(speaking: FaultServer, vendor: Vendor) -> None:
    """Control and bidi characters of the server are escaped, and the quote is cut."""
    speaking.reply = lambda messages: {"oops": "\x1b[31m\n::error::\u202e" + "x" * 1000}
    message = str(vendor.fail(speaking.spec("echo")))
    assert json.dumps("\x1b")[1:-1] in message and "\n" not in message and "\u202e" not in message
    assert len(message) < 400
