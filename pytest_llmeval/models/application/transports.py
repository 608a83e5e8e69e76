"""What stands in an SDK's HTTP client where its connections would be: the way to the model of a case."""

from typing import Any, Self

import httpx2

from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.posted import Posted, Sent, is_retry

__all__ = ["AsyncWay", "Copied", "Way", "async_http_client", "client_settings", "http_client"]


class Copied:
    """Itself in each deep copy: frameworks copy what they are given, and no client of an SDK survives that."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Way(httpx2.BaseTransport):
    """To the model."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; what the model raises is no error of the HTTP client."""
        with self._asking.telling():
            posted = _posted(request, request.read())  # a file that is uploaded is a stream until then
        return _received(self._asking.answer_sync(posted))


class AsyncWay(httpx2.AsyncBaseTransport):
    """The same, awaited."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; raise as ``Way`` does."""
        with self._asking.telling():
            posted = _posted(request, await request.aread())
        return _received(await self._asking.answer(posted))


def http_client(way: Way) -> httpx2.Client:
    """Return the HTTP client for an SDK; no setting of the machine's reaches it."""
    return httpx2.Client(transport=way, trust_env=False)


def async_http_client(way: AsyncWay) -> httpx2.AsyncClient:
    """Return the same for an SDK that is awaited."""
    return httpx2.AsyncClient(transport=way, trust_env=False)


def client_settings(base_path: str = "") -> dict[str, Any]:
    """Return what each client of an SDK is made with; deadlines and retries are those of the model's calls."""
    return {
        "api_key": "not-needed",
        "base_url": f"http://llmeval.invalid{base_path}",  # never resolves: https://www.rfc-editor.org/rfc/rfc6761
        "max_retries": 0,
        "timeout": None,
    }


def _posted(request: httpx2.Request, body: bytes) -> Posted:
    return Posted(method=request.method, path=request.url.path, body=body, is_retry=is_retry(request.headers))


def _received(sent: Sent) -> httpx2.Response:
    return httpx2.Response(200, content=sent.text.encode("ascii"), headers={"Content-Type": sent.content_type})
