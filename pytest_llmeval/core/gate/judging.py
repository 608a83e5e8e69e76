"""The gate: applies all rules of thresholds.yaml to the cases of a run.

Each rule is judged separately for each model. The gate never raises because of a run's content: a rule that cannot be
decided is ``unmeasurable``, with a reason.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import MONEY_KINDS, JudgedCase, in_order
from pytest_llmeval.core.gate.decide import Decision
from pytest_llmeval.core.gate.evidence import Weight
from pytest_llmeval.core.gate.family import Adjusted, Family, Share, looks_alpha, looks_of, shares_of
from pytest_llmeval.core.gate.group import groups_of
from pytest_llmeval.core.gate.judges import reported
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.gate.verdicts import decide_by_p
from pytest_llmeval.core.gate.weigh import Weighed, weigh_suite
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.trust import UNKNOWN, Trust
from pytest_llmeval.core.rules import SuiteRules, Thresholds

__all__ = ["WORST_FIRST", "GateResult", "SessionVerdict", "Verdict", "apply_gate", "session_verdict"]

SessionVerdict = Literal["pass", "fail", "inconclusive", "unmeasurable", "none"]

WORST_FIRST: tuple[Literal["fail", "unmeasurable", "inconclusive", "pass"], ...] = (
    "fail",
    "unmeasurable",
    "inconclusive",
    "pass",
)
"""Verdicts on judged rules, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Decision):
    """One rule's verdict for one model: a row of the table ``verdicts``."""

    suite: str
    model: str | None
    """None for a rule that was not judged because the run has no case of its suite."""
    metric: str
    slice: str | None
    rule: str
    """The rule as text: ``min=0.8``."""

    @property
    def is_reported(self) -> bool:
        """Whether the rule has numbers but is not judged, because its judge may not gate."""
        return self.verdict == "not_judged" and self.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The gate's result for a run."""

    verdicts: tuple[Verdict, ...]
    """In the order of the file; a rule's models in alphabetical order."""
    verdict: SessionVerdict
    """Worst verdict on the judged rules: fail, unmeasurable, inconclusive, pass; ``none`` if no rule was judged."""
    alphas: tuple[float | None, ...] = ()
    """For each of ``verdicts`` the adjusted p-value below which the rule fails; None if no p-value decides."""


def apply_gate(
    thresholds: Thresholds,
    cases: Iterable[JudgedCase],
    *,
    collected: Mapping[tuple[str, str], int] | None = None,
    baseline: Baseline | None = None,
    no_baseline: str = "no baseline",
    trust: Trust = UNKNOWN,
    first_look: int | None = None,
    asks_again: bool = False,
) -> GateResult:
    """Return the verdict on every rule over ``cases``, which may come in any order.

    Args:
        thresholds: The rules.
        cases: All finished cases of the run, each once; of cases in suites without rules, only errors that
            stopped their calls count.
        collected: Number of cases that each suite and model should have, if known: where some did not finish,
            the rules are unmeasurable.
        baseline: Run that regression rules compare with; without it they are not judged.
        no_baseline: Why there is no baseline, in a few words.
        trust: Agreement of the judges with people.
        first_look: Epochs of the first look, if there were two: ``max_total`` bounds only those.
        asks_again: Whether a second look follows if a rule asks for one.
    """
    cases = in_order(cases)
    by_suite, expected = grouped(cases, lambda case: case.suite), collected or {}
    opponents = Opponents(baseline, thresholds.suites, why_none=no_baseline)
    there = {*by_suite, *(name for (name, _), count in expected.items() if count)}
    found: list[Weighed] = []
    for rules in _of_one_look(thresholds, there):
        groups = groups_of(rules, by_suite.get(rules.name, ()), expected, opponents, trust, first_look)
        found += weigh_suite(rules.rules, groups)
    settled = list(_settled(found, looks_of(thresholds, there, asks_again=asks_again)))
    verdicts = tuple(verdict for verdict, _ in settled)
    alphas = tuple(alpha for _, alpha in settled)
    return GateResult(verdicts=verdicts, verdict=session_verdict(verdicts, cases), alphas=alphas)


