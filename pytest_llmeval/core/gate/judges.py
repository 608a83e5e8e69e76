"""The judge behind a metric: whether all rows have the same one, and whether it may gate."""

from collections.abc import Iterable
from dataclasses import replace

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.decide import Decision
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.asking import JUDGES_DIFFER
from pytest_llmeval.core.judge.trust import Trust
from pytest_llmeval.core.rules import Rule, Thresholds
from pytest_llmeval.core.text import one_line

__all__ = ["gating", "judges_of", "reported", "why_no_one_judge", "why_not_gating"]


def judges_of(metric: str, cases: Iterable[JudgedCase], part: str | None = None) -> frozenset[str | None]:
    """Return the judge ids behind a metric, over the cases with a value; None among them stands for a plain scorer.

    All scores of a case make its outcome (``pass_rate``). If one of them has two judges, those are its judges;
    otherwise it has none.

    Args:
        metric: the metric.
        cases: cases of one suite and model.
        part: a slice; None for all cases.
    """
    found: dict[str, set[str | None]] = {}
    for case in cases:
        if case.outcome != "skipped" and (part is None or part in case.slices):
            for name in case.scores if metric == "pass_rate" else (metric,):
                if case.scores.get(name) is not None:
                    found.setdefault(name, set()).add(case.judge_ids.get(name))
    if metric == "pass_rate":
        return frozenset(next((judges for judges in found.values() if len(judges - {None}) > 1), ()))
    return frozenset(found.get(metric, ()))


def why_no_one_judge(rule: Rule, judges: frozenset[str | None], trust: Trust) -> str | None:
    """Return why a metric comes from several judges, or why the rule cannot make demands on its judge; else None."""
    known = judges - {None}
    if len(known) > 1:
        return (
            f"{len(known)} different judges ({JUDGES_DIFFER}) made it, as where a run is resumed after a change, or a"
            " test passes another rubric, right_if, wrong_unless, reference or per_dimension in some of the rows (pass"
            " the same in all); have one judge all of them: llmeval rescore RUN --judge-model SPEC"
        )
    if rule.judge is not None and judges and not known:
        return f"no judge made {one_line(rule.metric, 60)!r}, so nothing can be demanded of one; remove judge"
    return next((_of_comparison(rule) for each in known if rule.judge and each and trust.compares(each)), None)


def why_not_gating(rule: Rule, judges: frozenset[str | None], trust: Trust) -> str | None:
    """Return why a rule may not gate, if its judge does not meet the rule's demands; else None."""
    (known, *_) = [*(judges - {None}), None]
    if rule.judge is None or known is None:
        return None
    return _of_comparison(rule) if trust.compares(known) else trust.missed(rule.judge, known, rule.metric)


def _of_comparison(rule: Rule) -> str:
    return (
        f"{one_line(rule.metric, 60)!r} says which of two answers is better, which nobody can label, so nothing"
        " can be demanded of its judge; remove judge"
    )


def gating(thresholds: Thresholds, cases: Iterable[JudgedCase], trust: Trust) -> tuple[Thresholds, dict[Rule, str]]:
    """Return the rules that may gate for at least one model, and why each of the others may not.

    Args:
        thresholds: all rules.
        cases: cases of a run.
        trust: agreement of the judges with people.
    """
    demanding = [rule for suite in thresholds.suites.values() for rule in suite.rules if rule.judge is not None]
    groups = grouped(cases if demanding else (), lambda case: (case.suite, case.model))
    silent: dict[Rule, str] = {}
    for rule in demanding:
        own = [found for (suite, model), found in groups.items() if suite == rule.suite and rule.model in (None, model)]
        parts = [why_not_gating(rule, judges_of(rule.metric, found, rule.slice), trust) for found in own]
        reasons = [why for why in parts if why is not None]
        if reasons and len(reasons) == len(parts):
            silent[rule] = reasons[0]
    suites = {
        name: replace(suite, rules=tuple(rule for rule in suite.rules if rule not in silent))
        for name, suite in thresholds.suites.items()
    }
    return replace(thresholds, suites=suites), silent


def reported(decision: Decision, why: str) -> Decision:
    """Return ``decision`` as one that is shown but not judged, for the reason ``why``."""
    detail = f" ({decision.reason})" if decision.reason else ""
    reason = f"its judge may not gate: {why}. The rule by itself: {decision.verdict}{detail}"
    return replace(decision, verdict="not_judged", is_open=False, reason=reason)
