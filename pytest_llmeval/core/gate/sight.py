"""Power of a rule on a change, given the spread of the rows: rows or epochs needed, and the smallest detectable change.

A loss of a score in [0, 1] is assumed to spoil some rows completely and to leave the others unchanged, as a change of a
prompt or a model does: a row's value becomes the worst one with probability r = loss / (mean − worst), in all epochs.
The difference of two runs then has the mean square

    (1 − r)·2·within/K + r·E[value²],  values counted from the worst one, K epochs in each run.

For yes-or-no rows with one epoch this is the share of rows that flip. The second term does not shrink with more epochs.
For other numbers no such assumption is possible; their loss is assumed to be the same in all rows, so that only the
variance 2·within/K remains.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pytest_llmeval.core.gate.evidence import FEW_GROUPS, FEW_ROWS
from pytest_llmeval.core.gate.power import least_groups
from pytest_llmeval.core.gate.spread import Spread
from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.paired import least_flips
from pytest_llmeval.core.stats.power import MOST_FLIPS, errors_of_signs, margin_power, mcnemar_power

__all__ = ["MOST_EPOCHS", "Sight", "margin_needed", "rows_for_margin"]

MOST_EPOCHS = 100
"""Largest number of epochs that a plan proposes."""
_MOST_ROWS = 1e12
_LARGEST = 1e200
_FINE = 1e-9
"""Relative tolerance of the smallest loss or margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The power of one rule on a change. A loss is seen if the rule fails with probability ``power``."""

    spread: Spread
    alpha: float
    """P-value below which the rule fails, in (0, 0.5]."""
    power: float = 0.8
    """Share of runs in which the rule must detect a change that is there, in (0, 1)."""
    allowed: float = 0.0
    """Change that the rule allows, at least 0."""
    falls: bool = True
    """Whether a lower value is worse."""

    @property
    def room(self) -> float:
        """Largest possible loss of the mean; infinite if the metric is not limited to [0, 1]."""
        if not self.spread.is_unit:
            return math.inf
        return self.spread.mean if self.falls else 1 - self.spread.mean

    def rows(self, loss: float, *, epochs: float = 1.0) -> int | None:
        """Return the number of rows needed to see a true ``loss``; None if no number is enough, or it is unknown.

        The observed drop must be significant and larger than what the rule allows. For yes-or-no rows with one epoch:
        the exact power of McNemar's test if few rows flip, else (z_(1−α)·sqrt(ψ) + z_power·sqrt(ψ − δ²))² / δ² with a
        share ψ of rows flipping, R. J. Connor, Biometrics 43 (1987) 207-211. For others: ((z_(1−α) + z_power)·sd/δ)² +
        z²_(1−α)/2 for Student's t, W. C. Guenther, The American Statistician 35 (1981) 243-244, times the design effect
        of groups. Never fewer than the test needs to fail at all.

        Args:
            loss: above 0, in the metric's unit.
            epochs: epochs of each row, in both runs.
        """
        needed = self._rows(loss, epochs)
        if needed is None or needed > _MOST_ROWS:
            return None
        flips = self._few_flips(loss, epochs, needed)
        if flips is not None:
            return self._exact_rows(loss, flips)
        return self._rows_by_signs(math.ceil(needed - 1e-9), loss, epochs)

    def epochs(self, loss: float) -> int | None:
        """Return the number of epochs needed to see a true ``loss`` with the present rows; None if 100 are too few."""
        if self._is_seen(loss, 1):
            return 1
        if not self._is_seen(loss, MOST_EPOCHS):
            return None
        return _least_count(1, MOST_EPOCHS, lambda epochs: self._is_seen(loss, epochs))

    def least(self) -> float | None:
        """Return the smallest loss that is seen with the present rows and epochs; None if no loss is."""
        low, high = self.allowed, self.room
        if math.isinf(high):
            high = max(1.0, 2 * self.allowed)
            while high < _LARGEST and not self._is_seen(high, self.spread.epochs):
                high *= 2
        if high <= low or not self._is_seen(high, self.spread.epochs):
            return None
        return _least_number(low, high, lambda loss: self._is_seen(loss, self.spread.epochs))

    def _is_seen(self, loss: float, epochs: float) -> bool:
        needed = self._rows(loss, epochs)
        if needed is None:
            return False
        flips = self._few_flips(loss, epochs, needed)
        if flips is None:
            return self._rows_by_signs(math.ceil(needed - 1e-9), loss, epochs) <= self.spread.n
        if self.spread.n >= 2 * needed:
            return True
        return self._is_enough(self.spread.n, loss, flips)

    def _rows_by_signs(self, rows: int, loss: float, epochs: float) -> int:
        """Return how many rows are enough even if signs decide; at least ``rows``, which suffice for Student's t."""
        groups = self.spread.groups
        most, size = (FEW_ROWS, 1.0) if groups is None else (FEW_GROUPS, self.spread.n / groups)
        if self._is_mcnemar(epochs):
            return rows
        deviation = math.sqrt(max(0.0, (self._square(loss, epochs) or 0.0) - loss * loss) * self.spread.design)
        for units in range(math.floor(rows / size + 1e-9), most):
            rows = max(rows, math.ceil(units * size - 1e-9))
            needed, by_power = errors_of_signs(units, alpha=self.alpha, power=self.power)
            if loss >= max(needed * deviation / math.sqrt(rows), self.allowed + by_power * deviation / math.sqrt(rows)):
                return rows
        return max(rows, math.ceil(most * size - 1e-9))  # with so many, t decides

    def _rows(self, loss: float, epochs: float) -> float | None:
        """Return the number of rows needed, by normal approximations."""
        if not self.allowed < loss <= self.room or not loss * loss:  # the latter: its square underflows to 0
            return None
        square = self._square(loss, epochs)
        if square is None:
            return None
        spread, alpha, power = self.spread, -normal_quantile(self.alpha), normal_quantile(self.power)
        deviation = math.sqrt(max(0.0, square - loss * loss))
        if self._is_mcnemar(epochs):
            needed = ((alpha * math.sqrt(square) + power * deviation) / loss) ** 2
        else:
            needed = ((alpha + power) * deviation / loss) ** 2 * spread.design + _in_rows(alpha * alpha / 2, spread)
        return max(needed, self._least_rows(loss, deviation, mid_p=self._is_mcnemar(epochs)))

    def _least_rows(self, loss: float, deviation: float, *, mid_p: bool) -> float:
        """Return the fewest rows with which the test can fail and the drop seen exceeds ``allowed`` with ``power``."""
        least: float = least_flips(self.alpha, mid_p=mid_p)
        if self.spread.groups is not None:
            least = least_groups(self.alpha) * self.spread.n / self.spread.groups
        if not self.allowed:
            return least
        return max(least, (normal_quantile(self.power) * deviation / (loss - self.allowed)) ** 2 * self.spread.design)

    def _is_mcnemar(self, epochs: float) -> bool:
        """Return whether the gate uses McNemar's test."""
        return self.spread.is_binary and epochs == 1 and self.spread.groups is None

    def _few_flips(self, loss: float, epochs: float, rows: float) -> float | None:
        """Return the share of rows that flip if McNemar's test is used and few rows flip; else None."""
        square = self._square(loss, epochs) if self._is_mcnemar(epochs) else None
        return square if square is not None and rows * square <= MOST_FLIPS / 2 else None

    def _exact_rows(self, loss: float, flips: float) -> int:
        """Return the fewest rows with which McNemar's test has the power."""
        return _least_count(0, math.ceil(MOST_FLIPS / flips), lambda rows: self._is_enough(rows, loss, flips))

    def _is_enough(self, rows: int, loss: float, flips: float) -> bool:
        """Return whether McNemar's test has the power with ``rows`` rows."""
        if rows < self._least_rows(loss, math.sqrt(max(0.0, flips - loss * loss)), mid_p=True) - 1e-9:
            return False
        worse, better = (flips + loss) / 2, max(0.0, (flips - loss) / 2)
        return mcnemar_power(rows, worse, better, alpha=self.alpha) >= self.power

    def _square(self, loss: float, epochs: float) -> float | None:
        """Return the mean square of the difference between two runs with a true ``loss``; None if unknown."""
        spread, noise = self.spread, 2 * self.spread.within / epochs
        if not spread.is_unit:
            return noise + loss * loss if noise else None
        spoilt = loss / self.room
        return (1 - spoilt) * noise + spoilt * (self.room * self.room + spread.between + spread.within / epochs)


