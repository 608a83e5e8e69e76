"""The regularised incomplete beta function I_x(a, b) and its inverse.

The function is computed as a logarithm, so that a tail of 1e-300 is still accurate. x is given by its logit
ln(x/(1 − x)), so that neither x nor 1 − x loses precision when it is small.
"""

import functools
import math

__all__ = ["beta_logit", "log_beta_cdf", "logit_of", "shares_of"]

MOST_TERMS = 1_000_000
"""Largest number of terms of the continued fraction, which takes about sqrt(max(a, b))."""
MOST_STEPS = 200
"""Largest number of Newton steps for a quantile, which takes about ten."""
_KEPT = 4096
"""Size of the caches: counts repeat, for example between pairs of a self-test or steps of a search for a size."""


def logit_of(share: float) -> float:
    """Return ln(x / (1 − x)) for a share x in (0, 1)."""
    return math.log(share) - math.log1p(-share)


def shares_of(logit: float) -> tuple[float, float]:
    """Return x and 1 − x, both to full precision, for the x with this logit."""
    small = math.exp(-abs(logit))
    pair = small / (1 + small), 1 / (1 + small)
    return pair if logit < 0 else pair[::-1]


@functools.lru_cache(maxsize=_KEPT)
def log_beta_cdf(logit: float, a: float, b: float) -> float:
    """Return ln I_x(a, b) for the x with this logit."""
    if math.isinf(logit):
        return 0.0 if logit > 0 else -math.inf
    x, y = shares_of(logit)
    if x < (a + 1) / (a + b + 2):
        return _log_lower(x, y, logit, a, b)
    return math.log1p(-math.exp(_log_lower(y, x, -logit, b, a)))


def _log_lower(x: float, y: float, logit: float, a: float, b: float) -> float:
    """Return ln I_x(a, b) where its continued fraction converges fast: x < (a + 1)/(a + b + 2)."""
    return _log_density(x, y, logit, a, b) - math.log(a) + math.log(_fraction(x, a, b))


def _log_density(x: float, y: float, logit: float, a: float, b: float) -> float:
    """Return ln(x^a · y^b / B(a, b)), the density of the logit.

    It is computed by Stirling's formula and deviances, because ``lgamma`` of 1e6 has an error of 1e-9: C. Loader, "Fast
    and Accurate Computation of Binomial Probabilities" (2000), section 3.
    """
    n = a + b
    stirling = _stirling_error(n) - _stirling_error(a) - _stirling_error(b)
    size = (math.log(a) + math.log(b) - math.log(n) - math.log(2 * math.pi)) / 2
    return size + stirling - _deviance(a, n, x, min(logit, 0.0)) - _deviance(b, n, y, min(-logit, 0.0))


def _deviance(a: float, n: float, x: float, log_odds: float) -> float:
    """Return a·ln(a/(n·x)) + n·x − a, without cancellation where a is close to n·x.

    Args:
        a: Above 0.
        n: Above 0.
        x: Share in [0, 1].
        log_odds: The logit of ``x`` if that is below 0, else 0; it represents an ``x`` that is too small for a float.
    """
    expected = n * x
    gap = a - expected
    if abs(gap) >= 0.1 * (a + expected):
        log_x = log_odds - math.log1p(math.exp(log_odds)) if log_odds else math.log(x)
        return a * (math.log(a) - math.log(n) - log_x) - gap
    ratio = gap / (a + expected)
    value, term, odd = gap * ratio, 2 * a * ratio, 1
    while True:
        term *= ratio * ratio
        odd += 2
        following = value + term / odd
        if following == value:
            return value
        value = following


def _stirling_error(a: float) -> float:
    """Return ln Γ(a) − ((a − ½)·ln a − a + ½·ln 2π); Abramowitz and Stegun, 6.1.41, above 15."""
    if a <= 15:
        return math.lgamma(a) - ((a - 0.5) * math.log(a) - a + math.log(2 * math.pi) / 2)
    square = 1 / (a * a)
    series = 1 / 1260 - square * (1 / 1680 - square * (1 / 1188 - square * 691 / 360360))
    return (1 / 12 - square * (1 / 360 - square * series)) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of I_x(a, b)·a·B(a, b)/(x^a·(1 − x)^b) by Lentz's method.

    Abramowitz and Stegun, 26.5.8; W. H. Press et al., "Numerical Recipes" (3rd ed., 2007), section 6.4.
    """
    tiny = 1e-300
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1), tiny)
    value, m, last = d, 0, math.inf
    while abs(last - 1) >= 4e-16 and m < MOST_TERMS:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _apart(1 + even * d, tiny)
        c = _apart(1 + even / c, tiny)
        value *= c * d
        d = 1 / _apart(1 + odd * d, tiny)
        c = _apart(1 + odd / c, tiny)
        last = c * d
        value *= last
    return value


def _apart(value: float, tiny: float) -> float:
    """Return the value, or ``tiny`` if dividing by the value would overflow."""
    return value if abs(value) > tiny else tiny


@functools.lru_cache(maxsize=_KEPT)
def beta_logit(p: float, a: float, b: float) -> float:
    """Return the logit of the x with I_x(a, b) = p, by Newton's method on ln I.

    ln I is a concave function of the logit, so after the first step every guess lies below the solution and the next
    one is closer; no bracketing is needed.
    """
    if p > 0.5:
        return -beta_logit(1 - p, b, a)
    guess, target = math.log(a) - math.log(b), math.log(p)
    step, move = 0, math.inf
    while step < MOST_STEPS and abs(move) > 1e-15 * max(1.0, abs(guess)) and (step < 3 or move > 0):
        x, y = shares_of(guess)
        log_cdf = log_beta_cdf(guess, a, b)
        move = (target - log_cdf) * math.exp(log_cdf - _log_density(x, y, guess, a, b))
        guess += move
        step += 1
    return guess
