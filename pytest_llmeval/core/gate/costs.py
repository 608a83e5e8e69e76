"""What two runs' costs are compared by: the same calls on both sides, whatever the cache had an answer for."""

from collections.abc import Iterable

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Reading

__all__ = ["comparable", "compared_by_model"]

_DIGITS = 12
"""Of a dollar: finer than any price, and coarse enough that a part taken off a sum leaves the rest as it was."""


def compared_by_model(current: Iterable[JudgedCase], before: Iterable[JudgedCase]) -> frozenset[str]:
    """Return the ids of the rows of which, in either run, a verdict came from the cache and no answer of the model."""
    return frozenset(
        case.sample_id
        for cases in (current, before)
        for case in cases
        if case.judge_cached and not case.cached and case.cost_usd is not None and case.outcome != "skipped"
    )


def comparable(paid: Reading, case: JudgedCase, *, by_model: bool) -> Reading:
    """Return what a case says of a cost that is compared.

    Args:
        paid: what it says of its cost.
        case: the case.
        by_model: whether its row is compared by what the model alone cost.
    """
    if paid.value is None or not (case.cached or by_model):
        return paid
    if case.cached or case.judge_cost_usd is None:
        return paid._replace(state="cached", value=None, hit=None)
    return paid._replace(value=round(paid.value - case.judge_cost_usd, _DIGITS))
