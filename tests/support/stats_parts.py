"""What tests of statistics start from and end with: a table by its counts, both ends of an interval."""

from pytest_llmeval.core.stats.agreement import Confusion
from pytest_llmeval.core.stats.intervals import Interval

__all__ = ["binary", "ends"]


def binary(true_fail: int, false_pass: int, false_fail: int, true_pass: int) -> Confusion:
    """Return a table of two levels by its counts: what people fail, then what they pass."""
    return Confusion(levels=(False, True), counts=((true_fail, false_pass), (false_fail, true_pass)))


def ends(interval: Interval | None) -> tuple[float, float]:
    """Return both ends of an interval that must be there."""
    assert interval is not None
    return interval.low, interval.high
