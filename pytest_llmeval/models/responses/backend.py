"""Backend of models behind OpenAI's Responses API, over any transport.

Tests and judges use the format of chat completions; requests and answers are translated. The vendor stores nothing: the
reasoning of an answer comes with it in encrypted form, and is sent back with the conversation.
"""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.http.backend import HttpBackend
from pytest_llmeval.models.http.errors import advise
from pytest_llmeval.models.http.transport import RESPONSES_PATH, Answer
from pytest_llmeval.models.message_keys import PHASE, REASONING_ITEMS, without_foreign_keys
from pytest_llmeval.models.named import unsendable
from pytest_llmeval.models.responses.items import input_items
from pytest_llmeval.models.responses.params import INCLUDED_REASONING, as_asked, sent_params, unsent_params
from pytest_llmeval.models.responses.wire import read_response

__all__ = ["ResponsesBackend"]

_OWN = frozenset({PHASE, REASONING_ITEMS})
_NO_ENCRYPTION = "encrypted content is not supported"
"""OpenAI's refusal to include the reasoning of a model that does not reason; the request is repeated without it."""


class ResponsesBackend(HttpBackend):
    """Backend of one model on one server; implements ``core.protocols.Backend``."""

    path = RESPONSES_PATH
    _gives_reasoning = True
    """False once the server has refused to include the reasoning."""

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer, including the API, as chat completions may give another answer."""
        return {**super().identity(request), "api": "responses"}

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        params = self._params(request)
        wants_reasoning = self._gives_reasoning and params.get("include") is None
        body = self._body(request, {**params, "include": INCLUDED_REASONING} if wants_reasoning else params)

        async def attempt() -> Response:
            nonlocal body, wants_reasoning
            try:
                return await self._attempt(body)
            except AttemptError as error:
                if wants_reasoning and _is_about_reasoning(error):
                    self._gives_reasoning = wants_reasoning = False
                    body = self._body(request, params)
                    error.retryable = True
                else:
                    error.param = as_asked(error.param, params)
                    advise(error, params)
                raise

        return await self._complete_with(attempt)

    def _data(self, request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
        for name, told in unsent_params(params):
            raise unsendable(self.name, told, name)
        asked = without_foreign_keys(request.messages, params, is_openai=self._is_openai, own=_OWN)
        messages = asked.pop("messages")
        try:
            sent = sent_params(asked)
        except ValueError as error:
            raise unsendable(self.name, str(error)) from None
        return {"model": self._model.spec.name, "input": input_items(messages), **sent}

    def _read(self, answer: Answer) -> Response:
        return read_response(answer.body, self._redact, content_type=answer.headers.get("content-type", ""))


def _is_about_reasoning(error: AttemptError) -> bool:
    """Return whether a server refuses to include the reasoning, which only this module has requested."""
    is_refused = (error.param or "").startswith("include") or _NO_ENCRYPTION in error.message.lower()
    return error.kind == ErrorKind.BAD_REQUEST and is_refused
