"""Prices of tokens and the cost of calls."""

from dataclasses import dataclass

from pytest_llmeval.core.types import Usage

__all__ = ["FREE", "Prices", "cost_usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of input and output tokens, each at least 0."""

    input_usd_per_million: float
    output_usd_per_million: float


FREE = Prices(input_usd_per_million=0, output_usd_per_million=0)
"""The price of a model that runs on the user's own machine."""


def cost_usd(prices: Prices | None, usage: Usage) -> float | None:
    """Return the cost of a call in USD; None if a price or a token count is unknown, 0 if all prices are 0."""
    if prices is None:
        return None
    if prices.input_usd_per_million == 0 == prices.output_usd_per_million:
        return 0.0
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = usage.input_tokens * prices.input_usd_per_million + usage.output_tokens * prices.output_usd_per_million
    return total / 1_000_000
