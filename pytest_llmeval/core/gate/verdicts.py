"""The verdicts on rules that are decided by a test or an interval: from evidence to numbers, verdict and reason."""

import functools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pytest_llmeval.core.gate.column import OpenRows
from pytest_llmeval.core.gate.decide import SLACK, Decision, Judgement, name_open, name_samples, show_number
from pytest_llmeval.core.gate.evidence import FEW_ROWS, LEAST_CLUSTERS, Evidence, FewChanges, Weight, are_few_groups
from pytest_llmeval.core.gate.family import Adjusted, Share, on_its_side
from pytest_llmeval.core.gate.power import least_groups
from pytest_llmeval.core.gate.sight import Sight, margin_needed
from pytest_llmeval.core.gate.spread import Spread
from pytest_llmeval.core.rules import REGRESSION_KINDS, Rule
from pytest_llmeval.core.stats.distributions import normal_quantile, student_quantile
from pytest_llmeval.core.stats.hidden_loss import hidden_loss
from pytest_llmeval.core.stats.paired import least_flips, mcnemar
from pytest_llmeval.core.stats.power import errors_of_signs, flips_bound
from pytest_llmeval.core.text import counted

__all__ = ["decide_by_p", "decide_noninferior"]

_POWER = 0.8
_TRIED = "with all that was tried for the missing values, from the best to the worst"
_UNSURE = 4.0
"""A change is inconclusive if its p-value is below this many times ``Share.whole``, and noise from there on."""


def decide_by_p(
    rule: Rule,
    evidence: Evidence,
    share: Share,
    adjusted: Callable[[Weight], Adjusted | None],
    *,
    broken: str | None,
    open_rows: OpenRows,
) -> Decision:
    """Return the decision on a rule that fails only if chance alone does not explain its shortfall.

    Args:
        rule: ``max_drop``, ``max_rise``, or ``min`` and ``max`` with ``confident``.
        evidence: the evidence against the rule.
        share: the rule's share of alpha.
        adjusted: returns Holm's adjusted p-value of a weight.
        broken: why the run is not valid, so that the rule can only fail or be unmeasurable.
        open_rows: rows without a value that leave the rule open.
    """
    found = adjusted(evidence.found)
    shown = _shown(rule, evidence, share, found.found if found is not None else None)
    verdicts = {verdict for weight in evidence.possible for verdict in _at(rule, weight, share, adjusted)}
    if verdicts == {"fail"}:
        return replace(shown, verdict="fail", reason=_why(rule, evidence, share, shown, broken))
    if broken:
        return replace(shown, verdict="unmeasurable", reason=broken)
    (verdict, *others) = verdicts
    if others or verdict is None:
        return replace(
            shown, verdict="inconclusive", is_open=True, reason=_why_open(rule, evidence, verdicts, open_rows)
        )
    return replace(shown, verdict=verdict, reason=_why(rule, evidence, share, shown, None))


def decide_noninferior(
    rule: Rule, evidence: Evidence, alpha: float, *, broken: str | None, open_rows: OpenRows
) -> Decision:
    """Return the decision on ``mode: noninferior``: it passes if the loss is less than the margin with confidence.

    That is, if the one-sided upper confidence bound of the loss at ``1 - alpha`` (Student's t, clustered where rows
    are) lies below the margin. As t is unreliable with few losses, the bound is at least what rare rows may hide
    (``hidden_loss``) where no row can lose more than 1; clusters count there as ``equal_clusters`` of one size.
    """
    share = Share(alpha=alpha, rules=1)
    shown = _shown(rule, evidence, share, None)
    best, *others = evidence.possible
    bounds = [_loss_bound(best, alpha, -math.inf), *(_loss_bound(each, alpha, math.inf) for each in others)]
    margin = rule.bound or 0.0
    held = {bound < margin for bound in bounds}
    told = _told_loss(bounds, margin)
    found = "; ".join([told, _changed(rule, evidence), *_rows(evidence), *_whatever(evidence, broken)])
    if held == {False}:
        return replace(shown, verdict="fail", reason=found)
    if broken or len(held) > 1:
        reason = broken or f"{told}: {name_open(open_rows, rule.metric)}"
        return replace(shown, verdict="unmeasurable" if broken else "inconclusive", is_open=not broken, reason=reason)
    return replace(shown, verdict="pass", reason=found)


