"""How far several raters, or one asked several times, agree: agreement and flip rate, votes of a panel.

Ratings come by unit (a case): the labels that its raters gave, in any order, None where one is missing. A unit of
fewer than two labels says nothing of agreement and is left out.
"""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations

from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.intervals import score_interval
from pytest_llmeval.core.stats.means import mean

__all__ = ["agreement_rate", "effective_votes", "flip_rate"]


def agreement_rate(units: Sequence[Sequence[Hashable]], *, clusters: Sequence[Hashable] | None = None) -> Rate | None:
    """Return how often two raters of the same unit agree: what a judge can reach at best.

    The mean over units of the share of their pairs of labels that are equal, with the 95 % interval of
    ``score_interval``: Wilson's for two labels a unit.

    Args:
        units: The labels of each unit, in any order; None where one is missing.
        clusters: The cluster of each unit, in the order of ``units``; without them each stands alone.

    Returns:
        None without a unit of two labels.
    """
    shares, own = _differing(units, clusters)
    return _rate([1 - share for share in shares], own)


def flip_rate(units: Sequence[Sequence[Hashable]], *, clusters: Sequence[Hashable] | None = None) -> Rate | None:
    """Return how often two judgements of the same unit differ; the complement of ``agreement_rate``."""
    return _rate(*_differing(units, clusters))


def _differing(
    units: Sequence[Sequence[Hashable]], clusters: Sequence[Hashable] | None
) -> tuple[list[float], list[Hashable]]:
    """Return for each unit of two labels the share of its pairs of them that differ, and its cluster."""
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
    """Return as how many independent judges a panel counts: k / (1 + (k − 1)·ρ), within [1, k].

    The votes over L. Kish's design effect of a cluster ("Survey Sampling", 1965), with ρ the mean correlation of two
    judges' errors, as in G. Kohli, "Nine Judges, Two Effective Votes", arXiv 2605.29800. A negative ρ counts as 0.

    Args:
        wrong: For each case, judge by judge in the same order, whether the judge differs from people; None where the
            judge gave no verdict.

    Returns:
        None where no two judges can be compared: each must err on some of the cases that both judged and not on all.

    Raises:
        ValueError: For cases of different numbers of judges.
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
