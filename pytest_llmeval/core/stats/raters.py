"""Agreement among several raters, or of one rater asked several times: agreement rate, flip rate, effective votes.

Ratings are grouped by unit (a case): the labels of its raters, in any order, with None for a missing one. A unit with
fewer than two labels says nothing about agreement and is left out.
"""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations

from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.intervals import score_interval
from pytest_llmeval.core.stats.means import mean

__all__ = ["agreement_rate", "effective_votes", "flip_rate"]


def agreement_rate(units: Sequence[Sequence[Hashable]], *, clusters: Sequence[Hashable] | None = None) -> Rate | None:
    """Return how often two raters of the same unit agree, the best that a judge can reach.

    It is the share of equal pairs of labels in a unit, averaged over units, with the 95 % interval of
    ``score_interval``, which is Wilson's for two labels per unit.

    Args:
        units: The labels of each unit, in any order; None for a missing label.
        clusters: The cluster of each unit, in the order of ``units``; None if all units are independent.

    Returns:
        None without a unit of at least two labels.
    """
    shares, own = _differing(units, clusters)
    return _rate([1 - share for share in shares], own)


def flip_rate(units: Sequence[Sequence[Hashable]], *, clusters: Sequence[Hashable] | None = None) -> Rate | None:
    """Return how often two judgements of the same unit differ; the complement of ``agreement_rate``."""
    return _rate(*_differing(units, clusters))


def _differing(
    units: Sequence[Sequence[Hashable]], clusters: Sequence[Hashable] | None
) -> tuple[list[float], list[Hashable]]:
    """Return for each unit of at least two labels the share of its pairs of labels that differ, and its cluster."""
    there = ([label for label in unit if label is not None] for unit in units)
    names = range(len(units)) if clusters is None else clusters
    rated = [(unit, name) for unit, name in zip(there, names, strict=True) if len(unit) > 1]
    shares = [sum(a != b for a, b in combinations(unit, 2)) / math.comb(len(unit), 2) for unit, _ in rated]
    return shares, [name for _, name in rated]


def _rate(shares: Sequence[float], clusters: Sequence[Hashable]) -> Rate | None:
    value, n = mean(shares), len(shares)
    if value is None:
        return None
    own = clusters if len(set(clusters)) < n else None
    return Rate(value=value, n=n, interval=score_interval(shares, clusters=own))


def effective_votes(wrong: Sequence[Sequence[bool | None]]) -> float | None:
    """Return the number of independent judges that a panel of k judges is worth: k / (1 + (k − 1)·ρ), within [1, k].

    This is the number of votes over L. Kish's design effect of a cluster ("Survey Sampling", 1965), with ρ the mean
    correlation of two judges' errors, as in G. Kohli, "Nine Judges, Two Effective Votes", arXiv 2605.29800. A negative
    ρ counts as 0.

    Args:
        wrong: For each case, with the judges always in the same order, whether each judge differs from people; None if
            the judge gave no verdict.

    Returns:
        None if no two judges can be compared: each must be wrong on some but not all of the cases that both judged.

    Raises:
        ValueError: The cases differ in their number of judges.
    """
    if len({len(case) for case in wrong}) > 1:
        raise ValueError("every case needs an entry for each judge")
    by_judge = list(zip(*wrong, strict=True))
    found = [_correlation(one, other) for one, other in combinations(by_judge, 2)]
    shared = mean([each for each in found if each is not None])
    return len(by_judge) / (1 + (len(by_judge) - 1) * max(0.0, shared)) if shared is not None else None


def _correlation(one: Sequence[bool | None], other: Sequence[bool | None]) -> float | None:
    """Return the correlation (phi) of two judges' errors over the cases that both judged."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    n, left, right = len(both), sum(a for a, _ in both), sum(b for _, b in both)
    spread = left * (n - left) * right * (n - right)
    return (n * sum(a and b for a, b in both) - left * right) / math.sqrt(spread) if spread else None
