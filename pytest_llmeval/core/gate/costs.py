"""Comparable costs of two runs: both sides count the same calls, whichever answers came from the cache."""

from collections.abc import Iterable, Mapping

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Reading, read

__all__ = ["compared_by_model", "read_compared"]

_DIGITS = 12
"""Decimal places of a dollar to which a difference is rounded: finer than any price, coarse enough to hide the rounding
error of subtracting a part from a sum."""


def compared_by_model(metric: str, current: Iterable[JudgedCase], before: Iterable[JudgedCase]) -> Mapping[str, bool]:
    """Return the rows to compare by the cost of the model alone, and whether the model cost anything in either run.

    These are the rows for which, in either run, a judge's verdict came from the cache but no answer of the model; also
    those that had a judge whose cost is unknown, as in baselines exported by an older version. Empty for any metric
    but ``cost_usd``.
    """
    if metric != "cost_usd":
        return {}
    cases = [case for cases in (current, before) for case in cases]
    chosen = {case.sample_id for case in cases if _is_by_model(case)}
    paid = {case.sample_id for case in cases if case.sample_id in chosen and _of_model(case)}
    return {sample_id: sample_id in paid for sample_id in chosen}


def read_compared(metric: str, case: JudgedCase, by_model: Mapping[str, bool]) -> Reading:
    """Return a case's reading of a metric for a comparison; ``by_model`` is the result of ``compared_by_model``.

    The state of a cost that cannot be compared is ``cached``: an answer of the model came from the cache, the judges'
    part cannot be subtracted, or nothing is left of both runs' costs without that part.
    """
    found = read(metric, case)
    is_paid = by_model.get(case.sample_id)
    if metric != "cost_usd" or found.value is None or not (case.cached or is_paid is not None):
        return found
    value = _of_model(case)
    if case.cached or value is None or not is_paid:
        return found._replace(state="cached", value=None, hit=None)
    return found._replace(value=value)


def _is_by_model(case: JudgedCase) -> bool:
    if case.cached or case.cost_usd is None or case.outcome == "skipped":
        return False
    return case.judge_cached or (case.judge_cost_usd is None and any(case.judge_ids.values()))


def _of_model(case: JudgedCase) -> float | None:
    """Return the cost of the model alone in USD; None if unknown."""
    if case.cost_usd is None or case.judge_cost_usd is None:
        return None
    return round(case.cost_usd - case.judge_cost_usd, _DIGITS)
