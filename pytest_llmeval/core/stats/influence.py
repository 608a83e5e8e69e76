"""How uncertain a change of quantiles is, from each row's influence on them; nothing is drawn."""

import math
from collections.abc import Hashable, Sequence

from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.intervals import CHANGE_CONFIDENCE, quantile, t_interval

__all__ = ["quantile_change_half"]


def quantile_change_half(
    pairs: Sequence[tuple[float, float]], percent: int, clusters: Sequence[Hashable]
) -> float | None:
    """Return t·SE of the candidate's quantile less the baseline's, the half-width of its 90 % interval.

    The error is that of the mean of (q − [x <= quantile])/density over the rows, candidate less baseline: R. J.
    Serfling, "Approximation Theorems of Mathematical Statistics" (1980), section 2.5.

    Args:
        pairs: A row's value in the baseline and in the candidate, at least one, in any order.
        percent: From 1 to 99.
        clusters: The cluster of each pair, in the order of ``pairs``.

    Returns:
        None for fewer than two clusters, and where the values about a quantile are equal, so that its density
        is unknown.
    """
    before, after = (_influences(values, percent) for values in zip(*pairs, strict=True))
    if before is None or after is None:
        return None
    influences = [late - early for early, late in zip(before, after, strict=True)]
    interval = t_interval(influences, confidence=CHANGE_CONFIDENCE, clusters=clusters)
    return (interval.high - interval.low) / 2 if interval else None


def _influences(values: Sequence[float], percent: int) -> list[float] | None:
    """Return (q − [x <= quantile])/density for each value x."""
    ordered, share, bar = sorted(values), percent / 100, quantile(values, percent)
    width = _bandwidth(share, len(values))
    low, high = (ordered[math.ceil(len(values) * at) - 1] for at in (share - width, share + width))
    sparsity = (high - low) / (2 * width)
    return [sparsity * (share - (value <= bar)) for value in values] if bar is not None and sparsity else None


def _bandwidth(share: float, n: int) -> float:
    """Return how far in probability to look for the density at a quantile, within (0, share) and (0, 1 − share).

    P. Hall and S. J. Sheather, JRSS B 50 (1988) 381–391:
    n^(−1/3)·z^(2/3)·(1.5·φ(x)²/(2x² + 1))^(1/3), x the normal quantile of the share, z that of 97.5 %.
    """
    x, z = normal_quantile(share), normal_quantile(0.975)
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    width = math.cbrt(1.5 * (z * density) ** 2 / (2 * x * x + 1) / n)
    return min(width, share / 2, (1 - share) / 2)
