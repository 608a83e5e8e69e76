"""From the scores of a sample's epochs to one score."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from pytest_llmeval.core.stats.intervals import pass_at_k, pass_hat_k
from pytest_llmeval.core.stats.means import mean

__all__ = [
    "Reducer",
    "at_least",
    "max_score",
    "mean_score",
    "median_score",
    "min_score",
    "mode_score",
    "pass_at",
    "pass_hat",
    "reducer",
]

Reducer = Callable[[Sequence[float]], float | None]
"""Takes the scores of all scored epochs, in any order; None where they are too few."""


def mean_score(values: Sequence[float]) -> float | None:
    """Return the mean; None without values."""
    return mean(values)


def median_score(values: Sequence[float]) -> float | None:
    """Return the middle value, or the mean of the two in the middle; None without values."""
    return statistics.median(values) if values else None


def mode_score(values: Sequence[float]) -> float | None:
    """Return the most frequent value, the least of several; None without values."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value), default=None)


def max_score(values: Sequence[float]) -> float | None:
    """Return the greatest value; None without values."""
    return max(values, default=None)


def min_score(values: Sequence[float]) -> float | None:
    """Return the least value; None without values."""
    return min(values, default=None)


def at_least(k: int, threshold: float = 1.0) -> Reducer:
    """Return a reducer to 1 where ``k`` epochs or more score ``threshold`` or more, else 0.

    Args:
        k: From 1; fewer epochs than that give None.
        threshold: The least score of an epoch that counts.

    Raises:
        ValueError: For a ``k`` below 1.
    """
    return _counting(k, threshold, lambda n, hits: float(hits >= k))


def pass_at(k: int, threshold: float = 1.0) -> Reducer:
    """Return a reducer to the chance that one of ``k`` epochs or more is right; see ``pass_at_k``.

    Args:
        k: From 1; fewer epochs than that give None.
        threshold: The least score of an epoch that is right.

    Raises:
        ValueError: For a ``k`` below 1.
    """
    return _counting(k, threshold, lambda n, hits: pass_at_k(n, hits, k))


def pass_hat(k: int, threshold: float = 1.0) -> Reducer:
    """Return a reducer to the chance that ``k`` epochs are all right; see ``pass_hat_k``.

    Args:
        k: From 1; fewer epochs than that give None.
        threshold: The least score of an epoch that is right.

    Raises:
        ValueError: For a ``k`` below 1.
    """
    return _counting(k, threshold, lambda n, hits: pass_hat_k(n, hits, k))


def reducer(name: str) -> Reducer:
    """Return the reducer of this name: ``mean``, ``at_least_2``, ``pass_at_3``.

    Raises:
        ValueError: For another name; it says the known ones.
    """
    if name in PLAIN:
        return PLAIN[name]
    match = re.fullmatch("([a-z_]+)_([1-9][0-9]{0,5})", name, re.ASCII)
    if match and match[1] in COUNTING:
        return COUNTING[match[1]](int(match[2]))
    known = ", ".join([*PLAIN, *(f"{each}_K" for each in COUNTING)])
    raise ValueError(f"unknown reducer {name!r}; known are {known} (K a number from 1)")


def _counting(k: int, threshold: float, reduce: Callable[[int, int], float]) -> Reducer:
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k!r}")

    def counted(values: Sequence[float]) -> float | None:
        hits = sum(value >= threshold for value in values)
        return reduce(len(values), hits) if len(values) >= k else None

    return counted


PLAIN: dict[str, Reducer] = {
    "mean": mean_score,
    "median": median_score,
    "mode": mode_score,
    "max": max_score,
    "min": min_score,
}
COUNTING: dict[str, Callable[[int], Reducer]] = {"at_least": at_least, "pass_at": pass_at, "pass_hat": pass_hat}
