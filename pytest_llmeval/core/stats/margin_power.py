"""How often yes-or-no rows in which nothing changed stay within a margin, without any approximation."""

import bisect
import functools
import math

from pytest_llmeval.core.stats.distributions import binomial_at_least, binomial_upper, student_quantile
from pytest_llmeval.core.stats.mcnemar_power import COUNTED, binomial

__all__ = ["flips_bound", "margin_power"]

_NEGLIGIBLE = 1e-9


def flips_bound(worse: int, better: int, rows: int, *, alpha: float) -> float:
    """Return what the loss of yes-or-no rows surely lies below, at ``1 - alpha``.

    Student's bound, and no less than Clopper and Pearson's of the share that got worse, less the share that got better,
    nor than the share that got worse, less Clopper and Pearson's lower bound of the share that got better.
    Of rows that all changed alike, or did not, Student knows nothing: they may hide -ln(alpha) / rows more.

    Args:
        worse: rows that got worse.
        better: rows that got better.
        rows: all of them, from 1.
        alpha: in (0, 1).
    """
    loss, flips = (worse - better) / rows, worse + better
    square = flips / rows - loss * loss
    if square > 0:
        bound = loss + _quantile(alpha, rows - 1) * math.sqrt(square / (rows - 1))
    else:
        bound = loss - math.log(alpha) / rows
    surely_better = 1 - _upper(rows - better, rows, alpha)
    return max(bound, _upper(worse, rows, alpha) - better / rows, worse / rows - surely_better)


def margin_power(rows: int, flips: float, margin: float, *, alpha: float) -> float:
    """Return the chance that ``flips_bound`` lies below ``margin`` where each row flips with a chance, either way.

    Args:
        rows: from 1; with more than ``MOST_FLIPS`` expected flips the chance comes out too small.
        flips: chance that a row flips, at least 0; an estimate above 1 counts as 1. As many get worse as get better.
        margin: above 0.
        alpha: in (0, 0.5).
    """
    power = 0.0
    for count in range(min(rows + 1, COUNTED)):
        chance = binomial(count, rows, min(1.0, flips))
        if chance > _NEGLIGIBLE:
            power += chance * (1 - binomial_at_least(_within(count, rows, margin, alpha), count, 0.5))
    return power


def _within(count: int, rows: int, margin: float, alpha: float) -> int:
    """Return the least number of rows that got worse, of ``count`` flips, with which the margin does not hold."""

    def is_beyond(worse: int) -> bool:
        return flips_bound(worse, count - worse, rows, alpha=alpha) >= margin

    return bisect.bisect_left(range(count + 1), True, key=is_beyond)


@functools.lru_cache(maxsize=64)
def _quantile(alpha: float, df: int) -> float:
    return -student_quantile(alpha, df)


@functools.lru_cache(maxsize=1024)
def _upper(worse: int, rows: int, alpha: float) -> float:
    return binomial_upper(worse, rows, alpha)
