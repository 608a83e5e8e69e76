"""How often tests of few rows find what there is, without any approximation of how many flip, or of their signs."""

import bisect
import functools
import math

from pytest_llmeval.core.stats.distributions import (
    binomial_at_least,
    binomial_upper,
    normal_quantile,
    student_quantile,
)
from pytest_llmeval.core.stats.paired import MOST_EXACT, mcnemar

__all__ = ["MOST_FLIPS", "errors_of_signs", "flips_bound", "margin_power", "mcnemar_power"]

MOST_FLIPS = 60.0
"""Expected flips up to which it holds; from half of that on normal approximations are good, and far quicker."""
_COUNTED = 128
"""Flips that are counted: where 60 are expected, more come in less than one of 10^12 cases."""
_NEGLIGIBLE = 1e-12
_NEARLY_NONE = 1e-9
"""Chances up to which a number of flips is left out, of McNemar's test and of a margin."""


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
        chance = _binomial(count, rows, flips)
        if least is not None and chance > _NEGLIGIBLE:
            power += chance * binomial_at_least(least, count, min(1.0, worse / flips))
    return min(power, 1.0)


@functools.lru_cache(maxsize=64)
def _critical(alpha: float) -> tuple[int | None, ...]:
    """Return how many of 0, 1, 2 and more flips must be for the worse to be below ``alpha``; None where all are not."""
    found: list[int | None] = [None]
    for count in range(1, _COUNTED):
        least = found[-1] or 0
        while least <= count and mcnemar(least, count - least) >= alpha:
            least += 1
        found.append(least if least <= count else None)
    return tuple(found)


def _binomial(count: int, rows: int, chance: float) -> float:
    """Return P(X = count) for X ~ Bin(rows, chance), ``chance`` in [0, 1]."""
    if chance in (0, 1):
        return float(count == rows * chance)
    ways = math.lgamma(rows + 1) - math.lgamma(count + 1) - math.lgamma(rows - count + 1)
    return math.exp(ways + count * math.log(chance) + (rows - count) * math.log1p(-chance))


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
    for count in range(min(rows + 1, _COUNTED)):
        chance = _binomial(count, rows, min(1.0, flips))
        if chance > _NEARLY_NONE:
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


def errors_of_signs(units: int, *, alpha: float, power: float) -> tuple[float, float]:
    """Return how many standard errors a change is that the sign-flip test sees, and how many of them the power makes.

    Units that lie evenly about their mean need as many as Student's t with one degree of freedom less than there are,
    at the largest share of all signs below ``alpha``: by simulation of 5 to 12 of them within 3 %, but for the last
    sign of all. Where that alone is below it, all of them must get worse.

    Args:
        units: at least 2, of which so many signs are enough that 1/2^units is below ``alpha``.
        alpha: in (0, 0.5].
        power: in how many of all runs, in (0, 1).
    """
    by_power = student_quantile(power, units - 1)
    below = math.ceil(math.ldexp(alpha, units)) - 1 if units <= MOST_EXACT else 0
    if below == 1:
        return math.sqrt(units) * normal_quantile(power ** (1 / units)), normal_quantile(power)
    return by_power - student_quantile(math.ldexp(below, -units) if below else alpha, units - 1), by_power
