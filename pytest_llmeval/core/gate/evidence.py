"""What the numbers say against a rule: by how much it falls short, and how likely chance alone does that.

A rule that is decided by a p-value is first weighed by itself; what the p-value may be depends on all of them
(``family``). Values that are missing are weighed at both of their ends.
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
"""With fewer groups of dependent rows nothing can fail."""
FEW_ROWS = 30
"""Fewer rows than this take the sign-flip test in place of t."""
FEW_GROUPS = 10
"""So do groups of dependent rows that are worth fewer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FewChanges:
    """Rows, or groups of dependent ones, of which some changed but so few that their signs decide."""

    worse: int
    better: int
    units: int
    """All of them."""
    size: float
    """By how much those that changed did, in the mean over their rows."""
    has_mid_p: bool
    """Whether the p-value is a mid-p."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What one set of values says against a rule."""

    shortfall: float
    """By how much the value lies on the wrong side: the drop, or how far it is from the bar; negative is good."""
    p_value: float | None
    """One-sided: how likely so much comes by chance alone; None where no test is possible."""
    signs: float | None = None
    """The mid-p of the signs of groups of dependent rows that are too few for a test: it tells what is noise, and fails
    nothing. None elsewhere."""
    error: float | None = None
    """The standard error of the shortfall, above 0; None where it is unknown."""
    df: float | None = None
    """Degrees of freedom of ``error``; known without it where there was no spread at all."""
    flips: tuple[int, int, int] | None = None
    """Rows that got worse, that got better, and all; None where a change may be anything else than −1, 0 and 1 of a
    share or a score in [0, 1], and where rows are dependent."""
    few: FewChanges | None = None
    """None where none changed, or as many as let the error decide."""
    units: int | None = None
    """Rows, or as many groups of one size as groups of dependent ones are worth, none of which can lose more than 1 a
    row; None where a row can."""
    losses: tuple[float, ...] = ()
    """The largest losses of rows or groups, in shares of what one of ``units`` can lose, the largest first; not more of
    them than those. A group that is larger than they are can lose more than 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a rule is decided by, with the numbers that are shown beside it."""

    n: int
    """Rows with a value (of both runs, where there are two)."""
    clusters: int | None
    """Groups of dependent rows; None where rows are independent."""
    value: float
    found: Weight
    """From the values that are there."""
    ends: tuple[Weight | None, ...] | None = None
    """With the best, then with the worst for every missing value, then with some between; None where none is missing,
    one of the first two None where there is no such end."""
    are_bounds: bool = True
    """Whether nothing that the missing values may be says more or less than ``ends``; else some were tried."""
    low: float | None = None
    """Ends of the 95 % interval of ``value``, of two runs of the 90 % one of ``delta``; None where there is none."""
    high: float | None = None
    before: float | None = None
    """This and all that follow belong to two runs."""
    delta: float | None = None
    worse: tuple[str, ...] = ()
    """Sample ids of the rows that got worse, the worst first."""
    better: int = 0
    """How many rows got better."""
    is_binary: bool = False
    """Whether each row is one value of 0 or 1 in each run."""
    left_out: str = ""
    """Which rows are not in it, in words; empty where all are."""
    note: str = ""
    """What makes the rule itself doubtful, in words; mostly empty."""

    @property
    def has_test(self) -> bool:
        """Whether it may fail by a p-value; two runs with fewer than ``LEAST_CLUSTERS`` groups of pairs cannot."""
        if self.before is None or self.clusters is None or self.clusters >= LEAST_CLUSTERS:
            return True
        return any(weight is not None and weight.p_value is not None for weight in self.possible)

    @property
    def possible(self) -> tuple[Weight | None, ...]:
        """What all values may come to, the best first: ``found`` where none is missing, else the ends.

        Where those do not bound it ``found`` is one more that was tried, though no value of a missing row gives it.
        """
        if self.ends is None:
            return (self.found,)
        return self.ends if self.are_bounds and None not in self.ends else (*self.ends, self.found)


def are_few_groups(df: float) -> bool:
    """Return whether groups that are worth ``df + 1`` of one size are too few for Student's t."""
    return df + 1 <= FEW_GROUPS - 1e-6


def falls_when_worse(rule: Rule) -> bool:
    """Return whether a lower value is the worse one, for a rule on a change."""
    if rule.kind == "noninferior":
        return rule.metric not in (*MEASURED_METRICS, "error_rate")
    return rule.kind == "max_drop"
