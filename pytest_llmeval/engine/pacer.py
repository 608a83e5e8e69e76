"""Rate limiter for requests or tokens per minute, by even spacing."""

import math
from bisect import bisect_right, insort

__all__ = ["Pacer"]

_MINUTE_S = 60.0
_BURST_S = 1.0


class Pacer:
    """Says when the next amount may go, so that no 60 s see more than ``per_minute``.

    Only the last amount within 60 s may exceed it, if that amount is larger than what was left.

    This is the generic cell rate algorithm (ITU-T I.371, annex A) with a burst of one second's worth: servers that
    publish a limit per minute enforce it over shorter spans and would refuse a minute's worth at once.

    An amount that is given back lets others go sooner, even if it was taken long before them; therefore the amounts
    of the last minute are summed as well.
    """

    def __init__(self, per_minute: float, *, late_s: float = 0.0) -> None:
        """Begin with a full burst.

        Args:
            per_minute: the amount that may go in 60 s; above 0.
            late_s: seconds by which an amount may reach the server later than the ones after it; they are added to
                the 60 s over which amounts are summed.
        """
        self._per_minute = per_minute
        self._span_s = _MINUTE_S + late_s
        # A window of 60 s sees the steady rate of 60 s plus one burst; both together are per_minute.
        self._s_per_unit = (_MINUTE_S + _BURST_S) / per_minute
        self._due_s = -_MINUTE_S
        self._lately: list[tuple[float, float]] = []
        """Time and size of each amount that still counts, in order of time; a settled difference is an entry too."""
        self._sum = 0.0
        """Sum of the amounts in ``_lately``."""

    def wait_s(self, now: float) -> float:
        """Return the seconds from ``now`` until something may go; 0 if it may go at once."""
        return max(0.0, self._due_s - _BURST_S - now, self._full_s(now))

    def take(self, amount: float, now: float) -> None:
        """Book an amount that goes at ``now``; one larger than a burst goes too, and what follows waits longer."""
        self._due_s = max(self._due_s, now) + amount * self._s_per_unit
        self._count(amount, now)

    def settle(self, amount: float, *, taken_s: float) -> None:
        """Book the difference, which may be negative, between an actual amount and the one taken at ``taken_s``."""
        self._due_s += amount * self._s_per_unit
        self._count(amount, taken_s)

    def _count(self, amount: float, went_s: float) -> None:
        insort(self._lately, (went_s, amount))
        self._sum += amount

    def _full_s(self, now: float) -> float:
        """Return the seconds until the amounts of the last minute sum to less than ``per_minute``."""
        gone = bisect_right(self._lately, (now - self._span_s, math.inf))
        self._sum -= sum(amount for _, amount in self._lately[:gone])
        del self._lately[:gone]
        left, until_s = self._sum, now
        for went_s, amount in self._lately:
            if left < self._per_minute:
                break
            left, until_s = left - amount, went_s + self._span_s
        return until_s - now
