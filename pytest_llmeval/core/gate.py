"""The gate: all rules of thresholds.yaml applied to the cases of a run.

Every rule is judged for each model by itself. It never raises on what a run holds: what cannot be decided is
``unmeasurable`` and says why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate_baseline import Baseline
from pytest_llmeval.core.gate_case import JudgedCase
from pytest_llmeval.core.gate_column import Column, Reading, read_column
from pytest_llmeval.core.gate_decide import Decision, Judgement, decide
from pytest_llmeval.core.gate_names import did_you_mean
from pytest_llmeval.core.intervals import wilson
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import (
    COUNTED_METRICS,
    MEASURED_METRICS,
    REGRESSION_KINDS,
    GateSettings,
    Rule,
    SuiteRules,
    Thresholds,
)
from pytest_llmeval.core.text import one_line

__all__ = ["GateResult", "SessionVerdict", "Verdict", "judge", "session_verdict"]

SessionVerdict = Literal["pass", "fail", "inconclusive", "unmeasurable", "none"]

_WORST_FIRST: tuple[Literal["fail", "unmeasurable", "inconclusive", "pass"], ...] = (
    "fail",
    "unmeasurable",
    "inconclusive",
    "pass",
)
_STOPPED: frozenset[str | None] = frozenset({ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.QUOTA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule's verdict for one model: a row of the table ``verdicts``."""

    suite: str
    model: str | None
    """None for a rule that was not judged because no case of its suite was there."""
    metric: str
    slice: str | None
    rule: str
    """The rule in a few words: ``min=0.8``."""
    value: float | None = None
    n: int = 0
    low: float | None = None
    high: float | None = None
    baseline_value: float | None = None
    """This and the next three belong to rules against a baseline."""
    delta: float | None = None
    p_value: float | None = None
    mde: float | None = None
    verdict: Judgement
    reason: str | None = None
    """Why, in one line; None where the numbers say it all."""
    is_open: bool = False
    """Whether it is inconclusive because answers are missing: the session is then unmeasurable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What the gate says of a run."""

    verdicts: tuple[Verdict, ...]
    """In the order of the file; a rule's models in alphabetical order."""
    verdict: SessionVerdict
    """The worst of the judged: fail, unmeasurable, inconclusive, pass; ``none`` where no rule was judged."""
    partial: bool
    """Whether cases of the suites were left out, so that the verdicts are about what ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The cases of one suite and model, with what stands against judging them."""

    rules: SuiteRules
    model: str
    cases: Sequence[JudgedCase]
    names: Sequence[str]
    """Scores of the suite, of any model."""
    unfinished: int
    """Cases that were collected and never finished."""
    finished: int
    """Cases that were not skipped."""
    errors: int
    stopped: Sequence[str]
    """Kinds of the errors that stop a run."""
    columns: dict[str, Column] = field(default_factory=dict)
    """What was read so far, by metric."""

    @property
    def too_many_errors(self) -> bool:
        return self.errors > 1 and self.errors / self.finished > self.rules.settings.max_error_rate

    @property
    def broken(self) -> str | None:
        """Why no rule can pass here, whatever the values are."""
        if self.unfinished:
            return f"{self.unfinished} of {self.unfinished + len(self.cases)} cases did not finish"
        if self.stopped:
            return f"the run was stopped ({', '.join(self.stopped)})"
        return f"{self.errors} errors in {self.finished} cases" if self.too_many_errors else None

    def column(self, metric: str) -> Column:
        """Return all readings of ``metric``, read once."""
        if metric not in self.columns:
            self.columns[metric] = read_column(metric, self.cases)
        return self.columns[metric]


def judge(
    thresholds: Thresholds,
    cases: Iterable[JudgedCase],
    *,
    collected: Mapping[tuple[str, str], int] | None = None,
    partial: bool = False,
    baseline: Baseline | None = None,
    no_baseline: str = "no baseline",
) -> GateResult:
    """Return the verdict of every rule over ``cases``, which may come in any order.

    Args:
        thresholds: The rules.
        cases: All finished cases of the run, each once; those of suites without rules are passed over.
        collected: How many cases each suite and model was to have, where that is known: what did not finish
            makes its rules unmeasurable.
        partial: Whether anything but ``-m`` left out cases of a suite; it is passed on.
        baseline: What regression rules compare with; without it they are not judged.
        no_baseline: Why there is none, in a few words.
    """
    by_suite: dict[str, list[JudgedCase]] = {name: [] for name in thresholds.suites}
    for case in cases:
        if case.suite in by_suite:
            by_suite[case.suite].append(case)
    verdicts = tuple(
        verdict
        for rules in thresholds.suites.values()
        for verdict in _judge_suite(rules, by_suite[rules.name], collected or {})
    )
    return GateResult(verdicts=verdicts, verdict=session_verdict(verdicts), partial=partial)


def session_verdict(verdicts: Iterable[Verdict]) -> SessionVerdict:
    """Return the worst verdict: fail > unmeasurable > inconclusive > pass; ``none`` where none was judged."""
    found = {verdict.verdict for verdict in verdicts}
    return next((worst for worst in _WORST_FIRST if worst in found), "none")


