"""How far two raters agree: counts, rates with their intervals, and Cohen's kappa.

One rater is taken for the truth (people), the other is measured (a judge). What cannot be estimated is None, never
0: a sensitivity without a single case that ought to pass is unknown.
"""

import math
import operator
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.intervals import Interval, wilson
from pytest_llmeval.core.stats.means import ROUNDING

__all__ = [
    "BinaryRates",
    "Confusion",
    "Kappa",
    "Rate",
    "Weights",
    "binary_rates",
    "cohen_kappa",
    "confusion",
    "rate",
    "two_by_two",
]

Weights = Literal["linear", "quadratic"]
"""How a disagreement grows with the distance between two ordered levels."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Cohen's kappa: 1 for full agreement, 0 for as much as chance gives."""

    value: float
    """At most 1."""
    interval: Interval | None
    """Within [−1, 1]; None where the variance is 0 short of full agreement."""
    observed: float
    """The agreement that was seen, p_o, in [0, 1]; a weighted one counts near misses in part."""
    expected: float
    """The agreement of two raters who draw labels at random, each from their own ones, p_e, in [0, 1)."""
    n: int
    """Over how many cases, from 1."""


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


def rate(hits: int, n: int, *, confidence: float = 0.95) -> Rate | None:
    """Return ``hits`` of ``n`` with Wilson's interval; None for ``n`` of 0."""
    return Rate(value=hits / n, n=n, interval=wilson(hits / n, n, confidence=confidence)) if n else None


def binary_rates(table: Confusion, *, confidence: float = 0.95) -> BinaryRates:
    """Return accuracy, sensitivity, specificity and prevalence, each with Wilson's interval.

    Raises:
        ValueError: For a table of more than two levels.
    """
    (true_fail, false_pass), (false_fail, true_pass) = two_by_two(table)
    fails, passes = true_fail + false_pass, false_fail + true_pass
    return BinaryRates(
        accuracy=rate(table.agreed, table.n, confidence=confidence),
        sensitivity=rate(true_pass, passes, confidence=confidence),
        specificity=rate(true_fail, fails, confidence=confidence),
        prevalence=rate(passes, table.n, confidence=confidence),
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


def cohen_kappa(table: Confusion, *, weights: Weights | None = None, confidence: float = 0.95) -> Kappa | None:
    """Return kappa, (p_o − p_e) / (1 − p_e), with its large-sample interval; weighted where levels are ordered.

    J. Cohen, Educational and Psychological Measurement 20 (1960) 37–46, and Psychological Bulletin 70 (1968) 213–220.
    An agreement by i and j counts 1 − d/(k − 1) of k levels, d = |i − j|, with linear weights and 1 − (d/(k − 1))²
    with quadratic ones. The variance is the one of J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological Bulletin 72
    (1969) 323–327: with w_i and w_j the mean weights of a row and a column,

        [Σ p_ij·(w_ij − (w_i + w_j)(1 − κ))² − (κ − p_e·(1 − κ))²] / (n·(1 − p_e)²).

    It is 0 where the two agree on every case. Then the lower end takes Wilson's lower end of n in n for p_o, with p_e
    as it is, and the upper one is 1.

    Args:
        table: At least two levels; ordered ones for a weighted kappa, the steps between them taken for equal.
        weights: None counts every disagreement in full.
        confidence: In (0, 1).

    Returns:
        None without a case, and where chance explains all (p_e = 1: both use one level only).
    """
    n, k = table.n, len(table.levels)
    if not n:
        return None
    weight = [[_weight(abs(i - j) / (k - 1), weights) for j in range(k)] for i in range(k)]
    rows = [sum(row) / n for row in table.counts]
    columns = [sum(column) / n for column in zip(*table.counts, strict=True)]
    by_row = [_dot(line, columns) for line in weight]
    by_column = [_dot(line, rows) for line in weight]  # the weights are the same both ways
    cells = [
        _Cell(share=table.counts[i][j] / n, weight=weight[i][j], by_chance=by_row[i] + by_column[j])
        for i in range(k)
        for j in range(k)
    ]
    observed, expected = math.fsum(cell.weight * cell.share for cell in cells), _dot(by_row, rows)
    if expected >= 1 - ROUNDING:
        return None
    if table.agreed == n:
        least = (wilson(1, n, confidence=confidence).low - expected) / (1 - expected)
        return Kappa(value=1.0, interval=Interval(low=max(-1.0, least), high=1.0), observed=1.0, expected=expected, n=n)
    value = (observed - expected) / (1 - expected)
    interval = _around(value, _variance(cells, value, expected) / n, confidence)
    return Kappa(value=value, interval=interval, observed=observed, expected=expected, n=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A pair of levels: its share of the cases, what it counts, and the mean weights of its row and column, added."""

    share: float
    weight: float
    by_chance: float


def _weight(distance: float, weights: Weights | None) -> float:
    """Return what an agreement counts at a distance in [0, 1]."""
    if weights is None:
        return float(not distance)
    return 1 - (distance if weights == "linear" else distance**2)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(map(operator.mul, left, right))


def _variance(cells: Sequence[_Cell], kappa: float, expected: float) -> float:
    """Return n times the large-sample variance of kappa."""
    squares = math.fsum(cell.share * (cell.weight - cell.by_chance * (1 - kappa)) ** 2 for cell in cells)
    return (squares - (kappa - expected * (1 - kappa)) ** 2) / (1 - expected) ** 2


def _around(value: float, variance: float, confidence: float) -> Interval | None:
    if variance <= ROUNDING:
        return None
    half = normal_quantile((1 + confidence) / 2) * math.sqrt(variance)
    return Interval(low=max(-1.0, value - half), high=min(1.0, value + half))
