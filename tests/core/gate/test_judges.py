"""The judge behind a metric: one in all rows, and worth what its rule demands, or the rule does not gate."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judges import gating
from pytest_llmeval.core.gate.judging import GateResult, apply_gate
from pytest_llmeval.core.judge.asking import preference_rubric
from pytest_llmeval.core.judge.trust import Trust
from pytest_llmeval.core.rules import JudgeDemands, Rule, SuiteRules
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import Score
from pytest_llmeval.store.records import stored_case
from tests.core.judge.rubrics import RUBRIC
from tests.support.gate_runs import broken, case, only, rule, rules
from tests.support.judged_runs import judge_record
from tests.support.records import record

TEN = JudgeDemands(min_labels=10)


def known(labels: int) -> Trust:
    """Return that so many answers of the judge ``j`` are labelled, as it judged them."""
    cases, said = [], []
    for number in range(labels):
        score = Score(name="f1", value=number % 2, passed=None, judge_id="j", dimension="format")
        cases.append(stored_case("run", record(str(number), scores=(score,))))
        at = "2026-03-01T00:00:00.000+00:00"
        said.append(Label(case_id=cases[-1].id, name="f1", value=number % 2, rater="kim", at=at))
    judges = [judge_record(RUBRIC, "j"), judge_record(RUBRIC, "k"), judge_record(preference_rubric(RUBRIC), "prefers")]
    return Trust(cases, said, judges, now=datetime(2026, 3, 2, tzinfo=UTC))


def judged(values: Sequence[float], judge_id: str | None = "j", first: int = 0, **fields: Any) -> list[JudgedCase]:
    """Return a case for each value, of a judge."""
    return [
        case(number, value, **{"judge_ids": {"f1": judge_id}, **fields}) for number, value in enumerate(values, first)
    ]


def held(
    cases: Sequence[JudgedCase],
    *given: Rule,
    labels: int = 9,
    before: Sequence[JudgedCase] | None = None,
    collected: int | None = None,
) -> GateResult:
    """Return what the gate says where so many answers are labelled."""
    baseline = None if before is None else Baseline(name="main", cases=before)
    expected = {} if collected is None else {("qa", "m"): collected}
    return apply_gate(rules(*given), cases, baseline=baseline, trust=known(labels), collected=expected)


def floor(bound: float = 0.8, **fields: Any) -> Rule:
    """Return a rule that demands ten labels."""
    return rule("min", bound, **{"judge": TEN, **fields})


def test_a_rule_whose_judge_is_not_worth_it_is_shown_and_decides_nothing() -> None:
    """Value, n and interval stand; the reason has the demand, and what the rule says by itself."""
    cases = judged([1.0, 0.0] * 5)
    bare = only(held(cases, rule("min", 0.8)))
    result = held(cases, floor())
    verdict = only(result)
    assert (bare.verdict, result.verdict, verdict.verdict) == ("fail", "none", "not_judged")
    assert (verdict.value, verdict.n, verdict.low, verdict.high) == (bare.value, bare.n, bare.low, bare.high)
    assert verdict.reason is not None
    assert verdict.reason.startswith("its judge may not gate: 9 labelled answers, min_labels asks 10; have people")
    assert verdict.reason.endswith("calibrate. The rule by itself: fail (it is 0.5, below 0.8)")


def test_a_judge_that_meets_the_demand_gates() -> None:
    """As if nothing had been demanded."""
    cases = judged([1.0, 0.0] * 5)
    assert held(cases, floor(), labels=10) == held(cases, rule("min", 0.8))


@pytest.mark.parametrize(
    ("bound", "told"), [(0.2, "pass (by chance"), (0.8, "fail (it is"), (0.5, "pass (by chance alone")]
)
def test_it_says_what_the_rule_comes_to_by_itself(bound: float, told: str) -> None:
    reason = only(held(judged([1.0, 0.0] * 2), floor(bound))).reason
    assert reason is not None
    assert f"The rule by itself: {told}" in reason


@pytest.mark.parametrize("kind", ["max_drop", "noninferior"])
def test_a_rule_on_a_change_is_shown_too(kind: Any) -> None:
    before, after = judged([1.0] * 40), judged([1.0] * 20 + [0.0] * 20)
    verdict = only(held(after, rule(kind, 0.02, judge=TEN), before=before))
    assert (verdict.verdict, verdict.delta) == ("not_judged", -0.5)
    assert "The rule by itself: fail (" in (verdict.reason or "")
    assert only(held(after, rule(kind, 0.02, judge=TEN), before=before, labels=10)).verdict == "fail"


def test_a_rule_that_may_not_gate_takes_no_share_of_the_false_alarms() -> None:
    """Of eight rows five get worse: p is 1/64, which is below 5 % and not below a quarter of it."""
    before, after = judged([1.0] * 8), judged([0.0] * 5 + [1.0] * 3)
    drops = [rule("max_drop", 0.02), *(rule("max_drop", 0.01 * at, judge=TEN) for at in range(3, 6))]
    alone, *others = held(after, *drops, before=before).verdicts
    assert alone == only(held(after, drops[0], before=before))
    assert alone.verdict == "fail"
    assert [each.verdict for each in others] == ["not_judged"] * 3
    assert [each.p_value for each in others] == [alone.p_value] * 3
    shared = held(after, *drops, before=before, labels=10).verdicts[0]
    assert shared.verdict == "inconclusive"
    assert shared.p_value == pytest.approx(4 * (alone.p_value or 0))


def test_another_judge_than_the_baselines_is_no_matter_where_the_judge_may_not_gate() -> None:
    before, after = judged([1.0] * 8, "k"), judged([1.0] * 8)
    drop = rule("max_drop", 0.02, judge=TEN)
    assert only(held(after, drop, before=before, labels=10)).verdict == "unmeasurable"
    assert only(held(after, drop, before=before)).verdict == "not_judged"


def test_answers_that_are_missing_leave_nothing_open_that_may_not_gate() -> None:
    cases = [*judged([1.0] * 30), broken("e", "judge")]
    open_ = held(cases, floor(0.99), labels=10)
    assert (open_.verdict, only(open_).is_open) == ("unmeasurable", True)
    shut = held(cases, floor(0.99))
    assert (shut.verdict, only(shut).verdict, only(shut).is_open) == ("none", "not_judged", False)


def test_a_run_that_is_not_valid_is_unmeasurable_all_the_same() -> None:
    """What did not finish is no matter of the judge."""
    result = held(judged([1.0] * 8), floor(), collected=9)
    assert (only(result).verdict, only(result).reason) == ("unmeasurable", "1 of 9 cases did not finish")


def test_a_slice_and_a_model_have_the_judge_of_their_own_rows() -> None:
    cases = [*judged([1.0] * 4, slices=("a",)), *judged([1.0] * 4, "k", first=4, slices=("b",))]
    first, second = held(cases, floor(slice="a"), floor(slice="b"), labels=10).verdicts
    assert (first.verdict, second.verdict) == ("pass", "not_judged")
    assert "labels of another judge" in (second.reason or "")
    models = [*judged([1.0] * 4), *judged([1.0] * 4, "k", model="n")]
    assert [each.verdict for each in held(models, floor(), labels=10).verdicts] == ["pass", "not_judged"]


def test_what_no_judge_made_cannot_be_held_to_it() -> None:
    """It may be a name that is another scorer's; whether it passes is not to be seen."""
    verdict = only(held(judged([1.0] * 4, None), floor()))
    assert verdict.verdict == "unmeasurable"
    assert verdict.reason == "no judge made 'f1', so nothing can be demanded of one; remove judge"


