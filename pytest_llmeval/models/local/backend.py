"""Backend of the embedded model, with clear errors for what the model cannot do.

Its server ignores such requests, or gives advice that only the server's operator could follow.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.chat.backend import OpenAIBackend
from pytest_llmeval.models.local.server import CONTEXT_TOKENS
from pytest_llmeval.models.named import unsendable

__all__ = ["LocalBackend"]

_TOOLS = ("tools", "functions")
"""Parameters that the server silently accepts without passing them to the model."""
_FOR_OPERATORS = ", try increasing it"
"""Advice of llama.cpp about a prompt that is too long; a user of this plugin cannot follow it."""


class LocalBackend(OpenAIBackend):
    """Backend of ``local:smollm2``, with or without an adapter."""

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
    """Yield each parameter that the model cannot use, with a text on what it cannot do and what to leave out."""
    for name in _TOOLS:
        if params.get(name):
            yield name, f"calls no tools; leave out {name!r}"
    for message in request.messages:
        parts = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind != "text":
                yield "messages", f"reads text alone; leave out the part of type {kind!r:.40}"
