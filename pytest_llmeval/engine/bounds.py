"""What a call may take, told before it is made."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.estimates import estimate_tokens
from pytest_llmeval.core.types import Ask, Backend, Usage

__all__ = ["bound"]


def bound(backend: Backend, ask: Ask) -> Usage:
    """Return about the most tokens that a call takes; None for those sent back where nothing bounds the answer."""
    params = backend.identity(ask.request).get("params", {})
    return Usage(input_tokens=estimate_tokens(ask.request.messages, params), output_tokens=_room(params))


def _room(params: Mapping[str, Any]) -> int | None:
    """Return the tokens that all choices of an answer may have together; None where nothing bounds them."""
    room, choices = params.get("max_completion_tokens", params.get("max_tokens")), params.get("n")
    if not isinstance(room, int):
        return None
    return max(0, room) * (max(1, choices) if isinstance(choices, int) else 1)
