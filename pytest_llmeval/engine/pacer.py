"""A rate by the minute, kept by even spacing."""

__all__ = ["Pacer"]

_MINUTE_S = 60.0
_BURST_S = 1.0


class Pacer:
    """Says when the next amount may go, so that no 60 s see more than ``per_minute`` and, of larger ones, the last.

    This is the generic cell rate algorithm (ITU-T I.371, annex A) with a burst of one second's worth: servers that
    publish a limit by the minute enforce it over shorter spans, so that a minute's worth at once would be refused.
    """

    def __init__(self, per_minute: float) -> None:
        """Begin with a full burst.

        Args:
            per_minute: the amount that may go in 60 s; above 0.
        """
        # A window of 60 s sees what its 60 s bring and one burst: both together are per_minute.
        self._s_per_unit = (_MINUTE_S + _BURST_S) / per_minute
        self._due_s = -_MINUTE_S

    def wait_s(self, now: float) -> float:
        """Return the seconds from ``now`` until something may go; 0 where it may at once."""
        return max(0.0, self._due_s - _BURST_S - now)

    def take(self, amount: float, now: float) -> None:
        """Book an amount that goes at ``now``; more than a burst goes too, and what follows waits the longer."""
        self._due_s = max(self._due_s, now) + amount * self._s_per_unit

    def settle(self, amount: float) -> None:
        """Book the difference between what was taken for something and what it came to; it may be negative."""
        self._due_s += amount * self._s_per_unit
