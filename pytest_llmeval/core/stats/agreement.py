"""How often a judge says what people say: counts, and rates with their intervals.

One rater is taken for the truth (people), the other is measured (a judge). What cannot be estimated is None, never
0: a sensitivity without a single case that ought to pass is unknown.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.intervals import Interval, wilson

__all__ = [
    "BinaryRates",
    "Confusion",
    "Rate",
    "binary_rates",
    "confusion",
    "rate",
    "two_by_two",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of cases with its interval."""

    value: float
    """In [0, 1]."""
    n: int
    """Of how many cases, from 1."""
    interval: Interval | None
    """None where the cases say nothing of the spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each level of the truth met each level of the judge."""

    levels: tuple[Hashable, ...]
    """Two or more, from the lowest where they are ordered; of two the second is the one that passes."""
    counts: tuple[tuple[int, ...], ...]
    """A row for each level of the truth, in it a column for each level of the judge, both as in ``levels``."""
    missing: int = 0
    """Cases left out since one of the two labels is missing."""

    @property
    def n(self) -> int:
        """How many cases have both labels."""
        return sum(map(sum, self.counts))

    @property
    def agreed(self) -> int:
        """How many of them have the same label twice."""
        return sum(row[at] for at, row in enumerate(self.counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryRates:
    """What a judge of two levels gets right; each rate is None where there is no case to learn it from."""

    accuracy: Rate | None
    """Of all cases, those judged as people do."""
    sensitivity: Rate | None
    """Of the cases that people pass, those that the judge passes."""
    specificity: Rate | None
    """Of the cases that people fail, those that the judge fails."""
    prevalence: Rate | None
    """Of all cases, those that people pass."""


def confusion(
    truth: Sequence[Hashable], judged: Sequence[Hashable], *, levels: Sequence[Hashable] = (False, True)
) -> Confusion:
    """Return how often each level of the truth met each level of the judge.

    Args:
        truth: A label for each case; None where it is missing.
        judged: The judge's label of the same cases, in the same order; None where it is missing.
        levels: All that may appear, from the lowest where they are ordered.

    Raises:
        ValueError: For lists of different lengths, fewer than two levels or one twice, and a label of another level.
    """
    if len(truth) != len(judged):
        raise ValueError(f"as many labels as verdicts are needed, not {len(truth)} and {len(judged)}")
    places = {level: at for at, level in enumerate(levels)}
    if len(places) < 2 or len(places) < len(levels):
        raise ValueError(f"levels must be two or more different ones, not {tuple(levels)!r}")
    counts, missing = [[0] * len(places) for _ in places], 0
    for true, verdict in zip(truth, judged, strict=True):
        if true is None or verdict is None:
            missing += 1
        else:
            counts[_place(true, places)][_place(verdict, places)] += 1
    return Confusion(levels=tuple(levels), counts=tuple(map(tuple, counts)), missing=missing)


def _place(label: Hashable, places: Mapping[Hashable, int]) -> int:
    if label not in places:
        raise ValueError(f"{label!r} is none of the levels {tuple(places)!r}")
    return places[label]


def rate(hits: Sequence[bool], *, clusters: Sequence[Hashable] | None = None) -> Rate | None:
    """Return the share of hits with Wilson's 95 % interval, over n or, with clusters, over what n cases count as.

    Args:
        hits: Of each case, whether it is one.
        clusters: The cluster of each case, in the order of ``hits``; without them each stands alone.

    Returns:
        None without a case.
    """
    n = len(hits)
    if not n:
        return None
    share = sum(hits) / n
    effect = 1.0 if clusters is None else design_effect(hits, clusters)
    return Rate(value=share, n=n, interval=wilson(share, n / effect))


def binary_rates(
    truth: Sequence[bool], judged: Sequence[bool], *, clusters: Sequence[Hashable] | None = None
) -> BinaryRates:
    """Return accuracy, sensitivity, specificity and prevalence, each as ``rate`` tells it.

    Args:
        truth: Of each case, whether people pass it.
        judged: Whether the judge passes it, in the same order.
        clusters: The cluster of each case, in the same order; without them each stands alone.

    Raises:
        ValueError: For lists of different lengths.
    """
    names = range(len(truth)) if clusters is None else clusters
    cases = list(zip(truth, judged, names, strict=True))

    def share(hits: Sequence[tuple[bool, Hashable]]) -> Rate | None:
        own = None if clusters is None else [name for _, name in hits]
        return rate([hit for hit, _ in hits], clusters=own)

    return BinaryRates(
        accuracy=share([(true == said, name) for true, said, name in cases]),
        sensitivity=share([(said, name) for true, said, name in cases if true]),
        specificity=share([(not said, name) for true, said, name in cases if not true]),
        prevalence=share([(true, name) for true, _, name in cases]),
    )


def two_by_two(table: Confusion) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the counts of a table of two levels: ((fail, fail), (fail, pass)) as truth and judge say, then of passes.

    Raises:
        ValueError: For a table of more than two levels.
    """
    if len(table.levels) != 2:
        raise ValueError(f"a table of two levels is needed, not of {len(table.levels)}")
    (true_fail, false_pass), (false_fail, true_pass) = table.counts
    return (true_fail, false_pass), (false_fail, true_pass)
