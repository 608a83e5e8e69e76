"""Agreement of a judge with people: confusion tables, and rates with their intervals.

One rater (people) is taken to be right, the other (the judge) is measured. What cannot be estimated is None, never 0:
without a single case that should pass, the sensitivity is unknown.
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
    """Number of cases, at least 1."""
    interval: Interval | None
    """95 % interval; None if the cases do not show any spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """A confusion table: counts of cases by the true level and the judge's level."""

    levels: tuple[Hashable, ...]
    """Two or more levels, from the lowest if they are ordered; of two levels, the second is the one that passes."""
    counts: tuple[tuple[int, ...], ...]
    """One row for each true level, with one column for each of the judge's levels; both in the order of ``levels``."""
    missing: int = 0
    """Number of cases left out because one of their two labels is missing."""

    @property
    def n(self) -> int:
        """Number of cases with both labels."""
        return sum(map(sum, self.counts))

    @property
    def agreed(self) -> int:
        """Number of cases whose two labels are equal."""
        return sum(row[at] for at, row in enumerate(self.counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryRates:
    """Rates of a judge with two levels; each is None if there is no case to estimate it from."""

    accuracy: Rate | None
    """Share of all cases in which the judge agrees with people."""
    sensitivity: Rate | None
    """Share of the cases passed by people that the judge passes too."""
    specificity: Rate | None
    """Share of the cases failed by people that the judge fails too."""
    prevalence: Rate | None
    """Share of all cases that people pass."""


def confusion(
    truth: Sequence[Hashable], judged: Sequence[Hashable], *, levels: Sequence[Hashable] = (False, True)
) -> Confusion:
    """Return the confusion table of true labels and a judge's labels.

    Args:
        truth: The true label of each case; None if it is missing.
        judged: The judge's label of each case, in the same order; None if it is missing.
        levels: All possible labels, from the lowest if they are ordered.

    Raises:
        ValueError: The lists differ in length, there are fewer than two levels or duplicate ones, or a label is not
            one of the levels.
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
    """Return the share of hits with Wilson's 95 % interval, over n or, with clusters, over n / design effect.

    Args:
        hits: For each case, whether it is a hit.
        clusters: The cluster of each case, in the order of ``hits``; None if all cases are independent.

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
    """Return accuracy, sensitivity, specificity and prevalence, each computed by ``rate``.

    Args:
        truth: For each case, whether people pass it.
        judged: For each case, in the same order, whether the judge passes it.
        clusters: The cluster of each case, in the same order; None if all cases are independent.

    Raises:
        ValueError: The lists differ in length.
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
    """Return the counts of a two-level table: the row of cases that truly fail, then the row of those that truly pass.

    Each row has the number that the judge fails, then the number that the judge passes.

    Raises:
        ValueError: The table has more than two levels.
    """
    if len(table.levels) != 2:
        raise ValueError(f"a table of two levels is needed, not of {len(table.levels)}")
    (true_fail, false_pass), (false_fail, true_pass) = table.counts
    return (true_fail, false_pass), (false_fail, true_pass)
