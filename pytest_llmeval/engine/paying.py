"""Payment of one call: the budget lets each of its attempts go, and books it once its cost is known."""

import asyncio
from collections.abc import Callable

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.types import Usage
from pytest_llmeval.engine.bounds import supposed
from pytest_llmeval.engine.budget import Budget, Ending

__all__ = ["Paying"]


class Paying:
    """The money that the budget set aside for a call's current or next attempt."""

    def __init__(
        self,
        budget: Budget,
        *,
        model: str,
        prices: Prices | None,
        most: Usage,
        freed: asyncio.Event,
        require_open: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            budget: budget of all calls.
            model: name of the model that is called.
            prices: prices of its tokens.
            most: the most tokens of an attempt; its ``output_tokens`` are None if the answer has no bound.
            freed: set whenever the cost of an attempt was booked.
            require_open: raises CallError if no further attempt may go.
        """
        self._budget = budget
        self._model = model
        self._prices = prices
        self._bound_usd = cost_usd(prices, most)
        self._lost_usd = cost_usd(prices, supposed(most)) or 0.0
        self._freed = freed
        self._require_open = require_open
        self._aside_usd: float | None = None

    async def start(self) -> None:
        """Wait until the budget lets the next attempt go.

        Money set aside for an earlier attempt that cost nothing serves for this one.

        Raises:
            CallError: the money left does not cover the attempt, or no further call is made.
        """
        while self._aside_usd is None:
            self._aside_usd = self._budget.start(self._model, self._bound_usd, self._lost_usd)
            if self._aside_usd is None:
                self._freed.clear()
                await self._freed.wait()
                self._require_open()

    def require_money(self) -> None:
        """Raise CallError if nothing may be spent any more, which may have turned out since ``start``."""
        if self._aside_usd is not None:
            self._budget.require_open(self._aside_usd)

    def lose(self, usage: Usage) -> None:
        """Book an attempt without a usable answer, by its tokens if they are known or else as ``Budget.end`` does.

        The next attempt needs a ``start`` of its own.
        """
        self.end(cost_usd(self._prices, usage), "lost")

    def end(self, usd: float | None, how: Ending) -> None:
        """Book the cost of the attempt under way, if there is one; ``usd`` is None if the cost is not known."""
        if self._aside_usd is not None:
            self._budget.end(self._model, self._aside_usd, usd, how, self._lost_usd)
            self._aside_usd = None
            self._freed.set()
