"""Bounds that nothing in 0..1 can miss, or none of it can meet: 2 where 0.02 was meant, or a number that is no share.

Which scores lie there is known once they were made: those of a scorer or a judge do, as both are held to it; what a
test recorded itself may be any number.
"""

import math
from collections.abc import Iterable

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Column
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS, REGRESSION_KINDS, Rule, RuleKind

__all__ = ["span_under", "why_out_of_reach", "why_unlikely"]

_LEAST_PERCENT = 10
"""A bar from here on was meant in percent."""
_CEILINGS: frozenset[RuleKind] = frozenset({"max", "max_p50", "max_p95"})


def why_out_of_reach(rule: Rule, column: Column, cases: Iterable[JudgedCase]) -> str | None:
    """Return why a rule says nothing of scores that are known to lie in 0..1; None where it says something.

    Args:
        rule: any.
        column: the readings of its metric.
        cases: of its suite and model.
    """
    told = _beyond(rule)
    if told is None or column.span != (0.0, 1.0) or not _is_unit(rule, cases):
        return None
    return f"a score in 0..1 {told}; write {_meant(rule, rule.bound or 0.0)}"


def why_unlikely(rule: Rule, span: tuple[float, float]) -> str:
    """Return why a rule on a change may say nothing of scores that only happen to lie in 0..1; else an empty text."""
    told = _beyond(rule) if span == (0.0, 1.0) else None
    return f"what lies in 0..1, as all its values do, {told}" if told else ""


def span_under(rule: Rule, span: tuple[float, float], rows: int, cases: Iterable[JudgedCase]) -> tuple[float, float]:
    """Return between what a missing value lies: any number where a test recorded them and no share misses the rule.

    Args:
        rule: any.
        span: between what it lies by the values that are there.
        rows: how many values a total has.
        cases: of its suite and model.
    """
    if span != (0.0, 1.0) or rule.metric in COUNTED_METRICS or not _holds_for_shares(rule, rows):
        return span
    return span if _is_unit(rule, cases) else (-math.inf, math.inf)


def _holds_for_shares(rule: Rule, rows: int) -> bool:
    """Return whether nothing in 0..1 misses a rule."""
    bound = 0.0 if rule.bound is None else rule.bound
    if rule.kind in REGRESSION_KINDS or rule.kind in _CEILINGS:
        return bound >= 1
    if rule.kind == "max_total":
        return bound >= rows
    return (rule.kind == "min" and bound <= 0) or (rule.kind == "min_lower" and bound < 0)


def _beyond(rule: Rule) -> str | None:
    """Return what a number in 0..1 never does, where the rule is about that."""
    bound = 0.0 if rule.bound is None else rule.bound
    if rule.metric in COUNTED_METRICS:  # the file is refused for such a bound on a share
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
    """Return whether a scorer or judge made each value of a metric."""
    if rule.metric in MEASURED_METRICS:
        return False
    valued = [case for case in cases if case.scores.get(rule.metric) is not None]
    made = (case.digests.get(rule.metric) or case.judge_ids.get(rule.metric) for case in valued)
    return bool(valued) and all(made)


def _meant(rule: Rule, bound: float) -> str:
    """Return what to write in place of a bound: that much in percent, where it can be one."""
    least = 1 if rule.kind in REGRESSION_KINDS else _LEAST_PERCENT
    return f"{bound / 100:.12g}" if least <= bound <= 100 else "a number there"
