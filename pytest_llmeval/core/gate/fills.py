"""What to try for missing values between the best and the worst of them.

Student's t is no straight matter of them: the worst of all values is so far off that it widens the error, and says less
against a rule than one that is hardly worse than the others. t is greatest where the missing ones are like each other,
and one level of them does for each mean: just beyond what a rule lets pass, or at the mean square of the others over
their mean, where (S + mg)² / (Q + mg²) is greatest. It is least where some are at their worst and others at their best.
"""

import math
from collections.abc import Iterator, Sequence

from pytest_llmeval.core.stats.intervals import total

__all__ = ["between"]

_LEVELS = 5
_HALVINGS = 50


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
    count = 1
    while count < len(missing):
        lost = set(missing[:count])
        yield [worst[place] if place in lost else gain for place, gain in enumerate(best)]
        count *= 2


def _levels(best: Sequence[float], worst: Sequence[float], missing: Sequence[int], beyond: float) -> Iterator[float]:
    """Yield the gains that all of the missing are given, as far as each can be."""
    low, high = min(worst[place] for place in missing), max(best[place] for place in missing)
    open_ = set(missing)
    known = [gain for place, gain in enumerate(best) if place not in open_]
    least, most = low, high
    asked = beyond * len(best) - total(known)
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        is_beyond = total([min(max(middle, worst[place]), best[place]) for place in missing]) <= asked
        least, most = (middle, most) if is_beyond else (least, middle)
    yield least
    drop, square = total(known), total([gain * gain for gain in known])
    if drop < 0:
        yield square / drop
        yield drop / len(known)
    if known:  # one value that is better than the others by so much widens the error least for what it lifts the mean
        yield drop / len(known) + math.sqrt(max(0.0, square - drop * drop / len(known)))
    for step in range(1, _LEVELS):
        yield low + (high - low) * step / _LEVELS
