"""Normal, Student and binomial distributions, accurate far into their tails.

All except the normal distribution are computed from the regularised incomplete beta function I_x(a, b).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from pytest_llmeval.core.stats.incomplete_beta import beta_logit, log_beta_cdf, logit_of, shares_of

__all__ = [
    "binomial_at_least",
    "binomial_upper",
    "hoeffding",
    "normal_cdf",
    "normal_quantile",
    "student_cdf",
    "student_quantile",
]


def normal_cdf(z: float) -> float:
    """Return P(Z <= z) for a standard normal Z, by ``erfc``, which is accurate even for tiny tails."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_quantile(p: float) -> float:
    """Return the z with P(Z <= z) = p for a standard normal Z.

    Args:
        p: In (0, 1).

    Raises:
        statistics.StatisticsError: ``p`` is out of range; this is a ValueError.
    """
    return NormalDist().inv_cdf(p)


def student_cdf(t: float, df: float) -> float:
    """Return P(T <= t) for Student's T.

    M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.1:
    P(|T| > t) = I_x(df/2, 1/2) with x = df/(df + t²).

    Args:
        t: Any number, including infinite ones.
        df: Degrees of freedom above 0, not necessarily whole.

    Raises:
        ValueError: ``df`` is 0 or less.
    """
    _check_df(df)
    tail = math.exp(log_beta_cdf(_student_logit(t, df), df / 2, 0.5)) / 2
    return 1 - tail if t > 0 else tail


def student_quantile(p: float, df: float) -> float:
    """Return the t with P(T <= t) = p for Student's T; infinite if it is too large for a float.

    Args:
        p: In (0, 1).
        df: Degrees of freedom above 0, not necessarily whole.

    Raises:
        ValueError: ``p`` or ``df`` is out of range.
    """
    _check_share("p", p)
    _check_df(df)
    if p == 0.5:
        return 0.0
    # Near the middle, the probability between -t and t is more accurate than that of the two tails.
    middle = 0.25 < p < 0.75
    logit = -beta_logit(abs(2 * p - 1), 0.5, df / 2) if middle else beta_logit(2 * min(p, 1 - p), df / 2, 0.5)
    half_log = (math.log(df) - logit) / 2
    t = math.exp(half_log) if half_log < 709 else math.inf
    return t if p > 0.5 else -t


def binomial_at_least(k: int, n: int, p: float) -> float:
    """Return P(X >= k) for the number X of hits in ``n`` independent trials with probability ``p`` each.

    Abramowitz and Stegun, 26.5.24: P(X >= k) = I_p(k, n − k + 1).

    Args:
        k: Any integer; 0 and less give 1, more than ``n`` gives 0.
        n: At least 0.
        p: In [0, 1].
    """
    if k <= 0:
        return 1.0
    if k >= n or p in (0, 1):
        return p**n if k <= n else 0.0
    return math.exp(log_beta_cdf(logit_of(p), k, n - k + 1))


def binomial_upper(hits: int, n: int, alpha: float) -> float:
    """Return the one-sided upper confidence bound, at ``1 - alpha``, of a probability with ``hits`` in ``n`` trials.

    Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 26 (1934), 404-413: the probability at
    which that many hits or fewer have the probability ``alpha``.

    Args:
        hits: from 0 to ``n``.
        n: at least 1.
        alpha: in (0, 1).
    """
    _check_share("alpha", alpha)
    return 1.0 if hits >= n else shares_of(beta_logit(alpha, n - hits, hits + 1))[1]


def hoeffding(excess: float, shares: Sequence[float]) -> float:
    """Return an upper bound of the probability that a weighted mean of independent values in [0, 1] is off by so much.

    Hoeffding, Probability inequalities for sums of bounded random variables, JASA 58 (1963), theorem 2:
    exp(-2 excess^2 / sum of shares^2).

    Args:
        excess: distance of the mean from its expected value, on one side; the bound is 1 for 0 or less.
        shares: weight of each value; they sum to 1.
    """
    return math.exp(-2 * excess * excess / sum(share * share for share in shares)) if excess > 0 else 1.0


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, both excluded, not {value!r}")


def _check_df(df: float) -> None:
    if not df > 0:
        raise ValueError(f"df must be above 0, not {df!r}")


def _student_logit(t: float, df: float) -> float:
    """Return the logit of x = df/(df + t²), without computing t², which could overflow."""
    if t == 0:
        return math.inf
    return math.log(df) - 2 * math.log(abs(t))
