"""The embedded model: what it cannot do is an error that says so, where its server is silent or means its operator."""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.chat.backend import OpenAIBackend
from pytest_llmeval.models.local.server import CONTEXT_TOKENS
from pytest_llmeval.models.named import unsendable

__all__ = ["LocalBackend"]

_TOOLS = ("tools", "functions")
"""Its server takes them without a word, and the model is told nothing of them."""
_FOR_OPERATORS = ", try increasing it"
"""The advice of llama.cpp where a prompt is too long; whoever asks here cannot follow it."""


class LocalBackend(OpenAIBackend):
    """``local:smollm2``, with an adapter or without."""

    def _data(self, request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
        refused = next(_refused(request, params), None)
        if refused is not None:
            param, problem = refused
            raise unsendable(self.name, f"the embedded model {problem}, or name another model", param)
        return super()._data(request, params)

    async def _attempt(self, body: bytes) -> Response:
        try:
            return await super()._attempt(body)
        except AttemptError as error:
            room = f": prompt and answer have room for {CONTEXT_TOKENS:,} together; shorten it, or name another model"
            error.message = error.message.replace(_FOR_OPERATORS, room)
            raise


def _refused(request: Request, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameter that the model cannot use, with what it does not do and what to leave out."""
    for name in _TOOLS:
        if params.get(name):
            yield name, f"calls no tools; leave out {name!r}"
    for message in request.messages:
        parts = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind != "text":
                yield "messages", f"reads text alone; leave out the part of type {kind!r:.40}"
