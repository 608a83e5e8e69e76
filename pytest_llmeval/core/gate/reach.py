"""Bounds that no value in 0..1 can miss, or none can meet: 2 instead of 0.02, or any other number that is not a share.

Whether a score lies in 0..1 is known only from a run: scorers and judges are held to that range, while a number that a
test records itself may be any.
"""

import math
from collections.abc import Iterable

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Column
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS, REGRESSION_KINDS, Rule, RuleKind

__all__ = ["span_under", "why_out_of_reach", "why_unlikely"]

_LEAST_PERCENT = 10
"""Smallest bar that is taken to be meant in percent."""
_CEILINGS: frozenset[RuleKind] = frozenset({"max", "max_p50", "max_p95"})


def why_out_of_reach(rule: Rule, column: Column, cases: Iterable[JudgedCase]) -> str | None:
    """Return why a rule is meaningless for scores that are known to lie in 0..1; None if it is meaningful.

    Args:
        rule: any rule.
        column: readings of the rule's metric.
        cases: cases of the rule's suite and model.
    """
    told = _beyond(rule)
    if told is None or column.span != (0.0, 1.0) or not _is_unit(rule, cases):
        return None
    return f"a score in 0..1 {told}; write {_meant(rule, rule.bound or 0.0)}"


def why_unlikely(rule: Rule, span: tuple[float, float]) -> str:
    """Return why a rule on a change may be meaningless, as all its values happen to lie in 0..1; else an empty text."""
    told = _beyond(rule) if span == (0.0, 1.0) else None
    return f"what lies in 0..1, as all its values do, {told}" if told else ""


def span_under(rule: Rule, span: tuple[float, float], rows: int, cases: Iterable[JudgedCase]) -> tuple[float, float]:
    """Return the range of a missing value: unlimited if a test recorded the values and none in 0..1 misses the rule.

    Args:
        rule: any rule.
        span: range of a missing value, judged by the known values.
        rows: number of values in a total.
        cases: cases of the rule's suite and model.
    """
    if span != (0.0, 1.0) or rule.metric in COUNTED_METRICS or not _holds_for_shares(rule, rows):
        return span
    return span if _is_unit(rule, cases) else (-math.inf, math.inf)


def _holds_for_shares(rule: Rule, rows: int) -> bool:
    """Return whether no values in 0..1 can miss a rule."""
    bound = 0.0 if rule.bound is None else rule.bound
    if rule.kind in REGRESSION_KINDS or rule.kind in _CEILINGS:
        return bound >= 1
    if rule.kind == "max_total":
        return bound >= rows
    return (rule.kind == "min" and bound <= 0) or (rule.kind == "min_lower" and bound < 0)


def _beyond(rule: Rule) -> str | None:
    """Return in words why a number in 0..1 always or never meets the rule; None if it may do either."""
    bound = 0.0 if rule.bound is None else rule.bound
    if rule.metric in COUNTED_METRICS:  # such a bound on a share is already refused when the file is read
        return None
    if rule.kind in REGRESSION_KINDS:
        moves = "rise" if rule.kind == "max_rise" else "drop"
        return f"cannot {moves} by more than {bound:.12g}" if bound >= 1 else None
    if 0 <= bound <= 1:
        return None
    if rule.kind in _CEILINGS:
        return f"is never above {bound:.12g}" if bound > 1 else f"is always above {bound:.12g}"
    if rule.kind == "min":
        return f"is always below {bound:.12g}" if bound > 1 else f"is never below {bound:.12g}"
    return None


def _is_unit(rule: Rule, cases: Iterable[JudgedCase]) -> bool:
    """Return whether a scorer or a judge made every value of the metric."""
    if rule.metric in MEASURED_METRICS:
        return False
    valued = [case for case in cases if case.scores.get(rule.metric) is not None]
    made = (case.digests.get(rule.metric) or case.judge_ids.get(rule.metric) for case in valued)
    return bool(valued) and all(made)


def _meant(rule: Rule, bound: float) -> str:
    """Return what to write instead of a bound: a hundredth of it, if it can be a percentage."""
    least = 1 if rule.kind in REGRESSION_KINDS else _LEAST_PERCENT
    return f"{bound / 100:.12g}" if least <= bound <= 100 else "a number there"
