"""Each attempt of a call is let go by the budget, and booked as soon as it is known what it came to."""

import asyncio
from collections.abc import Callable

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.types import Usage
from pytest_llmeval.engine.bounds import supposed
from pytest_llmeval.engine.budget import Budget, Ending

__all__ = ["Paying"]


class Paying:
    """What the budget set aside for the attempt of a call that is under way, or comes next."""

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
            budget: what all calls spend from.
            model: who is asked.
            prices: of its tokens.
            most: the tokens that an attempt takes at most; None for those of an answer that has no bound.
            freed: set whenever something was booked.
            require_open: raises CallError where no further attempt may go.
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
        """Wait until the budget lets the next attempt go; what an earlier one cost nothing of is still set aside.

        Raises:
            CallError: what is left does not cover it, or no call is made any more.
        """
        while self._aside_usd is None:
            self._aside_usd = self._budget.start(self._model, self._bound_usd, self._lost_usd)
            if self._aside_usd is None:
                self._freed.clear()
                await self._freed.wait()
                self._require_open()

    def require_money(self) -> None:
        """Raise CallError where nothing is to be spent any more, which may have come out since ``start``."""
        if self._aside_usd is not None:
            self._budget.require_open(self._aside_usd)

    def lose(self, usage: Usage) -> None:
        """Book an attempt without a usable answer, by its tokens or else as ``Budget.end`` says.

        Another attempt has to be let go anew.
        """
        self.end(cost_usd(self._prices, usage), "lost")

    def end(self, usd: float | None, how: Ending) -> None:
        """Book what the attempt under way cost, if there is one; None where nobody told."""
        if self._aside_usd is not None:
            self._budget.end(self._model, self._aside_usd, usd, how, self._lost_usd)
            self._aside_usd = None
            self._freed.set()
