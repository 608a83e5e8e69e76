"""The judge behind a metric: whether it is one and the same in all rows, and whether it may gate."""

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
    """Return what identifies the judges of a metric, over the cases with a value; None stands for a plain scorer.

    The outcome (``pass_rate``) is made by all scores of a case, so that two judges of one of them are two of it; where
    no score has two it has no judge.

    Args:
        metric: the metric.
        cases: of one suite and model.
        part: a slice; None for all.
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
    """Return why a metric is no number of one judge, where it must be, or of one that a rule can hold to nothing."""
    known = judges - {None}
    if len(known) > 1:
        return (
            f"{len(known)} different judges ({JUDGES_DIFFER}) made it, as where a run is resumed after a change, or a"
            " test passes another rubric, right_if, wrong_unless, reference or per_dimension in some of the rows (pass"
            " the same in all); have one judge all of them: llmeval rescore RUN --judge-model SPEC"
        )
    if rule.judge is not None and judges and not known:
        return f"no judge made {one_line(rule.metric, 60)!r}, so that nothing can be demanded of one; take judge out"
    return next((_of_comparison(rule) for each in known if rule.judge and each and trust.compares(each)), None)


def why_not_gating(rule: Rule, judges: frozenset[str | None], trust: Trust) -> str | None:
    """Return why a rule may not gate, as its judge does not meet what the rule demands; None where it may."""
    (known, *_) = [*(judges - {None}), None]
    if rule.judge is None or known is None:
        return None
    return _of_comparison(rule) if trust.compares(known) else trust.missed(rule.judge, known, rule.metric)


def _of_comparison(rule: Rule) -> str:
    return (
        f"{one_line(rule.metric, 60)!r} says which of two answers is better, which nobody can label, so that nothing"
        " can be demanded of its judge; take judge out"
    )


def gating(thresholds: Thresholds, cases: Iterable[JudgedCase], trust: Trust) -> tuple[Thresholds, dict[Rule, str]]:
    """Return the rules that may gate, and why each of the others may not, whichever model it is about.

    Args:
        thresholds: all rules.
        cases: of a run.
        trust: what judges are worth.
    """
    demanding = [rule for suite in thresholds.suites.values() for rule in suite.rules if rule.judge is not None]
    groups = grouped(cases if demanding else (), lambda case: (case.suite, case.model))
    silent: dict[Rule, str] = {}
    for rule in demanding:
        own = [found for (suite, model), found in groups.items() if suite == rule.suite and rule.model in (None, model)]
        told = [why_not_gating(rule, judges_of(rule.metric, found, rule.slice), trust) for found in own]
        reasons = [why for why in told if why is not None]
        if reasons and len(reasons) == len(told):
            silent[rule] = reasons[0]
    suites = {
        name: replace(suite, rules=tuple(rule for rule in suite.rules if rule not in silent))
        for name, suite in thresholds.suites.items()
    }
    return replace(thresholds, suites=suites), silent


def reported(decision: Decision, why: str) -> Decision:
    """Return a decision that is shown and decides nothing."""
    told = f" ({decision.reason})" if decision.reason else ""
    reason = f"its judge may not gate: {why}. The rule by itself: {decision.verdict}{told}"
    return replace(decision, verdict="not_judged", is_open=False, reason=reason)
