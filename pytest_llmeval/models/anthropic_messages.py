"""A model behind the Messages API of Anthropic, over any transport."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.anthropic_request import messages_body, sent_params
from pytest_llmeval.models.anthropic_wire import MESSAGES_PATH, read_message
from pytest_llmeval.models.http_backend import HttpBackend
from pytest_llmeval.models.transport import Answer

__all__ = ["AnthropicBackend"]


class AnthropicBackend(HttpBackend):
    """One model of one server; implements ``core.types.Backend``."""

    path = MESSAGES_PATH

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
        return await self._complete_with(lambda: self._attempt(body))

    def _read(self, answer: Answer) -> Response:
        return read_message(answer.body, self._redact)
