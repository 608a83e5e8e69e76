"""How far several raters, or one asked several times, agree: Krippendorff's alpha, flip rate, votes of a panel.

Ratings come by unit (a case): the labels that its raters gave, in any order, None where one is missing. A unit of
fewer than two labels says nothing of agreement and is left out.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.distributions import student_quantile
from pytest_llmeval.core.stats.intervals import Interval, score_interval, standard_error
from pytest_llmeval.core.stats.means import ROUNDING, mean, total

__all__ = ["Alpha", "Scale", "agreement_rate", "effective_votes", "flip_rate", "krippendorff_alpha"]

Scale = Literal["nominal", "ordinal", "interval"]
"""How far two labels are apart: 1 where they differ, the square of their ranks' difference, or of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """Krippendorff's alpha: 1 for full agreement, 0 for as much as chance gives."""

    value: float
    """At most 1."""
    interval: Interval | None
    """Within [−1, 1], by the jackknife over units; None where all agree, and for too few units."""
    n: int
    """Over how many units of two or more labels, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """The labels of a unit, or of all, as sums from which the disagreement of all their pairs follows.

    A nominal label stands for a vector with a 1 at its own place, any other for one number. The squared distances of
    all ordered pairs add up to 2·(size·squares − Σ sums²).
    """

    size: int
    squares: float
    """The sum of the squares of all numbers."""
    sums: Mapping[Hashable, float]
    """The sum at each place of the vector."""


def krippendorff_alpha(
    units: Sequence[Sequence[Hashable]], *, scale: Scale = "nominal", confidence: float = 0.95
) -> Alpha | None:
    """Return Krippendorff's alpha, 1 − D_o/D_e, of labels of any number of raters, some of them missing.

    K. Krippendorff, "Content Analysis" (3rd ed., 2013), chapter 12: with n labels in units of m_u each and δ² the
    squared distance of two labels, D_o = (1/n) Σ_u Σ δ²/(m_u − 1) over the ordered pairs of a unit and
    D_e = Σ δ²/(n(n − 1)) over all ordered pairs.

    The interval is the delete-one-unit jackknife's with Student's quantile, which covers better than a bootstrap where
    units are few: J. Hughes, arXiv 2210.13265. On the ordinal scale it keeps the ranks of the whole.

    Args:
        units: The labels of each unit, in any order; None where one is missing.
        scale: ``ordinal`` and ``interval`` take numbers.
        confidence: In (0, 1).

    Returns:
        None without a unit of two labels, and where all labels are equal: nothing says what chance would give.

    Raises:
        ValueError: For a label that is no finite number, on another scale than ``nominal``.
    """
    rated = _rated(units)
    summed = [_nominal(unit) for unit in rated] if scale == "nominal" else _numeric(rated, scale)
    whole = _together(summed)
    within = [_disagreement(unit) / (unit.size - 1) for unit in summed]
    value = _alpha(whole, math.fsum(within))
    if value is None:
        return None
    return Alpha(value=value, interval=_jackknife(summed, whole, within, value, confidence), n=len(summed))


def _rated(units: Sequence[Sequence[Hashable]]) -> list[list[Hashable]]:
    """Return the labels that are there, of the units that have two or more."""
    there = ([label for label in unit if label is not None] for unit in units)
    return [unit for unit in there if len(unit) > 1]


def _nominal(labels: Sequence[Hashable]) -> _Sums:
    return _Sums(size=len(labels), squares=len(labels), sums=Counter(labels))


def _numeric(units: Sequence[Sequence[Hashable]], scale: Scale) -> list[_Sums]:
    """Return units of one number a label, moved so that the mean of all is 0: then their squares keep their digits."""
    numbers = [[_number(label) for label in unit] for unit in units]
    if scale == "ordinal":
        ranks = _ranks([number for unit in numbers for number in unit])
        numbers = [[ranks[number] for number in unit] for unit in numbers]
    centre = mean([number for unit in numbers for number in unit]) or 0.0
    moved = [[number - centre for number in unit] for unit in numbers]
    return [_Sums(size=len(unit), squares=total([x * x for x in unit]), sums={None: total(unit)}) for unit in moved]


