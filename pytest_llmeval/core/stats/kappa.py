"""Cohen's kappa: the agreement of two raters beyond chance, with its interval."""

import math
import operator
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.core.stats.agreement import Confusion
from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.intervals import Interval, wilson
from pytest_llmeval.core.stats.means import ROUNDING

__all__ = ["Kappa", "Weights", "cohen_kappa", "kappa_parts"]

Weights = Literal["linear", "quadratic"]
"""How a disagreement grows with the distance between two ordered levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Cohen's kappa: 1 for full agreement, 0 for the agreement expected by chance."""

    value: float
    """At most 1."""
    interval: Interval | None
    """95 % interval within [−1, 1]; None if the variance is 0 without full agreement."""
    observed: float
    """Observed agreement p_o, in [0, 1]; with weights, near misses count in part."""
    expected: float
    """Agreement p_e expected if each rater drew labels at random from that rater's own labels, in [0, 1)."""
    n: int
    """Number of cases, at least 1."""


def cohen_kappa(table: Confusion, *, weights: Weights | None = None, effect: float = 1.0) -> Kappa | None:
    """Return kappa, (p_o − p_e) / (1 − p_e), with its large-sample 95 % interval; weighted for ordered levels.

    J. Cohen, Educational and Psychological Measurement 20 (1960) 37–46, and Psychological Bulletin 70 (1968) 213–220.
    With k levels, a pair of levels i and j has the weight 1 − d/(k − 1), d = |i − j|, with linear weights and 1 −
    (d/(k − 1))² with quadratic ones. The variance is that of J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological
    Bulletin 72 (1969) 323–327: with w_i and w_j the mean weights of a row and a column,

        [Σ p_ij·(w_ij − (w_i + w_j)(1 − κ))² − (κ − p_e·(1 − κ))²] / (n·(1 − p_e)²).

    It is 0 if the raters agree on every case. Then the lower end is computed with Wilson's lower end of n in n for p_o
    and p_e as it is, and the upper end is 1.

    Args:
        table: At least two levels; for a weighted kappa they must be ordered and are taken to be equally spaced.
        weights: None to count every disagreement in full.
        effect: Design effect of clustered cases on ``kappa_parts``, at least 1.

    Returns:
        None without a case, or if chance explains all agreement (p_e = 1: both raters use a single level).
    """
    cells = _cells(table, weights)
    if not cells:
        return None
    n, count = table.n, table.n / effect
    observed = math.fsum(cell.weight * cell.share for cell in cells)
    expected = _expected(cells)
    if expected >= 1 - ROUNDING:
        return None
    if table.agreed == n:
        least = (wilson(1, count).low - expected) / (1 - expected)
        return Kappa(value=1.0, interval=Interval(low=max(-1.0, least), high=1.0), observed=1.0, expected=expected, n=n)
    value = (observed - expected) / (1 - expected)
    interval = _around(value, _variance(cells, value, expected) / count)
    return Kappa(value=value, interval=interval, observed=observed, expected=expected, n=n)


def kappa_parts(
    table: Confusion, truth: Sequence[Hashable], judged: Sequence[Hashable], *, weights: Weights | None
) -> list[float]:
    """Return the contribution of each case to kappa, up to a constant and a factor: w_ij − (w_i + w_j)(1 − κ).

    Up to that factor the variance of their mean is the variance of kappa, also with clustered cases.

    Args:
        table: The confusion table of these cases.
        truth: A label for each case, none missing.
        judged: The judge's label of each case, in the same order.
        weights: Weights of kappa.

    Returns:
        Zeros if kappa is None.
    """
    kappa, places = cohen_kappa(table, weights=weights), {level: at for at, level in enumerate(table.levels)}
    if kappa is None:
        return [0.0] * len(truth)
    cells, k = _cells(table, weights), len(table.levels)
    found = [cells[places[a] * k + places[b]] for a, b in zip(truth, judged, strict=True)]
    return [cell.weight - cell.by_chance * (1 - kappa.value) for cell in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A pair of levels: its share of the cases, its weight, and the sum of the mean weights of its row and column."""

    share: float
    weight: float
    by_chance: float


def _cells(table: Confusion, weights: Weights | None) -> list[_Cell]:
    """Return the cells of the table, row by row; empty without a case."""
    n, k = table.n, len(table.levels)
    if not n:
        return []
    weight = [[_weight(abs(i - j) / (k - 1), weights) for j in range(k)] for i in range(k)]
    rows = [sum(row) / n for row in table.counts]
    columns = [sum(column) / n for column in zip(*table.counts, strict=True)]
    by_row = [_dot(line, columns) for line in weight]
    by_column = [_dot(line, rows) for line in weight]  # the matrix of weights is symmetric
    return [
        _Cell(share=table.counts[i][j] / n, weight=weight[i][j], by_chance=by_row[i] + by_column[j])
        for i in range(k)
        for j in range(k)
    ]


def _expected(cells: Sequence[_Cell]) -> float:
    """Return the agreement expected by chance: half the mean of ``by_chance``, which adds up two mean weights."""
    return math.fsum(cell.share * cell.by_chance for cell in cells) / 2


def _weight(distance: float, weights: Weights | None) -> float:
    """Return the weight of two levels at a distance in [0, 1]."""
    if weights is None:
        return float(not distance)
    return 1 - (distance if weights == "linear" else distance**2)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(map(operator.mul, left, right))


def _variance(cells: Sequence[_Cell], kappa: float, expected: float) -> float:
    """Return n times the large-sample variance of kappa."""
    squares = math.fsum(cell.share * (cell.weight - cell.by_chance * (1 - kappa)) ** 2 for cell in cells)
    return (squares - (kappa - expected * (1 - kappa)) ** 2) / (1 - expected) ** 2


def _around(value: float, variance: float) -> Interval | None:
    if variance <= ROUNDING:
        return None
    half = normal_quantile(0.975) * math.sqrt(variance)
    return Interval(low=max(-1.0, value - half), high=min(1.0, value + half))
