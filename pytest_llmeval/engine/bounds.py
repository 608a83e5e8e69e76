"""What a call may take, told before it is made, and what it took for nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.estimates import CHARS_PER_TOKEN, estimate_tokens
from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.param_levels import bound_of
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Ask, Response, Usage

__all__ = ["FIRST_TOKENS", "Lengths", "bound", "failed_usd", "lost_usd", "supposed"]

FIRST_TOKENS = 1024
"""Taken for an answer that nothing bounds until one has come, enough that few go before their length is known, and for
one that is lost."""


class Lengths:
    """How long the answers of each model were: what those to come are taken for where nothing bounds them.

    Verdicts of a judge say nothing of its answers, and a likelihood is no answer.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        """Answers of a model in a role, and tokens of all together."""

    def expected(self, ask: Ask, most: Usage) -> int:
        """Return the tokens, sent and received, that a call within ``most`` is let go with."""
        count, tokens = self._seen.get((ask.role, ask.model), (0, 0))
        room = most.output_tokens
        if room is None:
            room = tokens // count if count else FIRST_TOKENS
        return (most.input_tokens or 0) + room

    def taken(self, ask: Ask, most: Usage, response: Response) -> int:
        """Return the tokens that a call took, as far as the server said; book the length of its answer."""
        usage = response.usage
        received = usage.output_tokens
        if received is None:
            received = len(response.text) // CHARS_PER_TOKEN
        if LOGPROB_OF not in ask.request.params:
            count, tokens = self._seen.get((ask.role, ask.model), (0, 0))
            self._seen[ask.role, ask.model] = count + 1, tokens + received
        told = (usage.input_tokens or 0) + (usage.output_tokens or 0)
        return told or (most.input_tokens or 0) + (received if most.output_tokens is None else most.output_tokens)


def bound(backend: Backend, ask: Ask) -> Usage:
    """Return about the most tokens that a call takes; None for those sent back where nothing bounds the answer."""
    params = backend.identity(ask.request).get("params", {})
    return Usage(input_tokens=estimate_tokens(ask.request.messages, params), output_tokens=_room(params))


def supposed(most: Usage) -> Usage:
    """Return what a call within ``most`` is taken to take where nobody tells."""
    return most if most.output_tokens is not None else replace(most, output_tokens=FIRST_TOKENS)


def lost_usd(prices: Prices | None, usages: Iterable[Usage]) -> float:
    """Return what attempts without a usable answer cost, as far as their tokens are known."""
    known = (cost_usd(prices, usage) for usage in usages)
    return sum(usd for usd in known if usd is not None)


def failed_usd(prices: Prices | None, usages: Iterable[Usage]) -> float | None:
    """Return what a call cost that came to nothing; None where not all of its tokens are known."""
    costs = [cost_usd(prices, usage) for usage in usages]
    known = [usd for usd in costs if usd is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _room(params: Mapping[str, Any]) -> int | None:
    """Return the tokens that all choices of an answer may have together; None where nothing bounds them."""
    if LOGPROB_OF in params:
        return 0
    room, choices = bound_of(params), params.get("n")
    if not isinstance(room, int):
        return None
    return max(0, room) * (max(1, choices) if isinstance(choices, int) else 1)