def test_without_a_judge_the_rule_is_not_judged_as_ever() -> None:
    cases = [case(number, None, statuses={"f1": "none"}, scores={"f1": None}) for number in range(4)]
    verdict = only(held(cases, floor()))
    assert (verdict.verdict, verdict.reason) == ("not_judged", "no judge")


def test_a_comparison_of_two_answers_cannot_be_held_to_what_people_label() -> None:
    """People label answers, not pairs: the demand could never be met, whatever they do."""
    cases = judged([1.0, 0.5, 0.0], "prefers")
    verdict = only(held(cases, floor()))
    assert verdict.verdict == "unmeasurable"
    assert verdict.reason == (
        "'f1' says which of two answers is better, which nobody can label, so nothing can be demanded of its"
        " judge; remove judge"
    )
    assert gating(rules(floor()), cases, known(9))[1] == {floor(): verdict.reason}
    assert only(held(cases, rule("min", 0.2))).verdict == "pass"
    cases_by_two = [*judged([1.0]), *judged([0.0], "prefers", first=1)]
    assert "2 different judges" in (only(held(cases_by_two, floor())).reason or "")


@pytest.mark.parametrize(("kind", "bound"), [("min", 0.5), ("every", None), ("max_drop", 0.02), ("min_lower", 0.1)])
def test_a_metric_that_two_judges_made_is_unmeasurable(kind: Any, bound: float | None) -> None:
    """A run was resumed after the rubric had changed, say; with and without a demand."""
    cases = [*judged([1.0] * 4), *judged([1.0] * 4, "k", first=4)]
    for demands in (None, TEN):
        verdict = only(held(cases, rule(kind, bound, judge=demands), before=judged([1.0] * 8), labels=10))
        assert verdict.verdict == "unmeasurable"
        assert (verdict.reason or "").startswith(
            "2 different judges (rubric, template, model, checks or way of asking differ) made it, "
        )
        assert "or a test passes another rubric, right_if, wrong_unless, reference or per_dimension in some of the" in (
            verdict.reason or ""
        )
        assert (verdict.reason or "").endswith("have one judge all of them: llmeval rescore RUN --judge-model SPEC")


