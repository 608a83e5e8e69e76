"""What a session may spend."""

from pytest_llmeval.core.errors import CallError, ErrorKind

__all__ = ["Budget"]

_ROUNDING_USD = 1e-9


class Budget:
    """Lets a call go only where the money left covers the dearest call so far, and those in flight too."""

    def __init__(self, max_cost_usd: float | None) -> None:
        self._max_cost_usd = max_cost_usd
        self._dearest_usd: float | None = None
        self._open = 0
        self.spent_usd = 0.0
        self.is_used_up = False

    def start(self) -> bool:
        """Book a call that is about to go; return whether it may go now.

        Until the first price is seen one call goes alone: what the others will cost is not known before.

        Raises:
            CallError: the budget is used up.
        """
        if self._max_cost_usd is None:
            return True
        if self.is_used_up:
            raise self._error()
        if self._dearest_usd is None:
            if self._open:
                return False
        elif self.spent_usd + (self._open + 1) * self._dearest_usd > self._max_cost_usd + _ROUNDING_USD:
            if self._open:  # it may have been cheaper
                return False
            self.is_used_up = True
            raise self._error()
        self._open += 1
        return True

    def end(self, cost_usd: float | None) -> None:
        """Book what a call came to; None where it gave no answer."""
        if self._max_cost_usd is None:
            self.spent_usd += cost_usd or 0.0
            return
        self._open -= 1
        if cost_usd is not None:
            self.spent_usd += cost_usd
            self._dearest_usd = max(self._dearest_usd or 0.0, cost_usd)

    def _error(self) -> CallError:
        message = f"not asked: ${self.spent_usd:.4f} of --max-cost ${self._max_cost_usd:.4f} are spent"
        return CallError(message, kind=ErrorKind.BUDGET, attempts=0)