def _number(label: Hashable) -> float:
    if not isinstance(label, int | float) or not math.isfinite(label):
        raise ValueError(f"a label on this scale is a finite number, not {label!r}")
    return float(label)


def _ranks(numbers: Sequence[float]) -> dict[float, float]:
    """Return the mean rank of each number: two differ by the labels between them and half of their own."""
    ranks, below = {}, 0
    for number, times in sorted(Counter(numbers).items()):
        ranks[number] = below + (times + 1) / 2
        below += times
    return ranks


def _together(units: Sequence[_Sums]) -> _Sums:
    sums: dict[Hashable, float] = {}
    for unit in units:
        for place, value in unit.sums.items():
            sums[place] = sums.get(place, 0.0) + value
    return _Sums(size=sum(unit.size for unit in units), squares=total([unit.squares for unit in units]), sums=sums)


def _disagreement(labels: _Sums) -> float:
    """Return half the squared distances of all ordered pairs; 0 where no more than rounding is left."""
    most = labels.size * labels.squares
    apart = most - math.fsum(value * value for value in labels.sums.values())
    return apart if apart > ROUNDING * most else 0.0


def _alpha(whole: _Sums, within: float) -> float | None:
    """Return alpha for the disagreement in units, each over its size less one."""
    expected = _disagreement(whole)
    return 1 - (whole.size - 1) * within / expected if expected else None


def _jackknife(
    units: Sequence[_Sums], whole: _Sums, within: Sequence[float], value: float, confidence: float
) -> Interval | None:
    """Return alpha ± t·SE, SE from what alpha becomes without each unit."""
    n, all_within = len(units), math.fsum(within)
    pseudo = []
    for unit, own in zip(units, within, strict=True):
        left = _alpha(_without(whole, unit), all_within - own)
        if left is None:
            return None
        pseudo.append(n * value - (n - 1) * left)
    error = standard_error(pseudo)
    if error is None or error <= ROUNDING:
        return None
    half = student_quantile((1 + confidence) / 2, n - 1) * error
    return Interval(low=max(-1.0, value - half), high=min(1.0, value + half))


def _without(whole: _Sums, unit: _Sums) -> _Sums:
    sums = {**whole.sums, **{place: whole.sums[place] - value for place, value in unit.sums.items()}}
    return _Sums(size=whole.size - unit.size, squares=whole.squares - unit.squares, sums=sums)


def agreement_rate(units: Sequence[Sequence[Hashable]], *, confidence: float = 0.95) -> Rate | None:
    """Return how often two raters of the same unit agree: what a judge can reach at best.

    The mean over units of the share of their pairs of labels that are equal, with the interval of ``score_interval``:
    Wilson's for two labels a unit.

    Args:
        units: The labels of each unit, in any order; None where one is missing.
        confidence: In (0, 1).

    Returns:
        None without a unit of two labels.
    """
    shares = [1 - share for share in _differing(units)]
    return _rate(shares, confidence)


def flip_rate(units: Sequence[Sequence[Hashable]], *, confidence: float = 0.95) -> Rate | None:
    """Return how often two judgements of the same unit differ; the complement of ``agreement_rate``."""
    return _rate(_differing(units), confidence)


def _differing(units: Sequence[Sequence[Hashable]]) -> list[float]:
    """Return for each unit the share of its pairs of labels that differ."""
    rated = _rated(units)
    return [sum(a != b for a, b in combinations(unit, 2)) / math.comb(len(unit), 2) for unit in rated]


def _rate(shares: Sequence[float], confidence: float) -> Rate | None:
    value = mean(shares)
    if value is None:
        return None
    return Rate(value=value, n=len(shares), interval=score_interval(shares, confidence=confidence))


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
