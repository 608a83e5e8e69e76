"""What a call may take, told before it is made, and what it took for nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.estimates import estimate_tokens
from pytest_llmeval.core.types import Ask, Backend, Usage

__all__ = ["bound", "lost_usd"]


def bound(backend: Backend, ask: Ask) -> Usage:
    """Return about the most tokens that a call takes; None for those sent back where nothing bounds the answer."""
    params = backend.identity(ask.request).get("params", {})
    return Usage(input_tokens=estimate_tokens(ask.request.messages, params), output_tokens=_room(params))


def lost_usd(prices: Prices | None, usages: Iterable[Usage], *, unknown_usd: float) -> float:
    """Return what attempts without a usable answer cost; ``unknown_usd`` for each whose tokens nobody told."""
    known = (cost_usd(prices, usage) for usage in usages)
    return sum(unknown_usd if usd is None else usd for usd in known)


def _room(params: Mapping[str, Any]) -> int | None:
    """Return the tokens that all choices of an answer may have together; None where nothing bounds them."""
    room, choices = params.get("max_completion_tokens", params.get("max_tokens")), params.get("n")
    if not isinstance(room, int):
        return None
    return max(0, room) * (max(1, choices) if isinstance(choices, int) else 1)