def test_the_outcome_that_two_judges_decided_is_unmeasurable_too() -> None:
    """Where one judge had a part in it, another score of the same case may be a plain scorer's."""
    passes = rule("min", 0.5, metric="pass_rate")
    mixed = [*judged([1.0] * 4), *judged([1.0] * 4, "k", first=4)]
    assert only(held(mixed, passes)).verdict == "unmeasurable"
    two = [case(number, 1.0, scores={"f1": 1.0, "f2": 1.0}, judge_ids={"f1": "j", "f2": "k"}) for number in range(4)]
    assert only(held(two, passes)).verdict == "pass"
    assert only(held([*judged([1.0] * 4), *judged([1.0] * 4, None, first=4)], passes)).verdict == "pass"


def test_numbers_of_the_calls_have_no_judge() -> None:
    cases = [*judged([1.0] * 4, latency_s=1.0), *judged([1.0] * 4, "k", first=4, latency_s=1.0)]
    assert only(held(cases, rule("max_p95", 2.0, metric="latency_s"))).verdict == "pass"


def test_rows_that_the_judge_gave_no_value_mix_nothing() -> None:
    cases = [*judged([1.0] * 4), case("x", None, judge_ids={"f1": "k"}, scores={"f1": None})]
    assert only(held(cases, floor(), labels=10)).verdict == "pass"


def test_rules_that_may_not_gate_for_any_model_are_set_apart() -> None:
    """One that may for one of two models stays; one of a suite without cases does."""
    cases = [*judged([1.0] * 4), *judged([1.0] * 4, "k", model="n")]
    free, both, of_k = rule("min", 0.5), floor(0.6), floor(0.7, model="n")
    absent = replace(floor(0.8), suite="other")
    given = rules(free, both, of_k)
    given = replace(given, suites={**given.suites, "other": SuiteRules(name="other", rules=(absent,))})
    left, silent = gating(given, cases, known(10))
    assert [each.rules for each in left.suites.values()] == [(free, both), (absent,)]
    assert silent.keys() == {of_k}
    assert silent[of_k].startswith("people labelled none of its answers")
    assert gating(rules(free), iter(()), known(0)) == (rules(free), {})


def test_the_judge_of_a_slice_is_that_of_its_own_rows() -> None:
    """Another slice's does not stand for it, where a scorer alone made the score here."""
    cases = [*judged([1.0] * 5, slices=("judged",)), *judged([1.0] * 5, None, first=5, slices=("scored",))]
    verdict = only(held(cases, floor(slice="scored"), labels=10))
    assert (verdict.verdict, verdict.reason) == (
        "unmeasurable",
        "no judge made 'f1', so nothing can be demanded of one; remove judge",
    )
