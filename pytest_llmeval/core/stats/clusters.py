"""Means of clustered values, such as rows of one document, one user or one template, with their errors."""

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
    "estimated_mean",
    "in_clusters",
    "named_clusters",
    "size_effect",
]


class Sortable(Protocol):
    """A value that ``sorted`` accepts: a number, or a tuple of numbers."""

    def __lt__(self, other: Any, /) -> bool: ...


S = TypeVar("S", bound=Sortable)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """A mean with a standard error that is valid even if values within a cluster are dependent."""

    value: float
    """Mean of all values."""
    error: float
    """Standard error, at least 0. It is 0 if the residuals of every cluster sum to 0, for example because all values
    are equal. The spread is then unknown, not absent, and nothing may be concluded from it."""
    df: float
    """Degrees of freedom of the t distribution for the error, at least 1 apart from rounding."""
    clusters: int
    """Number of clusters, at least 2; the number of values if they are not clustered."""


def estimated_mean(values: Sequence[float], clusters: Sequence[Hashable] | None) -> ClusteredMean | None:
    """Return the mean with its standard error: sqrt(Σ(s − m)² / (n(n − 1))), or ``clustered_mean`` with clusters.

    The values must be independent, or dependent only within clusters: one value per sample, not one per repeated case
    (E. Miller, "Adding Error Bars to Evals", arXiv 2411.00640, section 2.1). None for fewer than two values or
    clusters, or if the error overflows.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    if clusters is not None:
        return clustered_mean(values, clusters)
    centre, n = mean(values), len(values)
    if centre is None or n < 2:
        return None
    squares = total([(value - centre) * (value - centre) for value in values])
    return _but_rounding(values, centre, math.sqrt(squares / (n * (n - 1))), df=n - 1, clusters=n)


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
        None for fewer than two clusters, or if the error overflows.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    groups, centre, n = in_clusters(values, clusters), mean(values), len(values)
    if centre is None or len(groups) < 2:
        return None
    error = math.sqrt(total([_share_of_variance(group, centre, n) for group in groups])) / n
    return _but_rounding(values, centre, error, df=_df(map(len, groups), n), clusters=len(groups))


def design_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the design effect: the mean of n clustered values has the interval of n/effect independent ones.

    It is the clustered variance over the variance of independent values, times (t/z)² at 95 % because the former has
    fewer degrees of freedom; at least ``size_effect``. Counts divided by it may be treated as independent: J. N. K. Rao
    and A. J. Scott, "A Simple Method for the Analysis of Clustered Binary Data", Biometrics 48 (1992) 577–585.

    Args:
        values: In any order.
        clusters: The cluster of each value, in the order of ``values``.

    Returns:
        1 if every value has its own cluster, or without values; n for a single cluster.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    least, centre, n = size_effect(values, clusters), mean(values), len(values)
    found = clustered_mean(values, clusters)
    if found is None or centre is None or found.clusters == n:
        return least
    plain = total([(value - centre) ** 2 for value in values]) / (n * (n - 1))
    if plain <= (ROUNDING * max(map(abs, values))) ** 2:
        return least
    return max(least, (found.error * student_quantile(0.975, found.df) / normal_quantile(0.975)) ** 2 / plain)


def size_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the design effect from the sizes of clusters and their intraclass correlation: 1 + (Σn_c²/n − 1)·ICC.

    L. Kish, "Survey Sampling" (1965, 1987), with each cluster weighted by its number of values. ICC, the correlation
    within C clusters, is the estimator of the analysis of variance, (MSB − MSW)/(MSB + (n_0 − 1)·MSW) with n_0 = (n −
    Σn_c²/n)/(C − 1), A. Donner, International Statistical Review 54 (1986) 67–82, clipped to [0, 1]. It is 1 if no
    cluster has any spread, since the data do not contradict that. Unlike the clustered error, this estimate is not too
    small if only small clusters differ from the others; with clusters of equal size that error says no less.

    Args:
        values: In any order.
        clusters: The cluster of each value, in the order of ``values``.

    Returns:
        At least 1; 1 if every value has its own cluster, or without values; n for a single cluster.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    groups, n = in_clusters(values, clusters), len(values)
    if len(groups) == n:
        return 1.0
    weight = sum(len(group) ** 2 for group in groups) / n
    return 1 + (weight - 1) * _correlation(groups, n, weight) if len(groups) > 1 else weight


def equal_clusters(sizes: Iterable[int]) -> int:
    """Return the number of equal-sized clusters that tell as much about a mean, rounded down: n²/Σn_c².

    If all values within a cluster are equal, the mean has the variance of a mean of that many clusters: L. Kish,
    "Survey Sampling" (1965), with each cluster weighted by its number of values.

    Args:
        sizes: Number of values in each cluster, each at least 1; at least one cluster.
    """
    known = list(sizes)
    return sum(known) ** 2 // sum(size * size for size in known)


def in_clusters(values: Sequence[S], clusters: Sequence[Hashable]) -> list[list[S]]:
    """Return the sorted values of each cluster, with clusters in the order of their first value.

    Raises:
        ValueError: The number of clusters differs from the number of values.
    """
    groups: dict[Hashable, list[S]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    return [sorted(group) for group in groups.values()]


def named_clusters(known: Iterable[str | None]) -> list[str] | None:
    """Return the cluster of each row, a row without one being its own; None if no row has one."""
    names = list(known)
    if all(name is None for name in names):
        return None
    return [f"#{number}" if name is None else f"={name}" for number, name in enumerate(names)]


def _correlation(groups: Sequence[Sequence[float]], n: int, weight: float) -> float:
    """Return the intraclass correlation of two or more clusters, in [0, 1]; ``weight`` is Σn_c²/n."""
    centres = [total(group) / len(group) for group in groups]
    centre = total([value for group in groups for value in group]) / n
    among = total([len(group) * (own - centre) ** 2 for group, own in zip(groups, centres, strict=True)])
    inside = total([(value - own) ** 2 for group, own in zip(groups, centres, strict=True) for value in group])
    largest = max(abs(value) for group in groups for value in group)
    if inside <= n * (ROUNDING * largest) ** 2:
        return 1.0
    among, inside = among / (len(groups) - 1), inside / (n - len(groups))
    typical = (n - weight) / (len(groups) - 1)
    return min(max((among - inside) / (among + (typical - 1) * inside), 0.0), 1.0)


def _but_rounding(
    values: Sequence[float], centre: float, error: float, *, df: float, clusters: int
) -> ClusteredMean | None:
    """Return a mean whose error is set to 0 if rounding alone explains it; None if the error overflows."""
    is_known = error > ROUNDING * max(map(abs, values))
    found = ClusteredMean(value=centre, error=error if is_known else 0.0, df=df, clusters=clusters)
    return found if math.isfinite(error) else None


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
