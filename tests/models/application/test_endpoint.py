"""How an endpoint ends, and who gets which answer there."""

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

import openai

from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.application.endpoint import Endpoint, model_endpoint
from tests.support.sessions import wait_until


class Awaited:
    """A model, as the fixture is one, of which an endpoint uses what is awaited alone."""

    def generate_sync(self, messages: Any, **params: Any) -> Response:
        raise AssertionError("it was not awaited")


class Asleep(Awaited):
    """A model that never answers."""

    name = "asleep"

    async def generate(self, messages: Any, **params: Any) -> Response:
        await asyncio.sleep(60)
        raise AssertionError("it was not given up")


def test_no_connection_stays_open_that_came_as_the_block_ended() -> None:
    """Its client would wait for ever: asyncio forgets a connection whose server closes while it is accepted."""
    for _ in range(50):
        with model_endpoint(cast("Model", Asleep())) as endpoint:
            address = urlsplit(endpoint.root_url)
            client = socket.create_connection((address.hostname, address.port))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: {endpoint.api_key}\r\n"
            client.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        client.settimeout(10)
        with client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


class Slow(Awaited):
    """A model that takes its time, and never says the same."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self.asked = 0
        self._seconds = seconds

    async def generate(self, messages: Any, **params: Any) -> Response:
        self.asked += 1
        said = f"answer {self.asked}"
        await asyncio.sleep(self._seconds)
        return Response(text=said)


def parsed_target(endpoint: Endpoint, **settings: Any) -> str | None:
    """Return what a client of OpenAI is told that asks with these settings."""
    with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, **settings) as client:
        asked = client.chat.completions.create(model="x", messages=[{"role": "user", "content": "vote"}])
    return asked.choices[0].message.content


def test_each_of_equal_requests_that_are_made_again_gets_an_answer_of_its_own() -> None:
    """As where an application lets a model vote: each answer is paid for, and all but one would be thrown away."""
    model = Slow(1)
    with model_endpoint(cast("Model", model)) as endpoint, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(parsed_target, endpoint, timeout=0.4, max_retries=9) for _ in range(3)]
        assert sorted(str(each.result()) for each in asked) == ["answer 1", "answer 2", "answer 3"]
    assert model.asked == 3


def test_who_asks_again_gets_the_answer_that_nobody_waits_for() -> None:
    """Not that of an equal request, be it older, whose client still waits."""
    model = Slow(1.5)
    with model_endpoint(cast("Model", model)) as endpoint, ThreadPoolExecutor(2) as pool:
        patient = pool.submit(parsed_target, endpoint, timeout=20, max_retries=0)
        wait_until(lambda: model.asked == 1, "the first one has asked")
        hasty = pool.submit(parsed_target, endpoint, timeout=0.3, max_retries=9)
        assert (patient.result(), hasty.result()) == ("answer 1", "answer 2")
    assert model.asked == 2


def raw(endpoint: Endpoint, retry: int) -> socket.socket:
    """Return a connection on which a request was made, for the how-manieth time."""
    address, body = urlsplit(endpoint.root_url), b'{"messages": [{"role": "user", "content": "vote"}]}'
    client = socket.create_connection((address.hostname, address.port), timeout=10)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: {endpoint.api_key}\r\nConnection: close\r\n"
    client.sendall(f"{head}X-Stainless-Retry-Count: {retry}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def told(client: socket.socket) -> bytes:
    """Return all that comes on a connection."""
    return b"".join(iter(lambda: client.recv(4096), b""))


def test_retries_through_a_proxy_that_holds_its_connections_get_one_answer_each() -> None:
    """An answer that was delivered is for nobody else."""
    model = Slow(1)
    with model_endpoint(cast("Model", model)) as endpoint, contextlib.ExitStack() as kept:
        clients = []
        for retry in (0, 0, 1, 1):
            clients.append(kept.enter_context(raw(endpoint, retry)))
            wait_until(lambda: model.asked == min(len(clients), 2), "it has asked")
        answers = sorted(told(client).partition(b"answer ")[2][:1] for client in clients[2:])
        assert answers == [b"1", b"2"]
        with raw(endpoint, 1) as late:
            assert b"answer 3" in told(late)
    assert model.asked == 3
