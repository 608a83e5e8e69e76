"""Adjustment of p-values for multiple testing."""

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values; comparing each with α keeps the probability of any false alarm below α.

    S. Holm, Scandinavian Journal of Statistics 6 (1979) 65–70: the j-th smallest of M p-values is multiplied by
    M − j + 1, but is at least the one before it and at most 1.

    Args:
        p_values: One for each rule, in [0, 1].

    Returns:
        Adjusted p-values in the order of ``p_values``, none smaller than its original.
    """
    adjusted, worst = list(p_values), 0.0
    for rank, index in enumerate(_by_size(p_values)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def _by_size(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
