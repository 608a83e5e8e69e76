"""What a mean loss may come to beyond what was seen of it: Student's t knows only of rows that lost."""

import functools
import math
from collections.abc import Sequence

from pytest_llmeval.core.stats.distributions import binomial_upper

__all__ = ["MOST_LOSSES", "hidden_loss"]

MOST_LOSSES = 20
"""Of more losses than so many Student's t knows enough."""


def hidden_loss(largest: Sequence[float], units: int, *, alpha: float) -> float:
    """Return how far above the mean loss seen the true one may surely lie, at ``1 - alpha``, by losses of rare rows.

    Without any loss the share of units that lose all may be up to -ln(alpha) / units. The j-th largest loss stands for
    j units that lost as much: Clopper and Pearson's bound of their share less the share itself, times that loss, which
    for yes-or-no rows is their exact bound. The largest of all these, so that a greater loss never makes it less.

    Args:
        largest: losses above 0, in shares of what one of ``units`` can lose, the largest first; not more of them than
            those.
        units: independent ones of one size, from 1; of others as many as they are worth (``equal_clusters``).
        alpha: in (0, 1).
    """
    by_losses = (loss * _excess(number, units, alpha) for number, loss in enumerate(largest, 1))
    return max(-math.log(alpha) / units, *by_losses, 0.0)


@functools.lru_cache(maxsize=1024)
def _excess(hits: int, units: int, alpha: float) -> float:
    return binomial_upper(hits, units, alpha) - hits / units
