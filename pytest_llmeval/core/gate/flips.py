"""What it means that a row flipped between two runs; every report and page counts by this one definition."""

from typing import Literal

__all__ = ["flip_of"]


def flip_of(before: float, epochs_before: int, now: float, epochs_now: int) -> Literal[-1, 0, 1]:
    """Return -1 where a row got worse, 1 where it got better, 0 where it did not flip.

    Of as many epochs in both runs it flips where it passed less or more often than before. Of other numbers the shares
    do not compare: of three epochs one is more likely missed than of one, though nothing changed. There the row flips
    where most of its epochs passed in one run and most missed in the other; half of them is no such majority.

    Args:
        before: the share of its epochs that passed in the run that is compared with, from 0 to 1.
        epochs_before: how many passed or missed there, from 1.
        now: the same of the run under test.
        epochs_now: the same of it.
    """
    if epochs_before == epochs_now:
        return -1 if now < before else 1 if now > before else 0
    return -1 if now < 0.5 < before else 1 if before < 0.5 < now else 0