def _told_loss(bounds: Sequence[float], margin: float) -> str:
    """Return in words how large the loss may be, or how small the gain if the margin demands one (0 or below)."""
    word, sign = ("gain may be as little as", -1) if margin <= 0 else ("loss may be up to", 1)
    told = sorted(sign * bound for bound in bounds)
    ends = [each if math.isfinite(each) else None for each in (told[0], told[-1])]
    low, high, shown = _told_apart(*ends, sign * margin)
    return f"the {word} {low if low == high else f'{low} to {high}'}, the margin is {shown}"


def _told_apart(*values: float | None) -> list[str]:
    """Return numbers as text, with enough digits to show which of them differ from the last one."""
    few = [show_number(value) for value in values]
    is_hidden = any(told == few[-1] and value != values[-1] for told, value in zip(few, values, strict=True))
    return [show_number(value, 12) for value in values] if is_hidden else few


def _detectable(rule: Rule, evidence: Evidence, alpha: float) -> float | None:
    """Return the smallest true change that the rule detects with 80 % power; None if it detects none, or unknown.

    The observed change must lie t_{1-alpha} standard errors below 0 and beyond what the rule allows; the true change
    must lie t_{0.8} standard errors further. With few rows or groups, ``errors_of_signs`` gives both numbers. For
    yes-or-no rows see ``Sight``, with as many further flips as this run has by chance. If other rows or clusters are
    decided by the signs of the few that changed, and not all changed, the result is at least that of yes-or-no rows
    which each lose as much as those that changed, in the mean over their rows.
    For ``noninferior`` the result is the loss that is ruled out in four of five runs without any change; None if not
    even a loss of 1 is.

    Args:
        rule: the rule that is to detect the change.
        evidence: the evidence of this run.
        alpha: the p-value below which the rule fails.
    """
    error, allowed, flips = evidence.found.error, _allowed(rule), evidence.found.flips
    if rule.kind != "noninferior" and _is_blind(rule, evidence, alpha):  # ``noninferior`` needs no signs for its bound
        return None
    if flips is not None and (evidence.is_binary or rule.kind == "noninferior"):
        worse, better, rows = flips
        by_chance = _by_chance(min(worse, better), max(worse, better), alpha)
        if rule.kind == "noninferior":
            return _least_margin(rows, by_chance, alpha)
        return _least_drop(rows, by_chance, alpha, allowed)
    if rule.kind == "noninferior" and evidence.found.units is not None:
        return _least_margin_of_units(evidence.found, alpha)
    if error is None:
        return None
    needed, by_power = _in_errors(rule, evidence, alpha)
    least = max(needed, allowed / error + by_power) * error
    few = evidence.found.few if rule.kind != "noninferior" else None
    if few is None or few.worse + few.better == few.units:
        return least
    return max(least, _least_of_few(few, alpha, allowed) or 0.0)


def _in_errors(rule: Rule, evidence: Evidence, alpha: float) -> tuple[float, float]:
    """Return how many standard errors a change must have to be detected with 80 % power, and the part due to power."""
    units = evidence.n if evidence.clusters is None else evidence.clusters
    if rule.kind in ("max_drop", "max_rise") and _is_by_signs(evidence):
        return errors_of_signs(units, alpha=alpha, power=_POWER)
    df = evidence.found.df or units - 1
    by_power = student_quantile(_POWER, df)
    return by_power - student_quantile(alpha, df), by_power


def _is_by_signs(evidence: Evidence) -> bool:
    """Return whether a sign-flip test on rows, or on groups of dependent rows, decides instead of Student's t."""
    return evidence.found.few is not None or _are_few(evidence)


def _are_few(evidence: Evidence) -> bool:
    """Return whether there are too few rows or groups for Student's t, however many of them changed."""
    if evidence.clusters is None:
        return evidence.n < FEW_ROWS
    return evidence.found.df is None or are_few_groups(evidence.found.df)


def _is_blind(rule: Rule, evidence: Evidence, alpha: float) -> bool:
    """Return whether the rule could not fail even if all rows, or all groups of dependent rows, got worse.

    Rows with several epochs are assumed to be graded, unless the p-value found is below ``alpha`` anyway.
    """
    groups = evidence.clusters
    if groups is not None and rule.kind not in REGRESSION_KINDS:
        return groups < LEAST_CLUSTERS
    if groups is not None:
        return groups < least_groups(alpha) or (_are_few(evidence) and groups < least_flips(alpha, mid_p=False))
    if evidence.found.p_value is not None and evidence.found.p_value < alpha:
        return False
    return evidence.n < least_flips(alpha, mid_p=evidence.is_binary)


