"""What the rules of a session can see at all, told before anything is spent: what they can never fail for, or pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_llmeval.core.gate_family import Share, is_decided_by_p, looks_alpha, shares_of
from pytest_llmeval.core.gate_names import show_key
from pytest_llmeval.core.gate_sizes import MOST_GROUPS, MOST_ROWS, SuiteSize
from pytest_llmeval.core.paired import least_flips
from pytest_llmeval.core.rules import REGRESSION_KINDS, Rule, Thresholds

__all__ = ["LEAST_GROUPS", "RuleShare", "family", "hopeless", "place_of"]

LEAST_GROUPS = 5
"""With fewer groups of dependent rows no test can tell anything from chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShare:
    """One rule for one model, with what it may claim of the session's false alarms."""

    rule: Rule
    model: str
    alpha: float
    """Of its suite and of one look."""
    share: Share


def family(thresholds: Thresholds, sizes: Mapping[str, SuiteSize]) -> list[RuleShare]:
    """Return the rules that share the false alarms of a session with cases of these suites, once for each model.

    Rules whose suite, slice or model has no case take no part.
    """
    members = [
        (rule, model, looks_alpha(suite.settings))
        for name, suite in thresholds.suites.items()
        for rule in suite.rules
        for model in (sizes[name].models if name in sizes else ())
        if is_decided_by_p(rule) and rule.model in (None, model) and sizes[name].rows.get(rule.slice)
    ]
    shares = shares_of([(rule, alpha) for rule, _, alpha in members])
    return [
        RuleShare(rule=rule, model=model, alpha=alpha, share=share)
        for (rule, model, alpha), share in zip(members, shares, strict=True)
    ]


def hopeless(thresholds: Thresholds, sizes: Mapping[str, SuiteSize]) -> list[str]:
    """Return a message for each rule on a change that cannot fail by itself, in the order of the file.

    Its least possible p-value, with every row getting worse, is not below its share of alpha over the rules of its
    half of the family; Holm gives it more only where others fail. McNemar's mid-p of n rows is (1/2)^(n + 1), and so
    is that of the sign-flip test over n groups of dependent rows. Below 5 groups there is no test, from 10 on there
    is Student's t, which has no such end.

    Args:
        thresholds: the rules.
        sizes: what is to run, or what ran, by suite.
    """
    members = family(thresholds, sizes)
    return list(dict.fromkeys(message for member in members for message in _hopeless(thresholds, member, sizes)))


def place_of(thresholds: Thresholds, rule: Rule, key: str) -> str:
    """Return where a rule stands: ``thresholds.yaml:7: suites.qa.slices.hard.exact.max_drop``."""
    part = f".slices.{show_key(rule.slice)}" if rule.slice is not None else ""
    line = f":{rule.line}" if rule.line is not None else ""
    return f"{thresholds.shown_as}{line}: suites.{show_key(rule.suite)}{part}.{show_key(rule.metric)}.{key}"


def _hopeless(thresholds: Thresholds, member: RuleShare, sizes: Mapping[str, SuiteSize]) -> Iterator[str]:
    rule, size = member.rule, sizes[member.rule.suite]
    if rule.kind not in REGRESSION_KINDS:
        return
    needed, there, of = least_flips(member.share.strictest), size.rows[rule.slice], "row"
    if rule.slice in size.groups:
        needed, there, of = min(MOST_GROUPS, max(LEAST_GROUPS, needed)), size.groups[rule.slice], "group"
    if there < min(needed, MOST_ROWS):
        place = place_of(thresholds, rule, rule.kind)
        found = f"{there} {of}{'' if there == 1 else 's'}{' of dependent rows' if of == 'group' else ''}"
        yield f"{place}: can never fail by itself: {found}, at least {needed} are needed ({_told(member)})"


def _told(member: RuleShare) -> str:
    """Return what a rule may claim, in words."""
    share, alpha, rules = member.share, f"alpha {member.alpha:.3g}", "rules"
    if share.alpha < member.alpha:
        alpha, rules = f"half of {alpha}", f"{'suite' if member.rule.slice is None else 'slice'} rules"
    return f"{share.rules} {rules} share {alpha}" if share.rules > 1 else f"its share is {alpha}"
