"""A model behind the Messages API of Anthropic, over any transport."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Request, Response, Usage
from pytest_llmeval.models.anthropic_request import messages_body, sent_params
from pytest_llmeval.models.anthropic_wire import read_message
from pytest_llmeval.models.completing import Completing
from pytest_llmeval.models.http_errors import read_failure
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import AnswerRedactor, Redactor
from pytest_llmeval.models.retry import RetryPolicy, Slot
from pytest_llmeval.models.transport import MAX_BODY_BYTES, Transport, is_success

__all__ = ["AnthropicBackend"]


class AnthropicBackend:
    """One model of one server; implements ``core.types.Backend``."""

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
        self.name = model.name
        self.spec = model.spec.text
        self.account = account.id
        self.prices = model.prices
        self._model = model
        self._address = account.address
        self._transport = transport
        self._redact = redactor
        self._completing = Completing(
            place=f"{self.name} at {account.base_url.host}",
            prices=model.prices,
            policy=policy,
            slot=slot,
            redact=redactor,
            redact_answer=AnswerRedactor(account.echoed),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer to ``request``."""
        return {
            "provider": self._model.spec.kind,
            "base_url": self._address,
            "model": self._model.spec.name,
            "messages": request.messages,
            "params": sent_params(self._model, request),
        }

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        body = messages_body(self._model, request)
        return await self._completing.complete(lambda: self._attempt(body))

    async def aclose(self) -> None:
        """Close the connections that no other model uses."""
        await self._transport.aclose()

    async def _attempt(self, body: bytes) -> Response:
        """Return the answer of one request; raise AttemptError where there is none."""
        answer = await self._transport.post(body)
        if not is_success(answer.status):
            raise read_failure(answer.status, answer.headers, answer.body, self._redact, datetime.now(UTC))
        if answer.is_cut:
            message = f"the answer is larger than {MAX_BODY_BYTES // 2**20} MiB"
            raise AttemptError(ErrorKind.TOO_LARGE, message, usage=Usage())
        return read_message(answer.body, self._redact)