def _by_chance(fewer: int, more: int, alpha: float) -> int:
    """Return how many flips to attribute to chance: all, or if the change is significant, twice the smaller number."""
    return 2 * fewer if mcnemar(more, fewer) < alpha else fewer + more


@functools.lru_cache(maxsize=1024)
def _least_drop(rows: int, flips: int, alpha: float, allowed: float) -> float | None:
    """Return the smallest detectable drop of yes-or-no rows that were all right, with ``flips`` more by chance."""
    return Sight(spread=_flipping(rows, flips), alpha=alpha, power=_POWER, allowed=allowed).least()


def _least_of_few(few: FewChanges, alpha: float, allowed: float) -> float | None:
    """Return the smallest detectable drop where signs decide; None if such changes cannot exceed what is allowed."""
    alpha = alpha if few.has_mid_p else alpha / 2  # a p-value is at most twice the mid-p
    by_chance = _by_chance(min(few.worse, few.better), max(few.worse, few.better), alpha)
    share = _least_drop(few.units, by_chance, alpha, allowed / few.size)
    return None if share is None else share * few.size


@functools.lru_cache(maxsize=1024)
def _least_margin(rows: int, flips: int, alpha: float) -> float | None:
    """Return the smallest margin that ``noninferior`` can rule out for yes-or-no rows; None if it is 1 or more."""
    margin = margin_needed(_flipping(rows, flips), alpha=alpha, power=_POWER, n=rows)
    return margin if margin < 1 else None


def _least_margin_of_units(found: Weight, alpha: float) -> float | None:
    """Return the smallest margin that can be ruled out for other rows that lose at most 1; None if it is 1 or more."""
    assert found.units is not None
    error, hidden = found.error or 0.0, hidden_loss(found.losses, found.units, alpha=alpha)
    margin = max(-normal_quantile(alpha) * error, hidden) + normal_quantile(_POWER) * error
    return margin if margin < 1 else None


def _flipping(rows: int, flips: int) -> Spread:
    """Return the spread of yes-or-no rows that are all right, except that ``flips`` of them flip."""
    within = flips / rows / 2
    return Spread(
        n=rows,
        mean=1.0,
        sd=None,
        epochs=1.0,
        between=-within,  # so that their mean square is 1, as for rows that are right
        within=within,
        is_unit=True,
        is_binary=True,
        groups=None,
        worth=None,
        design=1.0,
        source="two runs",
    )


def _at(
    rule: Rule, weight: Weight | None, share: Share, adjusted: Callable[[Weight], Adjusted | None]
) -> set[Judgement | None]:
    """Return the verdicts possible at one end, over all p-values of the other rules; {None} if the end is unbounded."""
    if weight is None:
        return {None}
    p_value = adjusted(weight)
    ends = (p_value.least, p_value.most) if p_value is not None else (None,)
    return {_by_p(rule, weight, share, end) for end in ends}


def _by_p(rule: Rule, weight: Weight, share: Share, p_value: float | None) -> Judgement:
    if weight.shortfall <= _allowed(rule) + SLACK:
        return "pass"
    if p_value is not None and p_value < share.alpha:
        return "fail"
    is_noise = p_value >= _UNSURE * share.whole if p_value is not None else _is_noise_by_signs(weight, share)
    return "pass" if rule.kind in REGRESSION_KINDS and is_noise else "inconclusive"


def _is_noise_by_signs(weight: Weight, share: Share) -> bool:
    """Return whether the signs of groups, too few for a test, show that a change is noise.

    They cannot if so few groups changed that even all of them getting worse would count as noise.
    """
    if weight.signs is None or weight.few is None:
        return False
    least = 0.5 ** (weight.few.worse + weight.few.better + 1)
    return least < _UNSURE * share.whole <= weight.signs


def _allowed(rule: Rule) -> float:
    """Return the change that a ``max_drop`` or ``max_rise`` allows; 0 for other rules."""
    return rule.bound or 0.0 if rule.kind in ("max_drop", "max_rise") else 0.0


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
        mde=_detectable(rule, evidence, share.strictest),
    )


def _why(rule: Rule, evidence: Evidence, share: Share, shown: Decision, broken: str | None) -> str:
    """Return the reason for a verdict on which all ends agree."""
    if evidence.before is None:
        value, bar = _told_apart(evidence.value, rule.bound)
        parts = [
            f"it is {value}, the bar {bar}",
            _chance(rule, evidence, share, shown.p_value),
        ]
    else:
        parts = [
            _changed(rule, evidence),
            _chance(rule, evidence, share, shown.p_value),
            *_sight(rule, evidence, share, shown.mde),
            *_rows(evidence),
        ]
    return "; ".join([*parts, *_whatever(evidence, broken)])


