"""From evidence to a verdict, in numbers and in words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_llmeval.core.distributions import student_quantile
from pytest_llmeval.core.gate_decide import SLACK, Decision, Judgement, name_samples
from pytest_llmeval.core.gate_evidence import LEAST_CLUSTERS, Evidence, Weight
from pytest_llmeval.core.gate_family import Share
from pytest_llmeval.core.gate_pairs import PairedColumn
from pytest_llmeval.core.paired import detectable_effect, least_flips
from pytest_llmeval.core.rules import Rule

__all__ = ["decide_by_p", "decide_noninferior", "detectable", "lost_note"]

_POWER = 0.8
_UNSURE = 4.0
"""A change is inconclusive where its p-value lies below this many times what it may claim; above it is noise."""


def decide_by_p(
    rule: Rule,
    evidence: Evidence,
    share: Share,
    adjusted: Callable[[Weight], float | None],
    *,
    broken: str | None,
    open_ids: Sequence[str],
) -> Decision:
    """Return the decision on a rule that fails only where chance alone does not explain it.

    Args:
        rule: ``max_drop``, ``max_rise``, or ``min`` and ``max`` with ``confident``.
        evidence: against it.
        share: what it may claim.
        adjusted: gives Holm's p-value of a weight.
        broken: why the run is not valid; such a rule fails or is unmeasurable.
        open_ids: the samples without a value that leave it open.
    """
    shown = _shown(rule, evidence, share, adjusted(evidence.found))
    verdicts = {_at(rule, weight, share, adjusted) for weight in evidence.ends or (evidence.found,)}
    if verdicts == {"fail"}:
        return replace(shown, verdict="fail", reason=_why(rule, evidence, share, shown, "fail", broken))
    if broken:
        return replace(shown, verdict="unmeasurable", reason=broken)
    (verdict, *others) = verdicts
    if others or verdict is None:
        return replace(shown, verdict="inconclusive", is_open=True, reason=_why_open(evidence, verdicts, open_ids))
    return replace(shown, verdict=verdict, reason=_why(rule, evidence, share, shown, verdict, None))


def decide_noninferior(
    rule: Rule, evidence: Evidence, alpha: float, *, broken: str | None, open_ids: Sequence[str]
) -> Decision:
    """Return the decision on ``mode: noninferior``: it passes where the loss is surely less than the margin.

    Surely: the one-sided upper bound of the loss at ``1 - alpha`` (t, by clusters where there are any) lies below it.
    Without any spread the bound is that of no event in n rows, -ln(alpha) / n, each cluster counting as one.
    """
    share = Share(alpha=alpha, rules=1)
    shown = _shown(rule, evidence, share, evidence.found.p_value)
    best, worst = evidence.ends or (evidence.found, evidence.found)
    bounds = (_loss_bound(best, evidence, alpha, -math.inf), _loss_bound(worst, evidence, alpha, math.inf))
    held = {bound < (rule.bound or 0.0) for bound in bounds}
    low, high = (_show(bound if math.isfinite(bound) else None) for bound in sorted(bounds))
    told = f"the loss may be up to {high if low == high else f'{low} to {high}'}, the margin is {_show(rule.bound)}"
    if held == {False}:
        return replace(shown, verdict="fail", reason=f"{told}; {_changed(evidence)}")
    if broken or len(held) > 1:
        reason = broken or f"{told}: {_named_open(open_ids)}"
        return replace(shown, verdict="unmeasurable" if broken else "inconclusive", is_open=not broken, reason=reason)
    return replace(shown, verdict="pass", reason=f"{told}; {_changed(evidence)}")


def detectable(rule: Rule, evidence: Evidence, alpha: float) -> float | None:
    """Return the least true change that the rule would see in four runs of five; None where nothing tells.

    The minimum detectable effect (z_{1-alpha} + z_{0.8}) times the standard error, no less than what the test can see
    at all and than what the rule lets pass.

    Args:
        rule: that is to see it.
        evidence: of this run.
        alpha: the p-value below which it fails.
    """
    least = least_flips(alpha) / evidence.n if evidence.is_binary and evidence.clusters is None else None
    error = evidence.found.error
    if error is None and least is None:
        return None
    seen = detectable_effect(error, 1, alpha=alpha, power=_POWER) if error else None
    floor = (rule.bound or 0.0) if rule.kind in ("max_drop", "max_rise") else 0.0
    return max(seen or 0.0, least or 0.0, floor)


def _at(
    rule: Rule, weight: Weight | None, share: Share, adjusted: Callable[[Weight], float | None]
) -> Judgement | None:
    """Return what a rule comes to at one end; None where that end has no bound."""
    if weight is None:
        return None
    is_change = rule.kind in ("max_drop", "max_rise")
    allowed = (rule.bound or 0.0) if is_change else 0.0
    if weight.shortfall <= allowed + SLACK:
        return "pass"
    p_value = adjusted(weight)
    if p_value is not None and p_value < share.alpha:
        return "fail"
    if is_change and p_value is not None and p_value >= _UNSURE * share.alpha:
        return "pass"
    return "inconclusive"


def _shown(rule: Rule, evidence: Evidence, share: Share, p_value: float | None) -> Decision:
    return Decision(
        verdict="unmeasurable",
        value=evidence.value,
        n=evidence.n,
        low=evidence.low,
        high=evidence.high,
        baseline_value=evidence.before,
        delta=evidence.delta,
        p_value=p_value,
        mde=detectable(rule, evidence, share.strictest),
    )


def _why(rule: Rule, evidence: Evidence, share: Share, shown: Decision, verdict: str, broken: str | None) -> str:
    """Return in words what was found."""
    if evidence.before is None:
        told = f"it is {_show(evidence.value)}, the bar {_show(rule.bound)}"
    else:
        told = _changed(evidence)
    told += f"; {_chance(evidence, share, shown.p_value)}"
    if verdict == "pass":
        return f"{told}; {_sight(shown.mde)}" if evidence.before is not None else told
    if evidence.ends is not None:
        told += ", even with the best for every missing value"
    if broken:
        told += f" ({broken})"
    return f"{told}{_flips(evidence)}"


def _changed(evidence: Evidence) -> str:
    """Return by how much the value changed, in words."""
    change = evidence.delta or 0.0
    interval = ""
    if evidence.low is not None and evidence.high is not None:
        interval = f", 90% interval {evidence.low:+.3g}..{evidence.high:+.3g}"
    return f"{_show(evidence.before)} to {_show(evidence.value)} ({change:+.3g}{interval})"


def _chance(evidence: Evidence, share: Share, p_value: float | None) -> str:
    if p_value is None:
        are_few = evidence.clusters is not None and evidence.clusters < LEAST_CLUSTERS
        few = f"only {evidence.clusters} groups of dependent rows" if are_few else "too little spread"
        return f"{few}, so that no test can tell it from chance"
    rules = f" over {share.rules} rules" if share.rules > 1 else ""
    after = f" after Holm{rules}" if rules else ""
    return f"p {p_value:.2g}{after}, fails below {share.alpha:.3g}"


def _sight(mde: float | None) -> str:
    return "what it can see is unknown" if mde is None else f"sees changes from {mde:.2g} up"


def _flips(evidence: Evidence) -> str:
    if evidence.before is None:
        return ""
    worse = f"; {len(evidence.worse)} rows got worse, {len(evidence.better)} better"
    return f"{worse}; worse: {name_samples(evidence.worse, in_order=True)}" if evidence.worse else worse


def _why_open(evidence: Evidence, verdicts: set[Judgement | None], open_ids: Sequence[str]) -> str:
    ends = " or ".join(sorted(verdict or "anything" for verdict in verdicts))
    found = f"; so far {_changed(evidence)}" if evidence.before is not None else ""
    return f"it comes to {ends} by what the missing answers are: {_named_open(open_ids)}{found}"


def _named_open(open_ids: Sequence[str]) -> str:
    return f"{name_samples(open_ids)}; ask for them again with --resume"


def _loss_bound(weight: Weight | None, evidence: Evidence, alpha: float, unknown: float) -> float:
    """Return what the loss surely lies below; ``unknown`` for an end that is none."""
    if weight is None:
        return unknown
    if weight.error is None or weight.df is None:
        return weight.shortfall - math.log(alpha) / (evidence.clusters or evidence.n)
    return weight.shortfall + student_quantile(1 - alpha, weight.df) * weight.error


def _show(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def lost_note(column: PairedColumn) -> str:
    """Return what left the pairs, in words; empty where nothing did."""
    told = {
        "new or changed here": column.new,
        "not scored by the baseline": column.unscored_before,
        "without a value here": column.missing,
    }
    return ", ".join(f"{count} {what}" for what, count in told.items() if count)
