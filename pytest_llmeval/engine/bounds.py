"""Estimates of the tokens and cost of a call before it is made, and the cost of attempts without a usable answer."""

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
"""Output tokens assumed for an answer without a bound until the model has answered once, and for one that is lost.

It is large enough that few calls are sent before the length of the model's answers is known.
"""


class Lengths:
    """Mean lengths of each model's answers, used as the estimate for calls whose answers have no bound.

    They are kept apart by role, as a judge's verdicts say nothing about its answers. Likelihoods do not count.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        """Number of answers and sum of their tokens, by role and model."""

    def expected(self, ask: Ask, most: Usage) -> int:
        """Return the tokens, sent and received, to book for a call within ``most`` when it is sent."""
        count, tokens = self._seen.get((ask.role, ask.model), (0, 0))
        room = most.output_tokens
        if room is None:
            room = tokens // count if count else FIRST_TOKENS
        return (most.input_tokens or 0) + room

    def taken(self, ask: Ask, most: Usage, response: Response) -> int:
        """Return the tokens that a call took, as reported or else estimated; record the length of its answer."""
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
    """Return an estimate of the most tokens a call takes; ``output_tokens`` is None if nothing bounds the answer."""
    params = backend.identity(ask.request).get("params", {})
    return Usage(input_tokens=estimate_tokens(ask.request.messages, params), output_tokens=_room(params))


def supposed(most: Usage) -> Usage:
    """Return the usage assumed for a call within ``most`` when the server reports none."""
    return most if most.output_tokens is not None else replace(most, output_tokens=FIRST_TOKENS)


def lost_usd(prices: Prices | None, usages: Iterable[Usage]) -> float:
    """Return the USD that attempts without a usable answer cost; those with unknown tokens or prices count as 0."""
    known = (cost_usd(prices, usage) for usage in usages)
    return sum(usd for usd in known if usd is not None)


def failed_usd(prices: Prices | None, usages: Iterable[Usage]) -> float | None:
    """Return the USD that a failed call cost; None unless the cost of every attempt is known."""
    costs = [cost_usd(prices, usage) for usage in usages]
    known = [usd for usd in costs if usd is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _room(params: Mapping[str, Any]) -> int | None:
    """Return the most output tokens of all choices of an answer together; None if nothing bounds them."""
    if LOGPROB_OF in params:
        return 0
    room, choices = bound_of(params), params.get("n")
    if not isinstance(room, int):
        return None
    return max(0, room) * (max(1, choices) if isinstance(choices, int) else 1)
