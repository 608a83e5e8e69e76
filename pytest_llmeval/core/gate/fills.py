"""Values to try for missing ones, between the best and the worst possible.

Student's t is not monotonic in them: the worst values lie so far off that they widen the error, and are weaker evidence
against a rule than values slightly worse than the known ones. t is greatest if all missing values are alike, at one of
these levels: just beyond what the rule allows, or at the mean square of the known values over their mean, where
(S + mg)² / (Q + mg²) is greatest. t is least if some missing values are at their worst and the others at their best.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations

from pytest_llmeval.core.stats.means import total

__all__ = ["at_worst", "between"]

_LEVELS = 5
_MIXTURES = 8
_FEW = 6
"""Number of missing values up to which all combinations of worst and best are tried: it may matter which are worst."""


def between(best: Sequence[float], worst: Sequence[float], beyond: float | None) -> Iterator[list[float]]:
    """Yield lists of gains to try, each element between ``worst`` and ``best``.

    Args:
        best: gains with the best value for each missing one.
        worst: gains with the worst value for each missing one, none above its ``best``.
        beyond: mean gain that the rule just does not allow; None if no value between the two is possible.
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
    """Yield sets of missing values to try at their worst: at least one of them and never all.

    For few missing values, all such sets. For more, the first 1, 2, 4 and so on in a geometric sequence of at most
    eight steps; if they lie in groups, also the first groups and then the last ones, for at most eight cuts between
    two groups.

    Args:
        missing: in the order in which to try them.
        groups: the group of each, members of a group side by side; empty if all are independent.
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
    """Yield levels of gain to try for all missing values; each value takes the nearest that its range allows."""
    low, high = min(worst[place] for place in missing), max(best[place] for place in missing)
    open_ = set(missing)
    known = [gain for place, gain in enumerate(best) if place not in open_]
    yield _level([(worst[place], best[place]) for place in missing], beyond * len(best) - total(known))
    drop, square = total(known), total([gain * gain for gain in known])
    if drop < 0:
        yield square / drop
        yield drop / len(known)
    if known:  # a value that far above the known ones widens the error least for the rise of the mean
        yield drop / len(known) + math.sqrt(max(0.0, square - drop * drop / len(known)))
    for step in range(1, _LEVELS):
        yield low + (high - low) * step / _LEVELS


def _level(ranges: Sequence[tuple[float, float]], asked: float) -> float:
    """Return the level at which the gains, each clipped to its range, sum to ``asked``; the nearest level if none does.

    Between two neighbouring ends of ranges the sum is linear, with the number of ranges around the level as its slope.
    """
    steps = sorted([(low, 1) for low, _ in ranges] + [(high, -1) for _, high in ranges])
    level, sum_, within = steps[0][0], total([low for low, _ in ranges]), 0
    for end, change in steps:
        reached = sum_ + within * (end - level)
        if within and reached >= asked:
            return level + max(0.0, asked - sum_) / within
        level, sum_, within = end, reached, within + change
    return level
