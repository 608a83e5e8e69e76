"""Which answers people label, and how what they say may be read: a draw goes with each label."""

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
"""The draw that gives each answer the same chance."""
MIXED = "mixed"
"""Draws by the verdicts of several scores, which no estimator takes together."""
_OF_VERDICT = "verdict of "


def of_verdict(name: str) -> str:
    """Return what the draw is called that takes as many passes as failures of the score ``name``."""
    return f"{_OF_VERDICT}{name}"


def verdict_of(draw: str) -> str | None:
    """Return the score that a draw looked at; None for a random one.

    Raises:
        ValueError: it is neither.
    """
    if draw == RANDOM:
        return None
    name = draw.removeprefix(_OF_VERDICT)
    if name == draw or not name:
        raise ValueError(f"a draw is {RANDOM!r} or {_OF_VERDICT + 'SCORE'!r}")
    return name


def kept_draw(before: str | None, now: str | None) -> str | None:
    """Return how an answer was drawn that is labelled again: by chance where it once was, else as before.

    Also where that is not known (None): what counts does so still where labels are added.
    """
    return RANDOM if RANDOM in (before, now) else before


def pooled(draws: Iterable[str]) -> str:
    """Return how answers were drawn that come of several draws; without any they are taken for random ones.

    Random ones may be added to those drawn by a verdict: within a verdict each answer keeps the same chance.
    """
    by_verdict = set(draws) - {RANDOM}
    return by_verdict.pop() if len(by_verdict) == 1 else MIXED if by_verdict else RANDOM


def first_epochs(judged: Iterable[tuple[Hashable, int, T]]) -> list[T]:
    """Return what people may label: of each row the first epoch that was judged, as another says little.

    Args:
        judged: row, epoch and what stands for them, of each epoch that was judged.
    """
    first: dict[Hashable, tuple[int, T]] = {}
    for row, epoch, item in judged:
        if row not in first or epoch < first[row][0]:
            first[row] = (epoch, item)
    return [item for _, item in first.values()]


def drawn(strata: Sequence[Hashable], count: int, *, seed: int) -> list[int]:
    """Return the places of ``count`` of the answers, or of all where there are fewer, in an order that tells nothing.

    A systematic sample of the answers ordered by stratum: each has the same chance, and every stratum the share of the
    sample that it has of all, but for one answer at most. So the labels may be taken for a random draw.

    Args:
        strata: what each answer's verdict was, say.
        count: from 1.
        seed: the same gives the same places.
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
    """Return the places of ``count`` of the answers, as many of each stratum, in an order that tells nothing.

    Within a stratum each answer has the same chance. One with fewer answers than its part gives all of them, and the
    others share the rest.

    Args:
        strata: what each answer's verdict was, say.
        count: from 1.
        seed: the same gives the same places.
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
