"""Evidence against a rule: its shortfall, and the probability that chance alone causes such a shortfall.

Evidence is collected for each rule by itself; the p-value below which a rule fails depends on all rules that share
alpha (``family``). Missing values are weighed at both ends of their range.
"""

from dataclasses import dataclass

from pytest_llmeval.core.rules import MEASURED_METRICS, Rule

__all__ = [
    "FEW_GROUPS",
    "FEW_ROWS",
    "LEAST_CLUSTERS",
    "Evidence",
    "FewChanges",
    "Weight",
    "are_few_groups",
    "falls_when_worse",
]

LEAST_CLUSTERS = 5
"""Smallest number of groups of dependent rows with which a rule can fail."""
FEW_ROWS = 30
"""Number of rows below which the sign-flip test replaces Student's t."""
FEW_GROUPS = 10
"""Effective number of groups of dependent rows (``df + 1``) below which the sign-flip test replaces Student's t."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FewChanges:
    """Units (rows, or groups of dependent rows) of which so few changed that a test on their signs decides."""

    worse: int
    better: int
    units: int
    """Number of all units, changed or not."""
    size: float
    """Mean absolute change of the changed units, over their rows."""
    has_mid_p: bool
    """Whether the p-value is a mid-p."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The evidence of one set of values against a rule."""

    shortfall: float
    """How far the value lies on the wrong side: the drop, or the distance from the bar; negative if it is good."""
    p_value: float | None
    """One-sided probability of such a shortfall by chance alone; None if no test is possible."""
    signs: float | None = None
    """Mid-p of the sign-flip test on groups of dependent rows that are too few to fail a rule; it only tells noise.
    None otherwise."""
    error: float | None = None
    """Standard error of the shortfall, above 0; None if unknown."""
    df: float | None = None
    """Degrees of freedom of ``error``; also set if the error is unknown because there was no spread at all."""
    flips: tuple[int, int, int] | None = None
    """Number of rows that got worse, that got better, and of all rows. None unless rows are independent and all changes
    are −1, 0 or 1 in a share or a score in [0, 1]."""
    few: FewChanges | None = None
    """None if no unit changed, or enough for the error to decide."""
    units: int | None = None
    """Effective number of independent units: rows, or the ``equal_clusters`` of groups. None if a row can lose more
    than 1."""
    losses: tuple[float, ...] = ()
    """Largest losses of rows or groups, the largest first, at most ``units`` of them. Each is a share of what one unit
    can lose; it may exceed 1 for a group larger than a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence that decides a rule, with the numbers shown beside it."""

    n: int
    """Number of rows with a value; in a comparison, with a value in both runs."""
    clusters: int | None
    """Number of groups of dependent rows; None if rows are independent."""
    value: float
    found: Weight
    """Weight of the known values alone."""
    ends: tuple[Weight | None, ...] | None = None
    """Weights with the best value for every missing one, with the worst, then with some in between. None if no value is
    missing; the first or second entry is None if the range has no such end."""
    are_bounds: bool = True
    """Whether ``ends`` bound the weight for all possible missing values; if not, they are only values tried."""
    low: float | None = None
    """Lower end of the 95 % interval of ``value``, or in a comparison of the 90 % interval of ``delta``; None if there
    is none."""
    high: float | None = None
    before: float | None = None
    """The baseline's value. This and all following fields belong to a comparison of two runs."""
    delta: float | None = None
    worse: tuple[str, ...] = ()
    """Sample ids of the rows that got worse, the worst first."""
    better: int = 0
    """Number of rows that got better."""
    is_binary: bool = False
    """Whether each row has a single value in each run, 0 or 1."""
    left_out: str = ""
    """Rows that are left out, in words; empty if none are."""
    note: str = ""
    """What makes the rule itself doubtful, in words; mostly empty."""

    @property
    def has_test(self) -> bool:
        """Whether a p-value can fail the rule; not so for a comparison of fewer than ``LEAST_CLUSTERS`` groups."""
        if self.before is None or self.clusters is None or self.clusters >= LEAST_CLUSTERS:
            return True
        return any(weight is not None and weight.p_value is not None for weight in self.possible)

    @property
    def possible(self) -> tuple[Weight | None, ...]:
        """Possible weights, the best first: ``found`` if no value is missing, else ``ends``.

        If the ends are no bounds, ``found`` is added as one more try, though no value for the missing rows yields it.
        """
        if self.ends is None:
            return (self.found,)
        return self.ends if self.are_bounds and None not in self.ends else (*self.ends, self.found)


def are_few_groups(df: float) -> bool:
    """Return whether groups that are worth ``df + 1`` groups of equal size are too few for Student's t."""
    return df + 1 <= FEW_GROUPS - 1e-6


def falls_when_worse(rule: Rule) -> bool:
    """Return whether a lower value is worse, for a rule on a change."""
    if rule.kind == "noninferior":
        return rule.metric not in (*MEASURED_METRICS, "error_rate")
    return rule.kind == "max_drop"
