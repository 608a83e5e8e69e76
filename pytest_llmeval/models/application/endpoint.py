"""An address at which a case's model answers, for applications that take no client of ours."""

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
_KEY_BYTES = 16
_STOP_TIMEOUT_S = 0.1
_TURNS = 5
"""Of the loop, in which the last connection is accepted and made: asyncio forgets one whose server closes meanwhile."""
_HAND_OVER = "give the application its `api_key`"
_FAILED = 400
"""A status with which no client tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an application finds the model of a case."""

    root_url: str
    """As clients of Anthropic take it: of this machine, on a port of its own."""
    api_key: str
    """Without which nothing is answered there; it is worth nothing anywhere else."""

    @property
    def base_url(self) -> str:
        """Up to ``/v1``, as clients of OpenAI take it."""
        return f"{self.root_url}{_PREFIX}"

    @property
    def environ(self) -> Mapping[str, str]:
        """All of it under the names by which both vendors' clients look it up: for the environment of a process.

        A proxy that is named there is not to be asked for it.
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
    """Serve the APIs of OpenAI and Anthropic at an address of this machine: what is asked there are ``model``'s calls.

    For an application that is given an address and a key and takes no client: another process, in whatever language, or
    a framework with a client of its own. While the block runs, chat completions and responses are answered as through
    ``openai_client``, messages as through ``anthropic_client``. A call that fails comes as status 400, which no client
    tries again, and makes the case an error whatever the application makes of it, and so do any other request, one
    without the key, and one that cannot be read.

    Args:
        model: the fixture of the test.
        embeddings: a client that makes the application's requests for embeddings, as ``openai_client`` takes it.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is no client of OpenAI's that answers at once.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=False)
    loop, served = LoopThread("llmeval-endpoint"), _Served(Asking(model, _Apis(), own))
    try:
        yield loop.submit(served.start()).result()  # which an async body may wait for: it takes a moment
    finally:
        try:
            loop.submit(served.stop()).result()
        finally:
            loop.close()


class _Apis:
    """Both vendors' APIs, told apart by their paths; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._openai, self._anthropic = OpenAIApi(), AnthropicApi()

    def read(self, posted: Posted) -> Asked:
        """Return what a request asks for; raise CaseError where that is no one answer of a model."""
        return (self._anthropic if posted.path.startswith(MESSAGES_PATH) else self._openai).read(posted)


async def _body(request: web.BaseRequest) -> bytes:
    """Return the body; raise CaseError where its client broke off, or it is not coded as it says."""
    try:
        return await request.content.read()
    except (web.RequestPayloadError, OSError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        told = f"{request.method} {request.path}: the body could not be read: {why}"
        raise CaseError(told, kind=ErrorKind.CODE) from None


class _Served:
    """The server behind one endpoint."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._key = secrets.token_hex(_KEY_BYTES)
        self._runner: web.ServerRunner | None = None
        self._begun = BegunRequests(asking.answer)

    async def start(self) -> Endpoint:
        """Listen, on a port that is free."""
        self._runner = web.ServerRunner(Server(self._handle, self._unread), shutdown_timeout=_STOP_TIMEOUT_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        port = self._runner.addresses[0][1]
        return Endpoint(root_url=f"http://{_HOST}:{port}", api_key=self._key)

    async def stop(self) -> None:
        """Close the port; who still waits for an answer gets none."""
        if self._runner is None:
            return
        for _ in range(_TURNS):
            await pause(0)
        self._begun.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        """Return what the model says, or the error."""
        try:
            with self._asking.telling():
                self._check_key(request)
                body = await _body(request)
            if (request.method, request.path) == ("GET", f"{_PREFIX}/models"):
                model = {"id": self._asking.name, "object": "model", "created": 0, "owned_by": "llmeval"}
                return web.json_response({"object": "list", "data": [model]})
            is_again = is_retry(request.headers)
            posted = Posted(method=request.method, path=request.path, body=body, is_retry=is_again)
            sent = await self._begun.answered(posted, request)
        except Exception as error:  # noqa: BLE001 - the case knows of it; the application is told
            kind = error.kind if isinstance(error, CallError | CaseError) else ErrorKind.CODE
            told = {"message": f"{type(error).__name__}: {error}", "type": "llmeval_error", "code": str(kind)}
            return web.json_response({"type": "error", "error": told}, status=_FAILED)
        return web.Response(body=sent.text.encode("ascii"), headers={"Content-Type": sent.content_type})

    def _check_key(self, request: web.BaseRequest) -> None:
        """Raise CaseError for a request of somebody who was not given the endpoint's key."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        key = request.headers.get("X-Api-Key") or (token if scheme.lower() == "bearer" else "")
        if not secrets.compare_digest(key.encode(errors="surrogateescape"), self._key.encode()):
            told = f"{request.method} {request.path} without the endpoint's key; {_HAND_OVER}"
            raise CaseError(told, kind=ErrorKind.CODE)

    def _unread(self, why: str) -> None:
        """Tell the case of a request that could not be read."""
        told = f"a request to the case's endpoint could not be read: {why}"
        self._asking.refuse(CaseError(told, kind=ErrorKind.CODE))
