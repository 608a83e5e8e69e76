"""A model behind the Messages API of Anthropic.

Importing this module imports the vendor's SDK; ``registry.open_model`` does so when the first such model is
opened.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import anthropic
import httpx2

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Request, Response, Usage
from pytest_llmeval.models.anthropic_clients import AnthropicClients, StatusError, post_messages
from pytest_llmeval.models.anthropic_request import DEFAULT_MAX_TOKENS, messages_body
from pytest_llmeval.models.anthropic_wire import read_message
from pytest_llmeval.models.attempt_error import AttemptError
from pytest_llmeval.models.completing import Completing
from pytest_llmeval.models.http_errors import read_failure
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import AnswerRedactor, Redactor
from pytest_llmeval.models.retry import RetryPolicy, Slot

__all__ = ["MAX_BODY_BYTES", "AnthropicBackend"]

MAX_BODY_BYTES = 8 * 1024 * 1024
_CLIENTS = AnthropicClients()


class AnthropicBackend:
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
        self.account = account.id
        self.prices = model.prices
        self._model = model
        self._account = account
        self._redact = redactor
        self._completing = Completing(
            place=f"{self.name} at {account.base_url.host}",
            prices=model.prices,
            policy=policy,
            slot=slot,
            redact=redactor,
            redact_answer=AnswerRedactor(account.echoed),
        )
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
            "params": {"max_tokens": DEFAULT_MAX_TOKENS, **self._model.params, **request.params},
        }

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        body = messages_body(self._model, request)
        return await self._completing.complete(lambda: self._attempt(body))

    async def aclose(self) -> None:
        """Close the connections that no other model uses."""
        await _CLIENTS.release(self._account)

    async def _attempt(self, body: bytes) -> Response:
        """Return the answer of one request; raise AttemptError where there is none."""
        try:
            content, cut = await post_messages(_CLIENTS.get(self._account), body, MAX_BODY_BYTES)
        except StatusError as error:
            raise read_failure(error.status, error.headers, error.body, self._redact, datetime.now(UTC)) from None
        except anthropic.APITimeoutError:
            raise AttemptError(ErrorKind.TIMEOUT, "no connection in time", retryable=True) from None
        except anthropic.APIConnectionError as error:
            raise _connection_fault(error.__cause__ or error) from None
        except httpx2.DecodingError as error:
            message = f"undecodable body: {error}"
            raise AttemptError(ErrorKind.MALFORMED_RESPONSE, message, retryable=True, usage=Usage()) from None
        except httpx2.RequestError as error:
            raise _connection_fault(error) from None
        if cut:
            message = f"the answer is larger than {MAX_BODY_BYTES // 2**20} MiB"
            raise AttemptError(ErrorKind.TOO_LARGE, message, usage=Usage())
        return read_message(content, self._redact)


def _connection_fault(error: BaseException) -> AttemptError:
    """Return the fault for a connection that was refused, cut or reset."""
    return AttemptError(ErrorKind.CONNECTION, f"{type(error).__name__}: {error}".rstrip(": "), retryable=True)
