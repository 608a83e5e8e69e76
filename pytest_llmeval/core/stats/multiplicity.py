"""P-values of several rules, adjusted so that they may be read one by one."""

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values by which the chance of any false alarm in the family stays below α.

    S. Holm, Scandinavian Journal of Statistics 6 (1979) 65–70: the j-th least of M times M − j + 1, never less
    than the one before, at most 1.

    Args:
        p_values: One for each rule, in [0, 1].

    Returns:
        In the order of ``p_values``, each at least as large as before.
    """
    adjusted, worst = list(p_values), 0.0
    for rank, index in enumerate(_by_size(p_values)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def _by_size(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
