"""A local HTTP endpoint at which a case's model answers, for applications that cannot use a client of ours."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies_environment

from aiohttp import web

from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind
from pytest_llmeval.core.loop import LoopThread, pause
from pytest_llmeval.core.protocols import Model
from pytest_llmeval.models.application.anthropic_api import AnthropicApi
from pytest_llmeval.models.application.asking import Asked, Asking
from pytest_llmeval.models.application.begun_requests import BegunRequests
from pytest_llmeval.models.application.embeddings import EmbeddingsClient
from pytest_llmeval.models.application.endpoint_server import Server
from pytest_llmeval.models.application.openai_api import OpenAIApi
from pytest_llmeval.models.application.posted import Posted, is_retry
from pytest_llmeval.models.http.transport import MESSAGES_PATH

if TYPE_CHECKING:
    import openai

__all__ = ["Endpoint", "model_endpoint"]

_HOST = "127.0.0.1"
_PREFIX = "/v1"
_MODELS_PATH = f"{_PREFIX}/models"
_KEY_BYTES = 16
_STOP_TIMEOUT_S = 0.1
_TURNS = 5
"""Turns of the event loop before the server closes, so that the last connection is accepted and set up.

asyncio would lose a connection whose server closes in the meantime.
"""
_HAND_OVER = "give the application its `api_key`"
_FAILED = 400
"""Status of failed calls; no client retries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Address and key by which an application reaches the model of a case."""

    root_url: str
    """Base URL for clients of Anthropic: an address on this machine, with a port of its own."""
    api_key: str
    """The key that every request needs; it is valid for this endpoint only."""

    @property
    def base_url(self) -> str:
        """Base URL for clients of OpenAI; it ends in ``/v1``."""
        return f"{self.root_url}{_PREFIX}"

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables for a process, by which both vendors' clients find address and key.

        If the environment names a proxy, the variables also exclude the endpoint from it.
        """
        kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        direct = ",".join(filter(None, (kept, _HOST)))
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": self.api_key,
            "ANTHROPIC_BASE_URL": self.root_url,
            "ANTHROPIC_API_KEY": self.api_key,
            **({"no_proxy": direct, "NO_PROXY": direct} if getproxies_environment().keys() - {"no"} else {}),
        }


@contextmanager
def model_endpoint(model: Model, *, embeddings: "openai.OpenAI | None" = None) -> Iterator[Endpoint]:
    """Serve the APIs of OpenAI and Anthropic at an address of this machine; requests there are calls of ``model``.

    This is for an application that takes an address and a key but no client: another process, in any language, or a
    framework with a client of its own. While the block runs, chat completions and responses are answered as by
    ``openai_client``, and messages as by ``anthropic_client``. A failed call is answered with status 400, which no
    client retries, and makes the case an error, whatever the application does about it. So does any other request, one
    without the key, and one that cannot be read.

    Args:
        model: the ``model`` fixture of the test.
        embeddings: a client that makes the application's requests for embeddings, as for ``openai_client``.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is not a synchronous client of OpenAI's SDK.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=False)
    loop, served = LoopThread("llmeval-endpoint"), _Served(Asking(model, _Apis(), own))
    try:
        yield loop.submit(served.start()).result()  # short enough to block the event loop of an async body
    finally:
        try:
            loop.submit(served.stop()).result()
        finally:
            loop.close()


class _Apis:
    """Both vendors' APIs, distinguished by path; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._openai, self._anthropic = OpenAIApi(), AnthropicApi()

    def read(self, posted: Posted) -> Asked:
        """Return the request as a chat; raise CaseError if it asks for anything but one answer of a model."""
        return (self._anthropic if posted.path.startswith(MESSAGES_PATH) else self._openai).read(posted)


async def _body(request: web.BaseRequest) -> bytes:
    """Return the body; raise CaseError if the client broke off, or the body does not match its encoding."""
    try:
        return await request.content.read()
    except (web.RequestPayloadError, OSError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"{request.method} {request.path}: the body could not be read: {why}"
        raise CaseError(message, kind=ErrorKind.CODE) from None


class _Served:
    """The server behind one endpoint."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._key = secrets.token_hex(_KEY_BYTES)
        self._runner: web.ServerRunner | None = None
        self._begun = BegunRequests(asking.answer)

    async def start(self) -> Endpoint:
        """Listen on a free port and return the endpoint."""
        self._runner = web.ServerRunner(Server(self._handle, self._unread), shutdown_timeout=_STOP_TIMEOUT_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        port = self._runner.addresses[0][1]
        return Endpoint(root_url=f"http://{_HOST}:{port}", api_key=self._key)

    async def stop(self) -> None:
        """Close the port; clients that still wait get no answer."""
        if self._runner is None:
            return
        for _ in range(_TURNS):
            await pause(0)
        self._begun.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        """Return the model's answer, or the error under status 400."""
        try:
            with self._asking.telling():
                self._check_key(request)
                body = await _body(request)
            model = {"id": self._asking.name, "object": "model", "created": 0, "owned_by": "llmeval"}
            if request.method == "GET" and request.path == _MODELS_PATH:
                return web.json_response({"object": "list", "data": [model]})
            if request.method == "GET" and request.path.startswith(f"{_MODELS_PATH}/"):  # whichever it asks for
                return web.json_response(model)
            is_again = is_retry(request.headers)
            posted = Posted(method=request.method, path=request.path, body=body, is_retry=is_again)
            sent = await self._begun.answered(posted, request)
        except Exception as error:  # noqa: BLE001 - reported to the case, and sent to the application
            kind = error.kind if isinstance(error, CallError | CaseError) else ErrorKind.CODE
            fields = {"message": f"{type(error).__name__}: {error}", "type": "llmeval_error", "code": str(kind)}
            return web.json_response({"type": "error", "error": fields}, status=_FAILED)
        return web.Response(body=sent.text.encode("ascii"), headers={"Content-Type": sent.content_type})

    def _check_key(self, request: web.BaseRequest) -> None:
        """Raise CaseError for a request without the endpoint's key."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = token if scheme.lower() == "bearer" else ""
        key = request.headers.get("X-Api-Key") or request.headers.get("Api-Key") or bearer  # Anthropic's, Azure's
        if not secrets.compare_digest(key.encode(errors="surrogateescape"), self._key.encode()):
            message = f"{request.method} {request.path} without the endpoint's key; {_HAND_OVER}"
            raise CaseError(message, kind=ErrorKind.CODE)

    def _unread(self, why: str) -> None:
        """Report a request that could not be read to the case."""
        message = f"a request to the case's endpoint could not be read: {why}"
        self._asking.refuse(CaseError(message, kind=ErrorKind.CODE))