def _of_one_look(thresholds: Thresholds, there: Collection[str]) -> Iterator[SuiteRules]:
    """Yield the rules of each suite, with the alpha for one look at a run that has the suites ``there``."""
    for rules in thresholds.suites.values():
        alpha = looks_alpha(thresholds, rules.settings, there)
        yield replace(rules, settings=replace(rules.settings, alpha=alpha))


def session_verdict(verdicts: Iterable[Verdict], cases: Iterable[JudgedCase] = ()) -> SessionVerdict:
    """Return the worst verdict: fail > unmeasurable > inconclusive > pass; ``none`` if no rule was judged.

    The session is also unmeasurable if missing answers leave a rule open, or if any case has an error that stopped all
    calls, even in a suite without rules: such a run never reports success.
    """
    found = {"unmeasurable" if verdict.is_open else verdict.verdict for verdict in verdicts}
    worst: SessionVerdict = next((worst for worst in WORST_FIRST if worst in found), "none")
    is_stopped = worst in ("pass", "inconclusive") and any(case.error_kind in MONEY_KINDS for case in cases)
    return "unmeasurable" if is_stopped else worst


def _settled(found: Sequence[Weighed], looks: Mapping[str, int]) -> Iterator[tuple[Verdict, float | None]]:
    """Yield the verdict on each rule with its alpha; rules that share alpha are decided together."""
    claims = {**dict(_claims(found, looks, is_implied=False)), **dict(_claims(found, looks, is_implied=True))}
    for place, case in enumerate(found):
        decision, alpha = case.decision, None
        if case.evidence is not None:
            assert case.open_rows is not None
            alone = Share(alpha=case.alpha, rules=1, looks=looks[case.rule.suite]), _alone
            share, adjusted = claims.get(place, alone)
            alpha = share.alpha
            decision = decide_by_p(
                case.rule, case.evidence, share, adjusted, broken=case.broken, open_rows=case.open_rows
            )
        assert decision is not None
        is_invalid = decision.verdict == "unmeasurable" and case.broken is not None
        if case.why_not_gating is not None and not is_invalid:
            decision = reported(decision, case.why_not_gating)
        yield _verdict(case, decision), alpha


def _claims(
    found: Sequence[Weighed], looks: Mapping[str, int], *, is_implied: bool
) -> Iterator[tuple[int, tuple[Share, Callable[[Weight], Adjusted | None]]]]:
    """Yield for each rule decided by a p-value its place in ``found``, its share of alpha, and its Holm adjustment.

    A rule that cannot fail, or may not gate, takes no share of alpha away from the others.
    """
    tested = [
        (place, case, case.evidence)
        for place, case in enumerate(found)
        if case.rule.is_implied is is_implied and case.why_not_gating is None
        if case.evidence is not None and case.evidence.has_test
    ]
    family = Family((case.rule, evidence) for _, case, evidence in tested)
    shares = shares_of([(case.rule, case.alpha) for _, case, _ in tested], looks)
    for position, ((place, _, _), share) in enumerate(zip(tested, shares, strict=True)):
        yield place, (share, functools.partial(family.adjusted, position))


def _alone(weight: Weight) -> Adjusted | None:
    """Return the unadjusted p-value, for a rule that shares alpha with no other."""
    p_value = weight.p_value
    return None if p_value is None else Adjusted(found=p_value, least=p_value, most=p_value)


def _verdict(case: Weighed, decision: Decision) -> Verdict:
    return Verdict(
        suite=case.rule.suite,
        model=case.model,
        metric=case.rule.metric,
        slice=case.rule.slice,
        rule=case.text or case.rule.text,
        **{each.name: getattr(decision, each.name) for each in fields(decision)},
    )
