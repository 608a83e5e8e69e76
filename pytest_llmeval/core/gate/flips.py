"""The definition of a flip between two runs, used by every report and page."""

from typing import Literal

__all__ = ["flip_of"]


def flip_of(before: float, epochs_before: int, now: float, epochs_now: int) -> Literal[-1, 0, 1]:
    """Return -1 if a row got worse, 1 if it got better, 0 if it did not flip.

    With the same number of epochs in both runs, a row flips if it passed less or more often than before. With different
    numbers the shares are not comparable: one miss is more likely in three epochs than in one, even without a change.
    Then a row flips if most of its epochs passed in one run and most missed in the other; a half is no majority.

    Args:
        before: share of the row's epochs that passed in the run to compare with, in [0, 1].
        epochs_before: number of its epochs that passed or missed, at least 1.
        now: share of the row's epochs that passed in the run under test.
        epochs_now: number of its epochs that passed or missed.
    """
    if epochs_before == epochs_now:
        return -1 if now < before else 1 if now > before else 0
    return -1 if now < 0.5 < before else 1 if before < 0.5 < now else 0
