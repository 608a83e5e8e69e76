"""What the signs of few rows, or of few groups of dependent ones, can see."""

import math

from pytest_llmeval.core.stats.distributions import normal_quantile, student_quantile
from pytest_llmeval.core.stats.paired import MOST_EXACT

__all__ = ["errors_of_signs"]


def errors_of_signs(units: int, *, alpha: float, power: float) -> tuple[float, float]:
    """Return how many standard errors a change is that the sign-flip test sees, and how many of them the power makes.

    Units that lie evenly about their mean need as many as Student's t with one degree of freedom less than there are,
    at the largest share of all signs below ``alpha``: by simulation of 5 to 12 of them within 3 %, but for the last
    sign of all. Where that alone is below it, all of them must get worse.

    Args:
        units: at least 2, of which so many signs are enough that 1/2^units is below ``alpha``.
        alpha: in (0, 0.5].
        power: in how many of all runs, in (0, 1).
    """
    by_power = student_quantile(power, units - 1)
    below = math.ceil(math.ldexp(alpha, units)) - 1 if units <= MOST_EXACT else 0
    if below == 1:
        return math.sqrt(units) * normal_quantile(power ** (1 / units)), normal_quantile(power)
    return by_power - student_quantile(math.ldexp(below, -units) if below else alpha, units - 1), by_power
