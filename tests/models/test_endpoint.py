"""How an endpoint ends."""

import asyncio
import contextlib
import socket
from typing import Any, cast
from urllib.parse import urlsplit

from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.application.endpoint import model_endpoint


class Asleep:
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
