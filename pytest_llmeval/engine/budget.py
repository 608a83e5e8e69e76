"""What a session may spend."""

from collections import Counter
from typing import Literal

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.bounds import FIRST_TOKENS

__all__ = ["Budget", "Ending"]

_ROUNDING_USD = 1e-9
Ending = Literal["answered", "lost", "none"]
"""Of an attempt: an answer to use, one that is none to use and may be paid for all the same, none at all."""


class Budget:
    """Lets a call, and each further attempt at it, go only where the money left covers it and those in flight.

    What a call may cost is known where its answer has a bound; else it is taken to cost what the dearest one of its
    model did: a judge may be a hundred times as dear as the model that it judges. The first one of a model goes as long
    as nobody was refused for want of money; from then on only where its prompt and a long answer are covered.
    """

    def __init__(self, max_cost_usd: float | None) -> None:
        self._max_cost_usd = max_cost_usd
        self._dearest_usd: dict[str, float] = {}
        self._open: Counter[str] = Counter()
        self._reserved_usd = 0.0
        self._is_blind = False
        self._is_short = False
        """Whether a call was refused that what was left did not cover."""
        self.spent_usd = 0.0
        self.is_used_up = False

    def start(self, model: str, bound_usd: float | None = None, supposed_usd: float = 0.0) -> float | None:
        """Book a call that is about to go; return what is set aside for it, None where it may not go now.

        Where its bound is not known and no price of its model was seen yet, it goes as the only one of that.

        Args:
            model: who is asked.
            bound_usd: the most that it may cost; None where its answer has no bound.
            supposed_usd: what it is taken to cost then once money is short, where none of its model has told.

        Raises:
            CallError: the budget is used up, for every later call that costs anything too; or what is left does not
                cover this one, and may cover another.
        """
        if self._max_cost_usd is None:
            return 0.0
        is_free = bound_usd == 0
        if self._is_blind or (self.is_used_up and not is_free):
            raise self._error()
        if bound_usd is None and model not in self._dearest_usd and self._open[model]:
            return None
        aside_usd, known = bound_usd, ""
        if aside_usd is None and model in self._dearest_usd:
            aside_usd, known = self._dearest_usd[model], ", as the dearest so far"
        elif aside_usd is None:
            aside_usd, known = supposed_usd if self._is_short else 0.0, f", with an answer of {FIRST_TOKENS:,} tokens"
        is_left = self.spent_usd < self._max_cost_usd - _ROUNDING_USD  # else one of unknown cost goes neither
        is_covered = self.spent_usd + self._reserved_usd + aside_usd <= self._max_cost_usd + _ROUNDING_USD
        if not is_free and not (is_left and is_covered):
            if self._open.total():  # it may come to less
                return None
            if is_left:
                self._is_short = True
                raise self._too_dear(aside_usd, self._max_cost_usd, known)
            self.is_used_up = True
            raise self._error()
        self._open[model] += 1
        self._reserved_usd += aside_usd
        return aside_usd

    def require_open(self, aside_usd: float) -> None:
        """Raise CallError where a call that was booked and has not gone may not go any more.

        That is where a server did not tell what its answer took, or one cost more than it might have.

        Args:
            aside_usd: what ``start`` set aside for it.
        """
        is_free = aside_usd == 0
        if self._is_blind or (self._max_cost_usd is not None and not is_free and self.spent_usd > self._max_cost_usd):
            raise self._error()

    def end(
        self, model: str, aside_usd: float, cost_usd: float | None, how: Ending = "answered", lost_usd: float = 0.0
    ) -> None:
        """Book what an attempt came to.

        Args:
            model: who was asked.
            aside_usd: what ``start`` set aside for it.
            cost_usd: what it cost; None where nobody said how many tokens it took.
            how: whether there was an answer to use, one that was ``lost``, or none at all.
            lost_usd: what one is taken to cost that was lost, where nobody told; no less than was set aside.
        """
        if self._max_cost_usd is None:
            return
        self._open[model] -= 1
        self._reserved_usd -= aside_usd
        if cost_usd is not None:
            self.spent_usd += cost_usd
            self._dearest_usd[model] = max(self._dearest_usd.get(model, 0.0), cost_usd)
        elif how == "lost":
            self.spent_usd += max(aside_usd, lost_usd)
        elif how == "answered":
            self._is_blind = self.is_used_up = True

    def _too_dear(self, aside_usd: float, max_cost_usd: float, known: str) -> CallError:
        left_usd = max_cost_usd - self.spent_usd  # told in digits that tell it from the call's
        digits = next((n for n in range(4, 12) if round(aside_usd, n) != round(left_usd, n)), 12)
        advice = "max_tokens bounds" if known else "a lower max_tokens lowers"
        message = (
            f"not asked: it may cost ${aside_usd:.{digits}f}{known}, and ${left_usd:.{digits}f} of --max-cost"
            f" ${max_cost_usd:.{digits}f} are left; {advice} what it may cost"
        )
        return CallError(message, kind=ErrorKind.BUDGET, attempts=0)

    def _error(self) -> CallError:
        if self._is_blind:
            message = "not asked: a server did not say how many tokens an answer took: --max-cost cannot be kept"
            return CallError(message, kind=ErrorKind.BUDGET, attempts=0)
        most_usd = self._max_cost_usd or 0.0
        digits = next((n for n in range(4, 12) if round(most_usd, n) == most_usd), 12)  # as many as it was given with
        message = f"not asked: ${self.spent_usd:.{digits}f} of --max-cost ${most_usd:.{digits}f} are spent"
        return CallError(message, kind=ErrorKind.BUDGET, attempts=0)
