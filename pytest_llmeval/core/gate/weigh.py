"""The first pass of the gate: each rule is applied to the cases of its suite and model.

The result is a decision, or for rules decided by a p-value the evidence, since their decision also needs the p-values
of all other such rules (``family``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pytest_llmeval.core.gate.bars import weigh_bar
from pytest_llmeval.core.gate.case import records_calls
from pytest_llmeval.core.gate.changes import weigh_change
from pytest_llmeval.core.gate.column import Column, OpenRows, Reading, State, read_column
from pytest_llmeval.core.gate.decide import Decision, decide, numbers_of
from pytest_llmeval.core.gate.evidence import Evidence
from pytest_llmeval.core.gate.family import is_decided_by_p
from pytest_llmeval.core.gate.group import Group, Sheet
from pytest_llmeval.core.gate.judges import why_no_one_judge, why_not_gating
from pytest_llmeval.core.gate.opponents import left_out, nothing_pairs, refusal
from pytest_llmeval.core.gate.reach import span_under, why_out_of_reach, why_unlikely
from pytest_llmeval.core.gate.verdicts import decide_noninferior
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.rules import (
    COUNTED_METRICS,
    MEASURED_METRICS,
    REGRESSION_KINDS,
    GateSettings,
    Rule,
)
from pytest_llmeval.core.text import counted, one_line

__all__ = ["Weighed", "lacks_its_suite", "weigh_suite"]

_NO_CASE = "no case of"
_CACHED = "all answers come from the cache"
_UNCALLED = "no call of this suite went through the fixtures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One rule for one model, on its way to a verdict."""

    rule: Rule
    model: str | None
    """None for a rule without cases."""
    text: str | None = None
    """Text to show instead of the rule's own; None for the rule's own."""
    decision: Decision | None = None
    """None if the rule has evidence instead and waits for the other rules' p-values."""
    evidence: Evidence | None = None
    alpha: float = 0.0
    """Alpha of the suite, for one look."""
    broken: str | None = None
    open_rows: OpenRows | None = None
    """Rows without a value that leave the evidence open."""
    why_not_gating: str | None = None
    """Why the rule is shown but not judged; None if it is judged."""


def weigh_suite(rules: Sequence[Rule], groups: Sequence[Group]) -> list[Weighed]:
    """Return every rule of a suite, once for each model that it applies to, in the order of the file."""
    weighed = {(number, group.model): found for group in groups for number, found in _weigh_group(rules, group).items()}
    errors = [_error_rate(group) for group in groups if group.too_many_errors]
    return errors + [
        each
        for number, rule in enumerate(rules)
        for each in [weighed[number, group.model] for group in groups if (number, group.model) in weighed]
        or [Weighed(rule=rule, model=rule.model, decision=_not_selected(rule, [group.model for group in groups]))]
    ]


def _weigh_group(rules: Sequence[Rule], group: Group) -> dict[int, Weighed]:
    """Return the rules for the group's model, by index; metric by metric, so that only one sheet is in memory."""
    own = [(number, rule) for number, rule in enumerate(rules) if rule.model in (None, group.model)]
    weighed: dict[int, Weighed] = {}
    for metric in dict.fromkeys(rule.metric for _, rule in own):
        sheet = Sheet(group, metric)
        weighed |= {number: _weigh(rule, sheet) for number, rule in own if rule.metric == metric}
    return weighed


def _weigh(rule: Rule, sheet: Sheet) -> Weighed:
    """Return a rule with its decision, or with its evidence."""
    group, judges = sheet.group, sheet.judges(rule.slice)
    column = (sheet.first_column if rule.kind == "max_total" else sheet.column)(rule.slice)
    decision = _undecidable(rule, group, column, judges)
    if decision is not None:
        return Weighed(rule=rule, model=group.model, decision=decision)
    why = why_not_gating(rule, judges, group.trust)
    found = _with_uncounted(_decidable(rule, sheet, column), group)
    return replace(found, broken=sheet.broken, why_not_gating=why)


