"""HTTP transports that pass the requests of an SDK's client to the case's model instead of a server."""

from typing import Any, Self

import httpx2

from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.posted import Posted, Sent, is_retry

__all__ = ["AsyncCaseTransport", "CaseTransport", "Copied", "async_http_client", "client_settings", "http_client"]


class Copied:
    """A class whose deep copy is the object itself: frameworks copy clients, which would break the SDKs' own."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


class CaseTransport(httpx2.BaseTransport):
    """The transport to the model."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; exceptions of the model are raised as they are, not as errors of the HTTP client."""
        with self._asking.telling():
            posted = _posted(request, request.read())  # the body of a file upload is a stream until it is read
        return _received(self._asking.answer_sync(posted))


class AsyncCaseTransport(httpx2.AsyncBaseTransport):
    """The async transport to the model."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; raise as ``CaseTransport`` does."""
        with self._asking.telling():
            posted = _posted(request, await request.aread())
        return _received(await self._asking.answer(posted))


def http_client(way: CaseTransport) -> httpx2.Client:
    """Return the HTTP client for an SDK; it ignores the proxy settings and the like of the machine."""
    return httpx2.Client(transport=way, trust_env=False)


def async_http_client(way: AsyncCaseTransport) -> httpx2.AsyncClient:
    """Return the async HTTP client for an SDK."""
    return httpx2.AsyncClient(transport=way, trust_env=False)


def client_settings(base_path: str = "") -> dict[str, Any]:
    """Return the arguments for each client of an SDK; deadlines and retries are left to the model's calls."""
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