def rows_for_margin(spread: Spread, margin: float, *, alpha: float, power: float, epochs: float = 1.0) -> int:
    """Return the rows with which an unchanged run passes ``mode: noninferior`` with probability ``power``.

    That is ((z_(1−α) + z_power)·sd/margin)² with sd² = 2·within/K. In a share or a score in [0, 1], rare rows may hide
    a further loss of −ln(α)/n (B. D. Jovanovic and P. S. Levy, The American Statistician 51 (1997) 137-139), so it also
    takes enough rows for −ln(α)/n + z_power·sd/sqrt(n) to be less than the margin. For yes-or-no rows with one epoch,
    few of which flip, the exact probability is used; it drops whenever one more row flips.
    """
    noise = 2 * spread.within / epochs * spread.design
    both = normal_quantile(power) - normal_quantile(alpha)
    hidden, by_chance = _hidden(spread, alpha), normal_quantile(power) * math.sqrt(noise)
    root = (by_chance + math.sqrt(by_chance * by_chance + 4 * hidden * margin)) / 2 / margin
    needed = math.ceil(max(both * both * noise / margin / margin, math.floor(root * root) + 1))
    if not _is_exact(spread, needed, epochs):
        return needed

    def is_enough(rows: int) -> bool:
        return margin_power(rows, noise, margin, alpha=alpha) >= power

    low, high = math.floor(hidden / margin), needed
    while not is_enough(high) and high * noise < MOST_FLIPS:
        low, high = high, 2 * high
    return _least_count(low, high, is_enough)


