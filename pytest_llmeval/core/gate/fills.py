"""What to try for missing values between the best and the worst of them.

Student's t is no straight matter of them: the worst of all values is so far off that it widens the error, and says less
against a rule than one that is hardly worse than the others. t is greatest where the missing ones are like each other,
and one level of them does for each mean: just beyond what a rule lets pass, or at the mean square of the others over
their mean, where (S + mg)² / (Q + mg²) is greatest. It is least where some are at their worst and others at their best.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations

from pytest_llmeval.core.stats.means import total

__all__ = ["at_worst", "between"]

_LEVELS = 5
_MIXTURES = 8
_FEW = 6
"""Missing values of which each way to be at their worst or their best is tried: which of them it is may matter, too."""


def between(best: Sequence[float], worst: Sequence[float], beyond: float | None) -> Iterator[list[float]]:
    """Yield gains to try; each lies between the two in every place.

    Args:
        best: gains with the best for what is missing.
        worst: those with the worst for it, none above its ``best``.
        beyond: a mean gain that the rule just does not let pass; None where no value can lie between the two.
    """
    missing = [place for place, (low, high) in enumerate(zip(worst, best, strict=True)) if low < high]
    if not missing:
        return
    for level in () if beyond is None else _levels(best, worst, missing, beyond):
        yield [min(max(level, low), high) for low, high in zip(worst, best, strict=True)]
    missing.sort(key=lambda place: (best[place] ** 2 - worst[place] ** 2, place))
    for lost in at_worst(missing):
        yield [worst[place] if place in lost else gain for place, gain in enumerate(best)]


def at_worst(missing: Sequence[int], groups: Sequence[Hashable] = ()) -> Iterator[frozenset[int]]:
    """Yield which of the missing to try at their worst, some of them and never all.

    Each way where there are few. Of more the first 1, 2, 4 and so on, eight times at most, in even steps of logs; where
    they lie in groups, the first groups and then the last ones too, cut between two groups in so many places.

    Args:
        missing: in the order in which they are tried.
        groups: the group of each, those of one side by side; empty where each is independent of the others.
    """
    if len(missing) <= _FEW:
        for count in range(1, len(missing)):
            yield from map(frozenset, combinations(missing, count))
        return
    factor = max(2.0, len(missing) ** (1 / _MIXTURES))
    for step in range(_MIXTURES):
        if round(factor**step) < len(missing):
            yield frozenset(missing[: round(factor**step)])
    cuts = [place for place in range(1, len(groups)) if groups[place] != groups[place - 1]]
    for cut in cuts[:: max(1, math.ceil(len(cuts) / _MIXTURES))]:
        yield frozenset(missing[:cut])
        yield frozenset(missing[cut:])


def _levels(best: Sequence[float], worst: Sequence[float], missing: Sequence[int], beyond: float) -> Iterator[float]:
    """Yield the gains that all of the missing are given, as far as each can be."""
    low, high = min(worst[place] for place in missing), max(best[place] for place in missing)
    open_ = set(missing)
    known = [gain for place, gain in enumerate(best) if place not in open_]
    yield _level([(worst[place], best[place]) for place in missing], beyond * len(best) - total(known))
    drop, square = total(known), total([gain * gain for gain in known])
    if drop < 0:
        yield square / drop
        yield drop / len(known)
    if known:  # one value that is better than the others by so much widens the error least for what it lifts the mean
        yield drop / len(known) + math.sqrt(max(0.0, square - drop * drop / len(known)))
    for step in range(1, _LEVELS):
        yield low + (high - low) * step / _LEVELS


def _level(ranges: Sequence[tuple[float, float]], asked: float) -> float:
    """Return the gain that makes ``asked`` in all where each in its range is as close to it as it can be.

    The nearest where none does. The sum is a line between any two ends of ranges, rising by as many as are within.
    """
    steps = sorted([(low, 1) for low, _ in ranges] + [(high, -1) for _, high in ranges])
    level, sum_, within = steps[0][0], total([low for low, _ in ranges]), 0
    for end, change in steps:
        reached = sum_ + within * (end - level)
        if within and reached >= asked:
            return level + max(0.0, asked - sum_) / within
        level, sum_, within = end, reached, within + change
    return level