def _whatever(evidence: Evidence, broken: str | None) -> list[str]:
    """Return a remark that missing values do not change the verdict; empty if no value is missing."""
    if evidence.ends is None:
        return []
    so = "whatever the missing values are" if evidence.are_bounds else _TRIED
    return [f"so it is {so}" + (f" ({broken})" if broken else "")]


def _changed(rule: Rule, evidence: Evidence) -> str:
    """Return the change of the value in words, with its interval."""
    change = evidence.delta or 0.0
    interval = ""
    if evidence.low is not None and evidence.high is not None:
        interval = f", 90% interval {evidence.low:+.3g}..{evidence.high:+.3g}"
    is_within = 0 < evidence.found.shortfall <= _allowed(rule) + SLACK
    within = f", within the {show_number(rule.bound)} allowed" if is_within else ""
    return f"{show_number(evidence.before)} to {show_number(evidence.value)} ({change:+.3g}{interval}){within}"


def _chance(rule: Rule, evidence: Evidence, share: Share, p_value: float | None) -> str:
    if p_value is None:
        groups = _too_few_groups(evidence)
        few = f"only {counted(groups, 'group')} of dependent rows" if groups is not None else "too little spread"
        if evidence.found.shortfall > _allowed(rule) + SLACK and _is_noise_by_signs(evidence.found, share):
            return f"{few}, too few to fail; noise by their signs (p {evidence.found.signs:.2g})"
        return f"{few}, so that no test can tell it from chance"
    after = f" after Holm over {share.rules} rules" if share.rules > 1 else ""
    p, alpha = on_its_side(p_value, share.alpha)
    return f"p {p}{after}, fails below {alpha}"


def _too_few_groups(evidence: Evidence) -> int | None:
    """Return the number of groups of dependent rows if they are too few for a test, else None."""
    return evidence.clusters if evidence.clusters is not None and evidence.clusters < LEAST_CLUSTERS else None


def _sight(rule: Rule, evidence: Evidence, share: Share, mde: float | None) -> list[str]:
    """Return in words which changes the rule can detect; empty if ``_chance`` already says that there is no test."""
    if mde is not None:
        return [f"sees changes from {mde:.2g} up"]
    if _too_few_groups(evidence) is not None:
        return []
    if not _is_blind(rule, evidence, share.strictest):
        return ["what it can see is unknown"]
    few = "rows" if evidence.clusters is None else "groups of dependent rows"
    return [f"it cannot fail by itself with so few {few}"]


def _rows(evidence: Evidence) -> list[str]:
    """Return in words which rows changed, which are left out, and what makes the rule doubtful."""
    named = f" ({name_samples(evidence.worse, in_order=True)})" if evidence.worse else ""
    message = f"rows: {len(evidence.worse)} worse{named}, {evidence.better} better"
    return [each for each in (message, evidence.left_out, evidence.note) if each]


def _why_open(rule: Rule, evidence: Evidence, verdicts: Collection[Judgement | None], open_rows: OpenRows) -> str:
    ends = " or ".join(sorted(verdict or "anything" for verdict in verdicts))
    parts = [f"it comes to {ends} by what the missing answers are: {name_open(open_rows, rule.metric)}"]
    if not open_rows.ids:
        parts = [f"it comes to {ends} by the p-values of other rules, whose missing answers leave them open"]
    if evidence.before is not None:
        parts += [f"so far {_changed(rule, evidence)}", *_rows(evidence)]
    return "; ".join(parts)


def _loss_bound(weight: Weight | None, alpha: float, unknown: float) -> float:
    """Return the upper confidence bound of the loss at ``1 - alpha``; ``unknown`` for an end without a weight.

    If values may be any number, only their spread is known: if all rows changed alike, the bound is the loss itself.
    """
    if weight is None:
        return unknown
    if weight.flips is not None:
        worse, better, rows = weight.flips
        return flips_bound(worse, better, rows, alpha=alpha)
    by_t = -student_quantile(alpha, weight.df) * weight.error if weight.df and weight.error else 0.0
    if weight.units is None:
        return weight.shortfall + by_t if weight.df else math.inf
    return min(1.0, weight.shortfall + max(by_t, hidden_loss(weight.losses, weight.units, alpha=alpha)))