def margin_needed(spread: Spread, *, alpha: float, power: float, n: int, epochs: float = 1.0) -> float:
    """Return the smallest margin for which ``n`` rows are enough, the inverse of ``rows_for_margin``.

    For a share or a score in [0, 1] a result of 1 or more means that no useful margin can be judged.
    """
    noise = 2 * spread.within / epochs * spread.design
    error = math.sqrt(noise / n)
    needed = max(-normal_quantile(alpha) * error, _hidden(spread, alpha) / n) + normal_quantile(power) * error
    if not _is_exact(spread, n, epochs):
        return needed

    def is_enough(margin: float) -> bool:
        return margin_power(n, noise, margin, alpha=alpha) >= power

    low, high = 0.0, needed
    while high < 1 and not is_enough(high):
        low, high = high, 2 * high
    return _least_number(low, high, is_enough)


def _least_count(low: int, high: int, is_enough: Callable[[int], bool]) -> int:
    """Return the least count that is enough by bisection between ``low``, which is not, and ``high``, which is."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _least_number(low: float, high: float, is_enough: Callable[[float], bool]) -> float:
    """Return the least number that is enough, like ``_least_count``, to the relative tolerance ``_FINE``."""
    while high - low > _FINE * high and low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _is_exact(spread: Spread, rows: int, epochs: float) -> bool:
    """Return whether so few rows flip that the exact probability of staying within a margin is used."""
    is_yes_or_no = spread.is_binary and spread.groups is None and epochs == 1
    return is_yes_or_no and 0 < 2 * spread.within * rows <= MOST_FLIPS / 2


def _hidden(spread: Spread, alpha: float) -> float:
    """Return how much more all rows together may have lost than seen, at ``1 - alpha``; 0 for metrics beyond [0, 1]."""
    return _in_rows(-math.log(alpha), spread) if spread.is_unit else 0.0


def _in_rows(units: float, spread: Spread) -> float:
    """Return the number of rows that hold ``units`` independent units, groups counting as what they are worth."""
    return units if spread.worth is None else units * spread.n / spread.worth
