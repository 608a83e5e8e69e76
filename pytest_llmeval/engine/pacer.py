"""A rate by the minute, kept by even spacing."""

import math
from bisect import bisect_right, insort

__all__ = ["Pacer"]

_MINUTE_S = 60.0
_BURST_S = 1.0


class Pacer:
    """Says when the next amount may go, so that no 60 s see more than ``per_minute`` and, of larger ones, the last.

    This is the generic cell rate algorithm (ITU-T I.371, annex A) with a burst of one second's worth: servers that
    publish a limit by the minute enforce it over shorter spans, so that a minute's worth at once would be refused.

    What is given back lets others go the sooner, also where it went long before them: so the last minute is counted.
    """

    def __init__(self, per_minute: float, *, late_s: float = 0.0) -> None:
        """Begin with a full burst.

        Args:
            per_minute: the amount that may go in 60 s; above 0.
            late_s: seconds by which what goes may come later than what follows it: the minute is counted from there.
        """
        self._per_minute = per_minute
        self._span_s = _MINUTE_S + late_s
        # A window of 60 s sees what its 60 s bring and one burst: both together are per_minute.
        self._s_per_unit = (_MINUTE_S + _BURST_S) / per_minute
        self._due_s = -_MINUTE_S
        self._lately: list[tuple[float, float]] = []
        """When each amount that counts went, with what it came to more or less as one of its own, in order."""
        self._sum = 0.0
        """Of these amounts."""

    def wait_s(self, now: float) -> float:
        """Return the seconds from ``now`` until something may go; 0 where it may at once."""
        return max(0.0, self._due_s - _BURST_S - now, self._full_s(now))

    def take(self, amount: float, now: float) -> None:
        """Book an amount that goes at ``now``; more than a burst goes too, and what follows waits the longer."""
        self._due_s = max(self._due_s, now) + amount * self._s_per_unit
        self._count(amount, now)

    def settle(self, amount: float, *, taken_s: float) -> None:
        """Book the difference between what was taken for something at ``taken_s`` and what it came to.

        It may be negative.
        """
        self._due_s += amount * self._s_per_unit
        self._count(amount, taken_s)

    def _count(self, amount: float, went_s: float) -> None:
        insort(self._lately, (went_s, amount))
        self._sum += amount

    def _full_s(self, now: float) -> float:
        """Return the seconds until less than the rate will have come within a minute."""
        gone = bisect_right(self._lately, (now - self._span_s, math.inf))
        self._sum -= sum(amount for _, amount in self._lately[:gone])
        del self._lately[:gone]
        left, until_s = self._sum, now
        for went_s, amount in self._lately:
            if left < self._per_minute:
                break
            left, until_s = left - amount, went_s + self._span_s
        return until_s - now
