"""Means of values that come in clusters: rows of one document, one user, one template."""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pytest_llmeval.core.stats.distributions import normal_quantile, student_quantile
from pytest_llmeval.core.stats.means import ROUNDING, mean, total

__all__ = [
    "ClusteredMean",
    "Sortable",
    "clustered_mean",
    "design_effect",
    "equal_clusters",
    "in_clusters",
    "named_clusters",
]


class Sortable(Protocol):
    """What ``sorted`` takes: numbers, tuples of numbers."""

    def __lt__(self, other: Any, /) -> bool: ...


S = TypeVar("S", bound=Sortable)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """A mean with the standard error that holds when values of one cluster hang together."""

    value: float
    """The mean of all values."""
    error: float
    """Standard error, at least 0. 0 where the residuals of every cluster sum to 0, for example because all
    values are equal: then the spread is unknown, not absent, and nothing may be concluded from it."""
    df: float
    """Degrees of freedom of the t distribution that goes with the error, at least 1 but for rounding."""
    clusters: int
    """Number of clusters, at least 2."""


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable]) -> ClusteredMean | None:
    """Return the mean with its CR2 standard error and Satterthwaite degrees of freedom.

    R. M. Bell and D. F. McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage
    Samples", Survey Methodology 28 (2002) 169–181, for a regression on a constant: SE = (1/n)·sqrt(Σ S_c²/(1 −
    n_c/n)) with S_c the sum of the residuals of cluster c, and df = n²/(Σn_c² + (Σa_c)² − Σa_c²) with a_c =
    n_c²/(n − n_c). With one value in each cluster both are the usual ones.

    Args:
        values: In any order.
        clusters: The cluster of each value, in the order of ``values``.

    Returns:
        None for fewer than two clusters, and where the error overflows.

    Raises:
        ValueError: For another number of clusters than of values.
    """
    groups, centre, n = in_clusters(values, clusters), mean(values), len(values)
    if centre is None or len(groups) < 2:
        return None
    error = math.sqrt(total([_share_of_variance(group, centre, n) for group in groups])) / n
    if not math.isfinite(error):
        return None
    if error <= ROUNDING * max(map(abs, values)):
        error = 0.0
    return ClusteredMean(value=centre, error=error, df=_df(map(len, groups), n), clusters=len(groups))


def design_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the design effect: n values in clusters make the mean's interval as wide as n/effect independent ones.

    The clustered variance over that of independent values, times (t/z)², for 95 %, as the former has fewer degrees of
    freedom; at least 1. Counts over it may be taken for independent ones: J. N. K. Rao and A. J. Scott, "A Simple
    Method for the Analysis of Clustered Binary Data", Biometrics 48 (1992) 577–585. Where all values are equal they
    say nothing of it, and each cluster counts as much as its values were one: L. Kish's Σn_c²/n.

    Args:
        values: In any order.
        clusters: The cluster of each value, in the order of ``values``.

    Returns:
        1 where every value has a cluster of its own, and without values; n for one cluster.

    Raises:
        ValueError: For another number of clusters than of values.
    """
    groups, centre, n = in_clusters(values, clusters), mean(values), len(values)
    if centre is None or len(groups) == n:
        return 1.0
    most = sum(len(group) ** 2 for group in groups) / n
    plain = total([(value - centre) ** 2 for value in values]) / (n * (n - 1))
    found = clustered_mean(values, clusters)
    if found is None or plain <= (ROUNDING * max(map(abs, values))) ** 2:
        return most
    return max(1.0, (found.error * student_quantile(0.975, found.df) / normal_quantile(0.975)) ** 2 / plain)


def equal_clusters(sizes: Iterable[int]) -> int:
    """Return how many clusters of one size tell as much of a mean, rounded down: n²/Σn_c².

    Where values of one cluster are all alike the mean has the variance of so many of them: L. Kish, "Survey Sampling"
    (1965), each cluster weighing as much as it has values.

    Args:
        sizes: How many values each cluster has, from 1; at least one cluster.
    """
    known = list(sizes)
    return sum(known) ** 2 // sum(size * size for size in known)


def in_clusters(values: Sequence[S], clusters: Sequence[Hashable]) -> list[list[S]]:
    """Return the values of each cluster, sorted, in the order of the clusters' first values.

    Raises:
        ValueError: For another number of clusters than of values.
    """
    groups: dict[Hashable, list[S]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    return [sorted(group) for group in groups.values()]


def named_clusters(known: Iterable[str | None]) -> list[str] | None:
    """Return the cluster of each row, a row without one being its own; None where no row has one."""
    names = list(known)
    if all(name is None for name in names):
        return None
    return [f"#{number}" if name is None else f"={name}" for number, name in enumerate(names)]


def _share_of_variance(group: Sequence[float], centre: float, n: int) -> float:
    """Return S_c²/(1 − n_c/n)."""
    residual = total([value - centre for value in group])
    return residual * residual / (1 - len(group) / n)


def _df(sizes: Iterable[int], n: int) -> float:
    """Return n²/(Σn_c² + (Σa_c)² − Σa_c²)."""
    ordered = sorted(sizes)
    a = [size * size / (n - size) for size in ordered]
    across = math.fsum(a) ** 2 - math.fsum(each * each for each in a)
    return n * n / (sum(size * size for size in ordered) + max(across, 0.0))
