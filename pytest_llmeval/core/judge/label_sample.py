"""Sampling of answers for people to label; each label records how its answer was drawn, as estimates depend on it."""

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

__all__ = [
    "MIXED",
    "RANDOM",
    "drawn",
    "drawn_evenly",
    "first_epochs",
    "kept_draw",
    "of_verdict",
    "pooled",
    "verdict_of",
]

T = TypeVar("T")
RANDOM = "random"
"""Name of the draw that gives each answer the same probability."""
MIXED = "mixed"
"""Name for draws by the verdicts of several scores, whose labels no estimator can pool."""
_OF_VERDICT = "verdict of "


def of_verdict(name: str) -> str:
    """Return the name of the draw that takes as many passes as failures of the score ``name``."""
    return f"{_OF_VERDICT}{name}"


def verdict_of(draw: str) -> str | None:
    """Return the score by whose verdict a draw was made; None for a random draw.

    Raises:
        ValueError: ``draw`` is neither.
    """
    if draw == RANDOM:
        return None
    name = draw.removeprefix(_OF_VERDICT)
    if name == draw or not name:
        raise ValueError(f"a draw is {RANDOM!r} or {_OF_VERDICT + 'SCORE'!r}")
    return name


def kept_draw(before: str | None, now: str | None) -> str | None:
    """Return the draw of an answer that is labelled again: random if either draw was, else the earlier one.

    An unknown earlier draw (None) is kept too, so that a label that counted still counts when labels are added.
    """
    return RANDOM if RANDOM in (before, now) else before


def pooled(draws: Iterable[str]) -> str:
    """Return the draw of answers from several draws together; without any draw they are taken to be random.

    Random answers may be added to those drawn by a verdict, since within a verdict each answer still has the same
    probability.
    """
    by_verdict = set(draws) - {RANDOM}
    return by_verdict.pop() if len(by_verdict) == 1 else MIXED if by_verdict else RANDOM


def first_epochs(judged: Iterable[tuple[Hashable, int, T]]) -> list[T]:
    """Return the items that people may label: each row's first judged epoch, since further epochs add little.

    Args:
        judged: row, epoch and item of each epoch that was judged.
    """
    first: dict[Hashable, tuple[int, T]] = {}
    for row, epoch, item in judged:
        if row not in first or epoch < first[row][0]:
            first[row] = (epoch, item)
    return [item for _, item in first.values()]


def drawn(strata: Sequence[Hashable], count: int, *, seed: int) -> list[int]:
    """Return the indices of ``count`` answers, or of all if there are fewer, in random order.

    It is a systematic sample of the answers sorted by stratum: each answer has the same probability, and every stratum
    has the same share of the sample as of all answers, within one answer. So the labels count as a random draw.

    Args:
        strata: stratum of each answer, for example its verdict.
        count: number of answers, at least 1.
        seed: seed of the draw; equal seeds give equal samples.
    """
    chance = _chance(seed)
    places = list(range(len(strata)))
    chance.shuffle(places)
    places.sort(key=lambda place: repr(strata[place]))
    step = max(1.0, len(places) / count)
    start = chance.random() * step if step > 1 else 0.0
    chosen = [places[min(int(start + at * step), len(places) - 1)] for at in range(min(count, len(places)))]
    chance.shuffle(chosen)
    return chosen


def drawn_evenly(strata: Sequence[Hashable], count: int, *, seed: int) -> list[int]:
    """Return the indices of ``count`` answers, the same number from each stratum, in random order.

    Within a stratum each answer has the same probability. A stratum with too few answers contributes all of them, and
    the others share the rest.

    Args:
        strata: stratum of each answer, for example its verdict.
        count: number of answers, at least 1.
        seed: seed of the draw; equal seeds give equal samples.
    """
    chance, queues = _chance(seed), defaultdict(list)
    places = list(range(len(strata)))
    chance.shuffle(places)
    for place in places:
        queues[strata[place]].append(place)
    order = sorted(queues, key=repr)
    chosen: list[int] = []
    while len(chosen) < min(count, len(places)):
        for stratum in order:
            if queues[stratum] and len(chosen) < count:
                chosen.append(queues[stratum].pop())
    chance.shuffle(chosen)
    return chosen


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # a sample, no secret
