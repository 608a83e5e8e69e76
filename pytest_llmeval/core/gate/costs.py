"""What two runs' costs are compared by: the same calls on both sides, whatever the cache had an answer for."""

from collections.abc import Iterable, Mapping

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Reading, read

__all__ = ["compared_by_model", "read_compared"]

_DIGITS = 12
"""Of a dollar: finer than any price, and coarse enough that a part taken off a sum leaves the rest as it was."""


def compared_by_model(metric: str, current: Iterable[JudgedCase], before: Iterable[JudgedCase]) -> Mapping[str, bool]:
    """Return the rows that are compared by what the model alone cost, and whether it cost anything in either run.

    Those are the rows of which, in either run, a verdict came from the cache and no answer of the model. So it may be
    where a judge is known and its part is not, as of a baseline that was exported before. None but of a cost.
    """
    if metric != "cost_usd":
        return {}
    cases = [case for cases in (current, before) for case in cases]
    chosen = {case.sample_id for case in cases if _is_by_model(case)}
    paid = {case.sample_id for case in cases if case.sample_id in chosen and _of_model(case)}
    return {sample_id: sample_id in paid for sample_id in chosen}


def read_compared(metric: str, case: JudgedCase, by_model: Mapping[str, bool]) -> Reading:
    """Return what a case says of a metric that is compared, with the answer of ``compared_by_model``.

    A cost that cannot be compared is ``cached``: an answer of the model came from there, or the judges' part cannot be
    taken off, or nothing is left of both runs' cost without it.
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
    """Return what the model alone cost; None where that is not known."""
    if case.cost_usd is None or case.judge_cost_usd is None:
        return None
    return round(case.cost_usd - case.judge_cost_usd, _DIGITS)
