"""A model behind the OpenAI chat completions protocol.

Importing this module imports the vendor's SDK; ``registry.open_model`` does so when the first such model is
opened.
"""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx2
import openai

from pytest_llmeval.core.costs import cost_usd
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.attempt_error import AttemptError
from pytest_llmeval.models.clients import HttpStatusError, SharedClients, read_capped
from pytest_llmeval.models.http_errors import read_failure
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.named import RESERVED_PARAMS, NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.retry import RetryPolicy, Slot, call_with_retries
from pytest_llmeval.models.wire import read_completion

__all__ = ["MAX_BODY_BYTES", "OpenAIBackend"]

MAX_BODY_BYTES = 8 * 1024 * 1024
_CLIENTS = SharedClients()


class OpenAIBackend:
    """One model of one server; implements ``core.types.Backend``."""

    def __init__(
        self,
        model: NamedModel,
        account: Account,
        *,
        policy: RetryPolicy,
        redactor: Redactor,
        slot: Slot = nullcontext,
    ) -> None:
        self.name = model.name
        self.spec = model.spec.text
        self.account = account.base_url.url
        self._model = model
        self._account = account
        self._policy = policy
        self._slot = slot
        self._redact = redactor
        redactor.add(*account.secrets)
        _CLIENTS.hold(account)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer to ``request``."""
        return {
            "provider": self._model.spec.kind,
            "base_url": self._account.base_url.url,
            "model": self._model.spec.name,
            "messages": request.messages,
            "params": {**self._model.params, **request.params},
        }

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        body = self._body(request)
        try:
            response = await call_with_retries(lambda: self._attempt(body), policy=self._policy, slot=self._slot)
        except CallError as error:
            message = f"{self.name} at {self._account.base_url.host}: {self._redact(str(error))}"
            raise CallError(message, kind=error.kind, attempts=error.attempts, latency_s=error.latency_s) from None
        return replace(response, cost_usd=cost_usd(self._model.prices, response.usage))

    async def aclose(self) -> None:
        """Close the connections that no other model uses."""
        await _CLIENTS.release(self._account)

    def _body(self, request: Request) -> bytes:
        """Return the request as ASCII JSON, so that lone surrogates of a prompt are sent as they are."""
        params: Mapping[str, Any] = {**self._model.params, **request.params}
        reserved = sorted(RESERVED_PARAMS & params.keys())
        if reserved:
            message = f"{self.name}: {reserved[0]!r} is no sampling parameter; remove it from params"
            raise CallError(message, kind=ErrorKind.BAD_REQUEST, attempts=0)
        data = {"model": self._model.spec.name, "messages": request.messages, **params}
        try:
            return json.dumps(data, allow_nan=False).encode("ascii")
        except (TypeError, ValueError, RecursionError) as error:
            message = f"{self.name}: messages or params cannot be sent as JSON: {error}"
            raise CallError(message, kind=ErrorKind.BAD_REQUEST, attempts=0) from None

    async def _attempt(self, body: bytes) -> Response:
        """Return the answer of one request; raise AttemptError where there is none."""
        try:
            content, cut = await self._post(body)
        except HttpStatusError as error:
            raise read_failure(error.status, error.headers, error.body, self._redact, datetime.now(UTC)) from None
        except openai.APITimeoutError:
            raise AttemptError(ErrorKind.TIMEOUT, "no connection in time", retryable=True) from None
        except openai.APIConnectionError as error:
            raise _connection_fault(error.__cause__ or error) from None
        except httpx2.DecodingError as error:
            raise AttemptError(ErrorKind.MALFORMED_RESPONSE, f"undecodable body: {error}", retryable=True) from None
        except httpx2.RequestError as error:
            raise _connection_fault(error) from None
        if cut:
            raise AttemptError(ErrorKind.TOO_LARGE, f"the answer is larger than {MAX_BODY_BYTES // 2**20} MiB")
        return read_completion(content, self._redact)

    async def _post(self, body: bytes) -> tuple[bytes, bool]:
        """Send one request; return the body of its answer up to the cap, and whether there was more."""
        client = _CLIENTS.get(self._account)
        # With stream=True and httpx2.Response the SDK hands out the response unread, so that the cap can hold.
        stream = await client.post(
            "/chat/completions",
            cast_to=httpx2.Response,
            content=body,
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        response = cast(httpx2.Response, stream)
        try:
            return await read_capped(response, MAX_BODY_BYTES)
        finally:
            await response.aclose()


def _connection_fault(error: BaseException) -> AttemptError:
    """Return the fault for a connection that was refused, cut or reset."""
    return AttemptError(ErrorKind.CONNECTION, f"{type(error).__name__}: {error}".rstrip(": "), retryable=True)