def _judge_suite(
    rules: SuiteRules, cases: Sequence[JudgedCase], collected: Mapping[tuple[str, str], int]
) -> Iterator[Verdict]:
    expected = {model: count for (suite, model), count in collected.items() if suite == rules.name and count}
    models = sorted({case.model for case in cases} | expected.keys())
    names = score_names(cases)
    groups = [
        _group(rules, model, [case for case in cases if case.model == model], names, expected) for model in models
    ]
    yield from (_error_rate(group) for group in groups if group.too_many_errors)
    for rule in rules.rules:
        chosen = [group for group in groups if rule.model in (None, group.model)]
        yield from (_verdict(rule, group.model, _judge_rule(rule, group)) for group in chosen)
        if not chosen:
            yield _verdict(rule, rule.model, _not_selected(rule, selected=bool(groups)))


def _group(
    rules: SuiteRules, model: str, cases: Sequence[JudgedCase], names: Sequence[str], expected: Mapping[str, int]
) -> _Group:
    return _Group(
        rules=rules,
        model=model,
        cases=cases,
        names=names,
        unfinished=max(0, expected.get(model, 0) - len(cases)),
        finished=sum(case.outcome != "skipped" for case in cases),
        errors=sum(case.outcome == "error" for case in cases),
        stopped=sorted({str(case.error_kind) for case in cases if case.error_kind in _STOPPED}),
    )


def _judge_rule(rule: Rule, group: _Group) -> Decision:
    column = group.column(rule.metric).part(rule.slice)
    if not column.readings and not group.unfinished:
        return _not_selected(rule, selected=True)
    if rule.kind in REGRESSION_KINDS:  # the place of the paired statistics, once a run can have a baseline
        return Decision(verdict="not_judged", reason="no baseline")
    unknown = _unknown_metric(rule, group)
    if unknown:
        return Decision(verdict="unmeasurable", reason=unknown)
    if column.count("no_judge") and not column.count("scored"):
        return _no_judge(group.rules.settings)
    errors_are_the_question = rule.metric == "error_rate" and not group.unfinished
    return decide(
        rule,
        _with_unfinished(column, group.unfinished),
        broken=None if errors_are_the_question else group.broken,
    )


def _with_unfinished(column: Column, unfinished: int) -> Column:
    """Return ``column`` with a reading that could be any value for each case that did not finish."""
    ghosts = (Reading(sample_id="?", unit=("", -1 - number), state="open") for number in range(unfinished))
    return Column(metric=column.metric, readings=(*column.readings, *ghosts))


def _unknown_metric(rule: Rule, group: _Group) -> str | None:
    """Return what is wrong with a metric that is none of the suite's, where it has scores at all."""
    if rule.metric in (*COUNTED_METRICS, *MEASURED_METRICS, *group.names) or not group.names:
        return None
    advice = did_you_mean(rule.metric, [*group.names, *COUNTED_METRICS, *MEASURED_METRICS])
    errors = f" ({group.errors} of {group.finished} cases ended in an error)" if group.errors else ""
    return f"no case has a score {one_line(rule.metric, 60)!r}{errors}; {advice}"


def _no_judge(settings: GateSettings) -> Decision:
    if settings.require_judge:
        reason = "no judge, and require_judge demands one; pass --judge-model"
        return Decision(verdict="unmeasurable", reason=reason)
    return Decision(verdict="not_judged", reason="no judge")


def _not_selected(rule: Rule, *, selected: bool) -> Decision:
    """Return the decision on a rule without cases; ``selected``: its suite has some, elsewhere."""
    what = f"suite {one_line(rule.suite, 60)!r}"
    if selected and rule.slice is not None:
        what = f"slice {one_line(rule.slice, 60)!r}"
    if selected and rule.slice is None:
        what = f"model {one_line(rule.model or '', 60)!r}"
    return Decision(verdict="not_judged", reason=f"no case of {what} was selected")


def _error_rate(group: _Group) -> Verdict:
    """Return the row that says why the rules of a suite and model are unmeasurable."""
    rate = group.errors / group.finished
    interval = wilson(rate, group.finished)
    limit = group.rules.settings.max_error_rate
    return Verdict(
        suite=group.rules.name,
        model=group.model,
        metric="error_rate",
        slice=None,
        rule=f"max_error_rate={limit:.12g}",
        value=rate,
        n=group.finished,
        low=interval.low,
        high=interval.high,
        verdict="unmeasurable",
        reason=f"{group.errors} errors in {group.finished} cases; find their cause and run again",
    )


def _verdict(rule: Rule, model: str | None, decision: Decision) -> Verdict:
    return Verdict(
        suite=rule.suite,
        model=model,
        metric=rule.metric,
        slice=rule.slice,
        rule=rule.text,
        value=decision.value,
        n=decision.n,
        low=decision.low,
        high=decision.high,
        verdict=decision.verdict,
        reason=decision.reason,
    )
