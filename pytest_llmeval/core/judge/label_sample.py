"""Which answers people label: each with the same chance, so that what they say holds for the whole run."""

import random
from collections.abc import Hashable, Sequence

__all__ = ["drawn"]


def drawn(strata: Sequence[Hashable], count: int, *, seed: int) -> list[int]:
    """Return the places of ``count`` of the answers, or of all where there are fewer, in an order that tells nothing.

    A systematic sample of the answers ordered by stratum: each has the same chance, and every stratum the share of the
    sample that it has of all, but for one answer at most. So the labels may be taken for a random draw.

    Args:
        strata: what each answer's verdict was, say; all equal for a draw at random.
        count: from 1.
        seed: the same gives the same places.
    """
    chance = random.Random(seed)  # noqa: S311  # a sample, no secret
    places = list(range(len(strata)))
    chance.shuffle(places)
    places.sort(key=lambda place: repr(strata[place]))
    step = max(1.0, len(places) / count)
    start = chance.random() * step if step > 1 else 0.0
    chosen = [places[min(int(start + at * step), len(places) - 1)] for at in range(min(count, len(places)))]
    chance.shuffle(chosen)
    return chosen