def _decidable(rule: Rule, sheet: Sheet, column: Column) -> Weighed:
    group, broken = sheet.group, sheet.broken
    if rule.kind in REGRESSION_KINDS:
        return _weigh_change(rule, sheet)
    whole = _with_unfinished(column, group.unfinished)
    states: tuple[State, ...] = ("open", "lost") if broken else ("open",)
    if whole.count(*states):
        whole = replace(whole, span=span_under(rule, whole.span, len(whole.readings), group.cases))
    evidence = weigh_bar(rule, whole, states=states) if is_decided_by_p(rule) else None
    if evidence is None:
        return Weighed(rule=rule, model=group.model, decision=decide(rule, whole, broken=broken))
    return _waiting(rule, sheet, evidence, whole.open_rows(*states))


def _undecidable(rule: Rule, group: Group, column: Column, judges: frozenset[str | None]) -> Decision | None:
    """Return the decision on a rule that cannot be applied to its numbers; None if it can."""
    if not column.readings and not group.unfinished:
        return _not_selected(rule, [group.model])
    if rule.kind in REGRESSION_KINDS and group.opponent.why_none is not None:
        return Decision(verdict="not_judged", reason=group.opponent.why_none)
    unknown = _unknown_metric(rule, group)
    if unknown:
        return Decision(verdict="unmeasurable", reason=unknown)
    if column.count("no_judge") and not column.count("scored"):
        return _no_judge(group.rules.settings)
    if column.count("cached") and not column.count("scored", "open", "lost"):
        return Decision(verdict="not_judged", reason=_CACHED)
    why = why_no_one_judge(rule, judges, group.trust) or _why_uncalled(rule, group)
    why = why or why_out_of_reach(rule, column, group.cases)
    return None if why is None else Decision(verdict="unmeasurable", reason=why)


def _weigh_change(rule: Rule, sheet: Sheet) -> Weighed:
    group, broken, pairs = sheet.group, sheet.broken, sheet.pairs(rule.slice)
    refused = refusal(pairs, group.opponent, group.rules.settings, with_lost=broken is not None)
    evidence = None
    if refused is None:
        left = left_out(pairs, group.opponent)
        note = why_unlikely(rule, pairs.span)
        if pairs.open_rows.ids:
            pairs = replace(pairs, span=span_under(rule, pairs.span, len(pairs.pairs), group.cases))
        evidence = weigh_change(rule, pairs, unfinished=group.unfinished, with_lost=broken is not None, left_out=left)
        evidence = evidence and replace(evidence, note=note)
    if evidence is None:
        why = broken or refused
        shown = Decision(verdict="unmeasurable", reason=why or nothing_pairs(pairs, group.opponent))
        if pairs.cached and not pairs.unknown and not why:
            shown = Decision(verdict="not_judged", reason=f"{_CACHED}, here or in baseline {group.opponent.name}")
        return Weighed(rule=rule, model=group.model, decision=shown)
    if rule.kind != "noninferior":
        return _waiting(rule, sheet, evidence, pairs.open_rows)
    alpha = group.rules.settings.alpha
    decision = decide_noninferior(rule, evidence, alpha, broken=broken, open_rows=pairs.open_rows)
    return Weighed(rule=rule, model=group.model, decision=decision)


def _with_uncounted(found: Weighed, group: Group) -> Weighed:
    """Return a rule with a note on answers without token counts, if these leave the rule open or may do so."""
    told = _uncounted(found.rule, group)
    if told is None:
        return found
    if found.evidence is not None:
        note = "; ".join(each for each in (found.evidence.note, told) if each)
        return replace(found, evidence=replace(found.evidence, note=note))
    decision = found.decision
    if decision is None or not (decision.is_open or decision.verdict == "unmeasurable"):
        return found
    return replace(found, decision=replace(decision, reason="; ".join(filter(None, (decision.reason, told)))))


