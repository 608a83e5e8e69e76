"""The budget of a session: which calls ``--max-cost`` still lets go."""

from collections import Counter
from typing import Literal

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.bounds import FIRST_TOKENS

__all__ = ["Budget", "Ending"]

_ROUNDING_USD = 1e-9
Ending = Literal["answered", "lost", "none"]
"""How an attempt ended: with a usable answer, with an unusable one that may still be paid for, or without any."""


class Budget:
    """Lets a call, and each retry of it, go only if the money left covers it and the calls in flight.

    The most that a call may cost is known if its answer has a bound. Otherwise it is assumed to cost as much as the
    most expensive call of the same model so far: a judge may be a hundred times as expensive as the model it judges.
    The first call of a model goes as long as no call was refused for lack of money; after that, only if its prompt and
    a long answer are covered.
    """

    def __init__(self, max_cost_usd: float | None) -> None:
        self._max_cost_usd = max_cost_usd
        self._dearest_usd: dict[str, float] = {}
        self._open: Counter[str] = Counter()
        self._reserved_usd = 0.0
        self._is_blind = False
        self._is_short = False
        """Whether a call was refused because the money left did not cover it."""
        self.spent_usd = 0.0
        self.is_used_up = False

    def start(self, model: str, bound_usd: float | None = None, supposed_usd: float = 0.0) -> float | None:
        """Book a call that is about to go, and return the USD set aside for it; None if it has to wait.

        Until a call of the model has shown its cost, a call without a bound goes only while no other one of that
        model is in flight.

        Args:
            model: name of the model that is called.
            bound_usd: the most that the call may cost; None if its answer has no bound.
            supposed_usd: cost assumed for a call without a bound once money is short, if no earlier call of the model
                has shown its cost.

        Raises:
            CallError: the budget is used up, also for every later call that costs anything; or the money left does
                not cover this call, though it may cover another one.
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
        is_left = self.spent_usd < self._max_cost_usd - _ROUNDING_USD  # else not even a call of unknown cost goes
        is_covered = self.spent_usd + self._reserved_usd + aside_usd <= self._max_cost_usd + _ROUNDING_USD
        if not is_free and not (is_left and is_covered):
            if self._open.total():  # the calls in flight may cost less than was set aside
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
        """Raise CallError if a call that was booked but not yet sent may no longer be sent.

        That happens if a server did not report the tokens of an answer, or a call cost more than its bound.

        Args:
            aside_usd: the USD that ``start`` set aside for the call.
        """
        is_free = aside_usd == 0
        if self._is_blind or (self._max_cost_usd is not None and not is_free and self.spent_usd > self._max_cost_usd):
            raise self._error()

    def end(
        self, model: str, aside_usd: float, cost_usd: float | None, how: Ending = "answered", lost_usd: float = 0.0
    ) -> None:
        """Book what an attempt cost.

        Args:
            model: name of the model that was called.
            aside_usd: the USD that ``start`` set aside for the attempt.
            cost_usd: its cost; None if its tokens were not reported.
            how: whether there was a usable answer, one that was ``lost``, or none at all.
            lost_usd: least cost assumed for a lost answer of unknown cost; what was set aside counts if it is more.
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
        left_usd = max_cost_usd - self.spent_usd  # shown with enough digits to differ from the call's cost
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
