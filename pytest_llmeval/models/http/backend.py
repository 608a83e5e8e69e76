"""Base class of backends over HTTP, of any protocol: it adds retries, redaction of secrets, and cost."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from json import dumps  # by name: a user's test may patch json.dumps
from typing import Any, ClassVar

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.costs import cost_usd
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.param_levels import laid_over
from pytest_llmeval.core.strict_json import rebuilt
from pytest_llmeval.core.types import Request, Response, ToolCall, Usage
from pytest_llmeval.models.http.errors import read_failure
from pytest_llmeval.models.http.retry import RetryPolicy, Slot, call_with_retries
from pytest_llmeval.models.http.transport import MAX_BODY_BYTES, Answer, Transport, is_success
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.named import NamedModel, unsendable, why_unsendable
from pytest_llmeval.models.redaction import AnswerRedactor, Redactor
from pytest_llmeval.models.vendors import OPENAI

__all__ = ["HttpBackend"]


class HttpBackend(ABC):
    """Base class for backends of models behind HTTP servers; a subclass adds the protocol."""

    path: ClassVar[str]
    """Path of the requests, appended to the server's base URL."""

    def __init__(
        self,
        model: NamedModel,
        account: Account,
        transport: Transport,
        *,
        policy: RetryPolicy,
        redactor: Redactor,
        slot: Slot = nullcontext,
    ) -> None:
        """Prepare.

        Args:
            model: the model to call.
            account: its server and credentials.
            transport: transport to that server.
            policy: time limit and retries.
            redactor: applied to error messages.
            slot: factory of the context manager that is entered around each request.
        """
        self.name = model.name
        self.spec = model.spec.text
        self.account = account.id
        self.prices = model.prices
        self._model = model
        self._address = account.address
        self._key = account.told
        self._url = f"{account.base_url.url}{self.path}"
        self._place = f"{self.name} at {account.base_url.host}"
        self._is_openai = OPENAI.owns(account.base_url)
        self._transport = transport
        self._policy = policy
        self._slot = slot
        self._redact = redactor
        self._redact_answer = AnswerRedactor(each for each in account.echoed if each != model.spec.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer to ``request``."""
        return {
            "provider": self._model.spec.kind,
            "base_url": self._address,
            "model": self._model.spec.name,
            "messages": request.messages,
            "params": self._params(request),
        }

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        body = self._body(request, self._params(request))
        return await self._complete_with(lambda: self._attempt(body))

    async def _complete_with(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return the response of ``attempt`` after retries, with attempts, latency and cost, or raise CallError."""
        try:
            response = await call_with_retries(attempt, policy=self._policy, slot=self._slot)
        except CallError as error:
            key = f" ({self._key})" if self._key and error.kind == ErrorKind.AUTH else ""
            error.args = (f"{self._place}{key}: {self._redact(str(error))}",)  # before the quote, which may be long
            raise
        safe = self._redact_answer
        return replace(
            response,
            text=safe(response.text),
            tool_calls=tuple(
                ToolCall(name=safe(each.name), arguments=safe(each.arguments), id=each.id and safe(each.id))
                for each in response.tool_calls
            ),
            refusal=response.refusal and safe(response.refusal),
            extra=rebuilt(response.extra, lambda value: safe(value) if isinstance(value, str) else value),
            finish_reason=response.finish_reason and safe(response.finish_reason),
            model=response.model and safe(response.model),
            system_fingerprint=response.system_fingerprint and safe(response.system_fingerprint),
            cost_usd=cost_usd(self.prices, response.usage),
        )

    async def _attempt(self, body: bytes) -> Response:
        """Return the answer to one request; raise AttemptError if there is none."""
        answer = await self._transport.post(body)
        try:
            return self._understood(answer)
        except AttemptError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug; the answer is still paid for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            message = f"reading the answer broke: {type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
            raise AttemptError(ErrorKind.CODE, message, usage=Usage()) from None

    def _understood(self, answer: Answer) -> Response:
        if not is_success(answer.status):
            raise read_failure(answer.status, answer.headers, answer.body, self._redact, utc(), url=self._url)
        if answer.is_cut:
            message = f"the answer is larger than {MAX_BODY_BYTES // 2**20} MiB"
            raise AttemptError(ErrorKind.TOO_LARGE, message, usage=Usage())
        return self._read(answer)

    def _params(self, request: Request) -> Mapping[str, Any]:
        """Return the parameters of a request: the model's, overridden by the request's own."""
        return laid_over(self._model.params, request.params)

    def _body(self, request: Request, params: Mapping[str, Any]) -> bytes:
        """Return the request as ASCII JSON, so that lone surrogates of a prompt are sent as they are.

        Raises:
            CallError: of kind ``bad_request``; the request cannot be sent as it is.
        """
        problem = why_unsendable(params)
        if problem is not None:
            raise unsendable(self.name, problem)
        try:
            return dumps(self._data(request, params), allow_nan=False).encode("ascii")
        except (TypeError, ValueError, RecursionError) as error:
            raise unsendable(self.name, f"messages or params cannot be sent as JSON: {error}") from None

    @abstractmethod
    def _data(self, request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request in the protocol's format; raise CallError, or an error of ``dumps``, if it has none."""

    @abstractmethod
    def _read(self, answer: Answer) -> Response:
        """Return the response in a body of the protocol; raise AttemptError if the body is not one."""
