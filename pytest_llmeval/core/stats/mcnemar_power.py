"""How often McNemar's mid-p test finds that yes-or-no rows got worse, without any approximation."""

import functools
import math

from pytest_llmeval.core.stats.distributions import binomial_at_least
from pytest_llmeval.core.stats.paired import mcnemar

__all__ = ["COUNTED", "MOST_FLIPS", "binomial", "mcnemar_power"]

MOST_FLIPS = 60.0
"""Expected flips up to which it holds; from half of that on normal approximations are good, and far quicker."""
COUNTED = 128
"""Flips that are counted: where 60 are expected, more come in less than one of 10^12 cases."""
_NEGLIGIBLE = 1e-12


def mcnemar_power(rows: int, worse: float, better: float, *, alpha: float) -> float:
    """Return the chance that ``paired.mcnemar`` is below ``alpha``: over all numbers of flips, and how they split.

    The number of flips is Bin(rows, worse + better), and of d flips Bin(d, worse/(worse + better)) are for the worse:
    S. W. Duffy, Biometrics 40 (1984) 1005-1015.

    Args:
        rows: from 1; with more than ``MOST_FLIPS`` expected flips the chance comes out too small.
        worse: chance that a row gets worse, above 0.
        better: chance that it gets better; both together at most 1.
        alpha: in (0, 1).
    """
    flips = min(1.0, worse + better)
    power = 0.0
    for count, least in enumerate(_critical(alpha)[: rows + 1]):
        chance = binomial(count, rows, flips)
        if least is not None and chance > _NEGLIGIBLE:
            power += chance * binomial_at_least(least, count, min(1.0, worse / flips))
    return min(power, 1.0)


@functools.lru_cache(maxsize=64)
def _critical(alpha: float) -> tuple[int | None, ...]:
    """Return how many of 0, 1, 2 and more flips must be for the worse to be below ``alpha``; None where all are not."""
    found: list[int | None] = [None]
    for count in range(1, COUNTED):
        least = found[-1] or 0
        while least <= count and mcnemar(least, count - least) >= alpha:
            least += 1
        found.append(least if least <= count else None)
    return tuple(found)


def binomial(count: int, rows: int, chance: float) -> float:
    """Return P(X = count) for X ~ Bin(rows, chance), ``chance`` in [0, 1]."""
    if chance in (0, 1):
        return float(count == rows * chance)
    ways = math.lgamma(rows + 1) - math.lgamma(count + 1) - math.lgamma(rows - count + 1)
    return math.exp(ways + count * math.log(chance) + (rows - count) * math.log1p(-chance))