def _uncounted(rule: Rule, group: Group) -> str | None:
    """Return in words how many answers came without the token counts that a rule needs; None if none did."""
    if rule.metric not in MEASURED_METRICS or rule.metric == "latency_s":
        return None
    cases = [each for each in group.cases if rule.slice is None or rule.slice in each.slices]
    answered = [each for each in cases if each.outcome in ("passed", "missed") and each.latency_s is not None]
    bare = [each for each in answered if None in (each.input_tokens, each.output_tokens)]
    if not (missing := sum(getattr(each, rule.metric) is None for each in bare)):
        return None
    message = f"{missing} of {counted(len(answered), 'answer')} came without token counts"
    return f"{message}: have the server send its usage, or take the rule away"


def _waiting(rule: Rule, sheet: Sheet, evidence: Evidence, open_rows: OpenRows) -> Weighed:
    """Return a rule with its evidence, to be decided with the p-values of the other rules."""
    return Weighed(
        rule=rule,
        model=sheet.group.model,
        evidence=evidence,
        alpha=sheet.group.rules.settings.alpha,
        open_rows=open_rows,
    )


def _with_unfinished(column: Column, unfinished: int) -> Column:
    """Return ``column`` with an open reading added for each case that did not finish."""
    ghosts = (Reading(sample_id="?", unit=("", -1 - number), state="open") for number in range(unfinished))
    return replace(column, readings=(*column.readings, *ghosts))


def _unknown_metric(rule: Rule, group: Group) -> str | None:
    """Return what is wrong with a metric that no case has, unless all cases broke off before any score; else None."""
    is_silent = not group.names and group.errors == group.finished
    if rule.metric in (*COUNTED_METRICS, *MEASURED_METRICS, *group.names) or is_silent:
        return None
    advice = did_you_mean(rule.metric, [*group.names, *COUNTED_METRICS, *MEASURED_METRICS])
    errors = f" ({group.errors} of {group.finished} cases ended in an error)" if group.errors else ""
    line = f"line {rule.line} of the rules: " if rule.line is not None else ""
    return f"{line}no case has a score {one_line(rule.metric, 60)!r}{errors}; {advice}"


def _why_uncalled(rule: Rule, group: Group) -> str | None:
    """Return why a metric of the calls is meaningless, if no calls are recorded; None if some are."""
    if rule.metric not in MEASURED_METRICS or group.broken:
        return None
    if not records_calls(rule.metric, group.cases):
        return _UNCALLED
    if rule.kind in REGRESSION_KINDS and not records_calls(rule.metric, group.opponent.cases):
        return f"in baseline {group.opponent.name} {_UNCALLED}; set a new baseline"
    return None


def _no_judge(settings: GateSettings) -> Decision:
    if settings.require_judge:
        reason = "no judge, and require_judge demands one; pass --judge-model"
        return Decision(verdict="unmeasurable", reason=reason)
    return Decision(verdict="not_judged", reason="no judge")


def _not_selected(rule: Rule, models: Collection[str]) -> Decision:
    """Return the decision on a rule without cases; ``models`` are the models for which its suite has cases."""
    what = f"suite {one_line(rule.suite, 60)!r}"
    if models and rule.model is not None and rule.model not in models:
        what = f"model {one_line(rule.model, 60)!r}"
    elif models:
        what = f"slice {one_line(rule.slice or '', 60)!r}"
    return Decision(verdict="not_judged", reason=f"{_NO_CASE} {what} was selected")


def lacks_its_suite(reason: str | None) -> bool:
    """Return whether the ``reason`` of a verdict says that no case of the rule's suite was selected."""
    return reason is not None and reason.startswith(f"{_NO_CASE} suite ")


def _error_rate(group: Group) -> Weighed:
    """Return the row ``max_error_rate``, which says why the rules of a suite and model are unmeasurable."""
    column, limit = read_column("error_rate", group.cases), group.rules.settings.max_error_rate
    reason = f"{group.errors} errors in {group.finished} cases; find their cause and run again"
    decision = replace(numbers_of(column, column.grouped()), reason=reason)
    rule = Rule(suite=group.rules.name, metric="error_rate", kind="max", bound=limit)
    return Weighed(rule=rule, model=group.model, text=f"max_error_rate={limit:.12g}", decision=decision)
