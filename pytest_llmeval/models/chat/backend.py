"""Backend of models behind OpenAI's chat completions protocol, over any transport."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.draws import with_own_seed
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.chat.refused_params import RefusedParams
from pytest_llmeval.models.chat.wire import read_completion
from pytest_llmeval.models.http.backend import HttpBackend
from pytest_llmeval.models.http.retry import RetryPolicy, Slot
from pytest_llmeval.models.http.transport import CHAT_PATH, Answer, Transport
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.message_keys import without_foreign_keys
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor

__all__ = ["OpenAIBackend"]


class OpenAIBackend(HttpBackend):
    """Backend of one model on one server; implements ``core.protocols.Backend``."""

    path = CHAT_PATH

    def __init__(
        self,
        model: NamedModel,
        account: Account,
        transport: Transport,
        *,
        policy: RetryPolicy,
        redactor: Redactor,
        slot: Slot = nullcontext,
        revision: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: the model to call.
            account: its server and credentials.
            transport: transport to that server.
            policy: time limit and retries.
            redactor: applied to error messages.
            slot: factory of the context manager that is entered around each request.
            revision: identifies a model that runs on this machine, instead of its address; None for other servers. The
                seed of such a model is derived from each request, as for ``hf:`` models.
            fields: further fields of each request, which select the model on its server.
        """
        super().__init__(model, account, transport, policy=policy, redactor=redactor, slot=slot)
        self._revision = revision
        self._fields = fields or {}
        self._refused = RefusedParams()

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer; a model on this machine is identified by its files, not its address."""
        place = {} if self._revision is None else {"base_url": None}
        return {**super().identity(request), "revision": self._revision, **place}

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        params = self._refused.as_taken(self._params(request))
        body = self._body(request, params)

        async def attempt() -> Response:
            nonlocal body, params
            try:
                return await self._attempt(body)
            except AttemptError as error:
                if self._refused.learn(error, params):
                    params = self._refused.as_taken(params)
                    body = self._body(request, params)
                raise

        return await self._complete_with(attempt)

    def _data(self, request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
        if self._revision is not None:
            params = with_own_seed(params, canonical(request.messages))
        told = without_foreign_keys(request.messages, params, is_openai=self._is_openai)
        return {"model": self._model.spec.name, "messages": told.pop("messages"), **told, **self._fields}

    def _read(self, answer: Answer) -> Response:
        return read_completion(answer.body, self._redact, content_type=answer.headers.get("content-type", ""))
