"""Rules that cannot fail with the rows of a session, found before anything is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.core.gate.evidence import LEAST_CLUSTERS
from pytest_llmeval.core.gate.family import Share, is_decided_by_p, looks_alpha, shares_of
from pytest_llmeval.core.gate.names import at_line, place_of
from pytest_llmeval.core.gate.sizes import MOST_GROUPS, MOST_ROWS, SuiteSize
from pytest_llmeval.core.names import show_key
from pytest_llmeval.core.rules import REGRESSION_KINDS, Rule, Thresholds
from pytest_llmeval.core.stats.paired import least_flips
from pytest_llmeval.core.text import and_more, one_line

__all__ = ["RuleShare", "UnfailingRule", "family", "hopeless", "least_groups", "unfailing"]

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShare:
    """One rule for one model, with its share of the session's alpha."""

    rule: Rule
    alpha: float
    """Alpha of the suite, for one look."""
    share: Share


def family(thresholds: Thresholds, sizes: Mapping[str, SuiteSize]) -> list[RuleShare]:
    """Return the rules that share alpha in a session of these sizes, once for each model.

    Rules whose suite, slice or model has no case are left out. A rule over fewer than 5 groups of dependent rows cannot
    fail and takes nothing from the others' shares; its own share is the one it would have if all had enough groups.
    """
    members = [
        (rule, looks_alpha(thresholds, suite.settings, sizes))
        for name, suite in thresholds.suites.items()
        for rule in suite.rules
        for model in (sizes[name].models if name in sizes else ())
        if is_decided_by_p(rule) and rule.model in (None, model) and sizes[name].rows.get(rule.slice)
    ]
    tested = iter(shares_of([each for each in members if _has_test(each[0], sizes)]))
    return [
        RuleShare(rule=rule, alpha=alpha, share=next(tested) if _has_test(rule, sizes) else share)
        for (rule, alpha), share in zip(members, shares_of(members), strict=True)
    ]


def _has_test(rule: Rule, sizes: Mapping[str, SuiteSize]) -> bool:
    """Return whether a p-value can fail the rule, like ``Evidence.has_test`` but before the run."""
    groups = sizes[rule.suite].groups.get(rule.slice)
    return rule.kind not in REGRESSION_KINDS or groups is None or groups >= LEAST_CLUSTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfailingRule:
    """A rule on a change that cannot fail by itself because it has too few rows."""

    rule: Rule
    there: int
    needed: int
    unit: Literal["rows", "groups of dependent rows"]
    """Unit of ``there`` and ``needed``."""
    claim: str
    """The rule's share of alpha, in words."""


def unfailing(thresholds: Thresholds, sizes: Mapping[str, SuiteSize]) -> list[UnfailingRule]:
    """Return the rules on a change that cannot fail by themselves, each once, in the order of the file.

    Even if every row got worse, the p-value of such a rule would not be below its share of alpha divided by the number
    of rules in its half of the family; Holm's procedure grants more only if others fail. If all n rows got worse,
    McNemar's mid-p is (1/2)^(n + 1). Rows that are not yes or no, which is not known yet, need one row more. So do
    groups of dependent rows, for which the sign-flip test's p is (1/2)^n; below 5 groups there is no test, and from 10
    on Student's t is used, which has no such limit.

    Args:
        thresholds: the rules.
        sizes: sizes of the suites that are to run, or that ran, by suite.
    """
    found = (_unfailing(member, sizes[member.rule.suite]) for member in family(thresholds, sizes))
    return list(dict.fromkeys(each for each in found if each is not None))


def hopeless(thresholds: Thresholds, sizes: Mapping[str, SuiteSize]) -> list[str]:
    """Return a message for each ``unfailing`` rule; slices that need the same number of rows share one message."""
    found: dict[tuple[object, ...], list[UnfailingRule]] = {}
    for each in unfailing(thresholds, sizes):
        rule = each.rule
        part = rule.slice is not None or rule  # a rule on the whole suite has a message of its own
        key = (rule.suite, part, rule.metric, rule.kind, each.unit, each.needed, each.claim)
        found.setdefault(key, []).append(each)
    return [_note(thresholds, each) for each in found.values()]


def least_groups(alpha: float) -> int:
    """Return the fewest groups of dependent rows with which a p-value can be below ``alpha``."""
    return min(MOST_GROUPS, max(LEAST_CLUSTERS, least_flips(alpha, mid_p=False)))


def _unfailing(member: RuleShare, size: SuiteSize) -> UnfailingRule | None:
    rule, claim = member.rule, _claim(member)
    if rule.kind not in REGRESSION_KINDS:
        return None
    if rule.slice in size.groups:
        needed, there = least_groups(member.share.strictest), size.groups[rule.slice]
        short = UnfailingRule(rule=rule, there=there, needed=needed, unit="groups of dependent rows", claim=claim)
    else:
        needed, there = least_flips(member.share.strictest), size.rows[rule.slice]
        short = UnfailingRule(rule=rule, there=there, needed=needed, unit="rows", claim=claim)
    return short if there < min(needed, MOST_ROWS) else None


def _note(thresholds: Thresholds, found: Sequence[UnfailingRule]) -> str:
    first, counts = found[0], sorted({each.there for each in found})
    there = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    size = f"{there} {first.unit.replace('s', '', 1) if counts == [1] else first.unit}"
    needs = f"{first.needed} are needed ({first.claim})"
    rule = first.rule
    if len(found) == 1:
        return f"{place_of(thresholds, rule, rule.kind)}: cannot fail by itself with {size}; {needs}"
    named = [one_line(each.rule.slice or "", 40) for each in found]
    place = f"{at_line(thresholds, rule.line)}suites.{show_key(rule.suite)}.slices"
    what = f"{show_key(rule.metric)}.{rule.kind} cannot fail by itself in {len(named)} slices of {size}"
    return f"{place}: {what}; {needs}: {and_more(named, _NAMED)}"


def _claim(member: RuleShare) -> str:
    """Return a rule's share of alpha in words."""
    share, alpha, rules = member.share, f"alpha {member.alpha:.3g}", "rules"
    if share.alpha < member.alpha:
        alpha, rules = f"half of {alpha}", f"{'suite' if member.rule.slice is None else 'slice'} rules"
    return f"{share.rules} {rules} share {alpha}" if share.rules > 1 else f"its share is {alpha}"
