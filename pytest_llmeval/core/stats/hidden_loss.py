"""The loss that rare rows may hide: a bound for mean losses, since Student's t only sees rows that did lose."""

import functools
import math
from collections.abc import Sequence

from pytest_llmeval.core.stats.distributions import binomial_upper

__all__ = ["MOST_LOSSES", "hidden_loss"]

MOST_LOSSES = 20
"""Largest number of losses to consider; with more, Student's t is reliable by itself."""


def hidden_loss(largest: Sequence[float], units: int, *, alpha: float) -> float:
    """Return how far the true mean loss may lie above the observed one because of rare losses, at ``1 - alpha``.

    Without any observed loss, up to -ln(alpha) / units of the units may lose everything. With losses, the j-th largest
    stands for j units that lost as much: the excess is Clopper and Pearson's bound of their share, minus the share
    itself, times that loss; for yes-or-no rows this is the exact bound. The result is the largest of all these, so that
    a greater loss never reduces it.

    Args:
        largest: losses above 0 as shares of what one unit can lose, the largest first, at most ``units`` of them.
        units: number of independent, equal-sized units, at least 1; for others the number they are worth
            (``equal_clusters``).
        alpha: in (0, 1).
    """
    by_losses = (loss * _excess(number, units, alpha) for number, loss in enumerate(largest, 1))
    return max(-math.log(alpha) / units, *by_losses, 0.0)


@functools.lru_cache(maxsize=1024)
def _excess(hits: int, units: int, alpha: float) -> float:
    return binomial_upper(hits, units, alpha) - hits / units
