"""The gate: which cases a rule is judged on, when a run is not valid, and what the session says."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict, apply_gate, session_verdict
from pytest_llmeval.core.rules import GateSettings, Rule, RuleKind, SuiteRules, Thresholds
from tests.support.gate_runs import only


def case(number: int | str = 0, value: float | None = 1.0, **fields: Any) -> JudgedCase:
    """Return a case of suite ``qa`` with score ``f1``; None for no score."""
    made: dict[str, Any] = {"suite": "qa", "model": "m", "sample_id": f"s{number}", "outcome": "passed"}
    return JudgedCase(**{**made, "scores": {} if value is None else {"f1": value}, **fields})


def errors(count: int, kind: str = "connection", **fields: Any) -> list[JudgedCase]:
    """Return cases that ended in an error of this kind, without a score."""
    return [case(f"e{number}", None, outcome="error", error_kind=kind, **fields) for number in range(count)]


def rules(*given: Rule, suite: str = "qa", **settings: Any) -> Thresholds:
    """Return the thresholds of one suite."""
    made = SuiteRules(name=suite, rules=given, settings=GateSettings(**settings))
    return Thresholds(suites={suite: made})


def rule(kind: RuleKind = "min", bound: float | None = 0.8, metric: str = "f1", **fields: Any) -> Rule:
    """Return a rule of suite ``qa``."""
    return Rule(suite="qa", metric=metric, kind=kind, bound=bound, **fields)


def test_a_mean_at_the_bar_passes_and_its_numbers_are_kept() -> None:
    """Value, n and interval stand in the verdict."""
    cases = [case(number, 1.0 if number < 8 else 0.0) for number in range(10)]
    result = apply_gate(rules(rule()), cases)
    verdict = only(result)
    assert (verdict.verdict, verdict.value, verdict.n, verdict.rule) == ("pass", 0.8, 10, "min=0.8")
    assert verdict.low == pytest.approx(0.490162, abs=1e-6)
    assert verdict.high == pytest.approx(0.943318, abs=1e-6)
    assert verdict.reason == "by chance alone a rerun would miss this bar 32% of the time"
    assert (verdict.baseline_value, verdict.delta, verdict.p_value, verdict.mde) == (None, None, None, None)
    assert result.verdict == "pass"


def test_a_mean_under_the_bar_fails_and_says_by_what() -> None:
    """A failing rule explains itself."""
    verdict = only(apply_gate(rules(rule()), [case(0, 1.0), case(1, 0.5)]))
    assert (verdict.verdict, verdict.reason) == ("fail", "it is 0.75, below 0.8")


def test_each_model_is_judged_by_itself() -> None:
    """In alphabetical order; the worst decides."""
    cases = [case(0, 0.0, model="b"), case(0, 1.0, model="a")]
    result = apply_gate(rules(rule()), cases)
    assert [(verdict.model, verdict.verdict) for verdict in result.verdicts] == [("a", "pass"), ("b", "fail")]
    assert result.verdict == "fail"


def test_a_rule_of_one_model_leaves_the_others_alone() -> None:
    """And is not judged where that model did not run."""
    cases = [case(0, 0.0, model="b"), case(0, 1.0, model="a")]
    assert only(apply_gate(rules(rule(model="a")), cases)).model == "a"
    verdict = only(apply_gate(rules(rule(model="c")), cases))
    assert (verdict.model, verdict.verdict, verdict.reason) == (
        "c",
        "not_judged",
        "no case of model 'c' was selected",
    )
    hard = [case(0, 1.0, slices=("hard",))]
    assert only(apply_gate(rules(rule(model="c", slice="hard")), hard)).reason == "no case of model 'c' was selected"


def test_a_rule_of_a_slice_sees_its_cases_only() -> None:
    """A model without cases of the slice is not judged on it."""
    cases = [case(0, 1.0, slices=("hard",)), case(1, 0.0), case(2, 0.0, model="z")]
    first, second = apply_gate(rules(rule(slice="hard")), cases).verdicts
    assert (first.slice, first.verdict, first.n, first.value) == ("hard", "pass", 1, 1.0)
    assert (second.verdict, second.reason) == ("not_judged", "no case of slice 'hard' was selected")


def test_a_suite_that_was_not_selected_is_not_judged() -> None:
    """Nothing ran, so nothing is said; other suites' cases are passed over."""
    result = apply_gate(rules(rule(), rule(slice="hard")), [case(suite="other")])
    reason = "no case of suite 'qa' was selected"
    assert [(verdict.model, verdict.verdict, verdict.reason) for verdict in result.verdicts] == [
        (None, "not_judged", reason),
        (None, "not_judged", reason),
    ]
    assert result.verdict == "none"


@pytest.mark.parametrize("kind", ["max_drop", "max_rise", "noninferior"])
def test_a_regression_rule_without_a_baseline_is_not_judged(kind: RuleKind) -> None:
    """And says why."""
    result = apply_gate(rules(rule(kind, 0.02)), [case()])
    assert (only(result).verdict, only(result).reason, result.verdict) == (
        "not_judged",
        "no baseline",
        "none",
    )


def test_an_unknown_metric_is_unmeasurable_with_a_suggestion() -> None:
    """It never passes, and the name that was meant stands beside it."""
    verdict = only(apply_gate(rules(rule(metric="ff1")), [case()]))
    assert (verdict.verdict, verdict.value, verdict.n) == ("unmeasurable", None, 0)
    assert verdict.reason == "no case has a score 'ff1'; did you mean 'f1'?"
    placed = only(apply_gate(rules(rule(metric="ff1", line=7)), [case()]))
    assert placed.reason == f"line 7 of the rules: {verdict.reason}"
    broken = only(apply_gate(rules(rule(metric="zzz")), [case(), *errors(1)]))
    assert broken.reason is not None
    assert broken.reason.startswith("no case has a score 'zzz' (1 of 2 cases ended in an error); there are ")
    plain = only(apply_gate(rules(rule(metric="pass_rat")), [case(0, None), *errors(1)]))
    assert plain.reason is not None and plain.reason.endswith("; did you mean 'pass_rate'?")


def test_a_score_of_another_model_is_no_unknown_metric() -> None:
    """It is missing here."""
    cases = [case(0, 1.0, model="a"), case(0, None, model="b")]
    _, second = apply_gate(rules(rule()), cases).verdicts
    assert (second.verdict, second.reason) == (
        "unmeasurable",
        "no case has a value of 'f1' (1 finished without it)",
    )


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        (errors(1), "no case has a value of 'f1' (1 lost to the infrastructure)"),
        (errors(1, "timeout"), "no case has a value of 'f1' (1 with an error or an unknown value)"),
        ([case(outcome="skipped")], "no case has a value of 'f1' (1 skipped)"),
    ],
)
def test_a_metric_without_any_value_is_unmeasurable(cases: list[JudgedCase], reason: str) -> None:
    """Nothing was measured, so nothing passes."""
    verdict = only(apply_gate(rules(rule()), cases))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable", reason)


def test_a_judge_rule_without_a_judge_is_not_judged_unless_one_is_required() -> None:
    """A score of status none in every case is the sign of it."""
    cases = [
        case(0, None, scores={"correct": None}, statuses={"correct": "none"}),
        *errors(1),
    ]
    verdict = only(apply_gate(rules(rule(metric="correct")), cases))
    assert (verdict.verdict, verdict.reason) == ("not_judged", "no judge")
    strict = only(apply_gate(rules(rule(metric="correct"), require_judge=True), cases))
    assert strict.verdict == "unmeasurable"
    assert strict.reason == "no judge, and require_judge demands one; pass --judge-model"


def test_too_many_errors_make_every_rule_unmeasurable_and_have_a_row() -> None:
    """Above max_error_rate, and more than one."""
    cases = [case(number) for number in range(8)] + errors(2)
    row, verdict = apply_gate(rules(rule()), cases).verdicts
    assert (row.metric, row.rule, row.verdict) == ("error_rate", "max_error_rate=0.02", "unmeasurable")
    assert (row.value, row.n, row.reason) == (
        0.2,
        10,
        "2 errors in 10 cases; find their cause and run again",
    )
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0.2 < row.high
    assert (verdict.verdict, verdict.value, verdict.reason) == ("unmeasurable", 1.0, "2 errors in 10 cases")


@pytest.mark.parametrize("groups", [None, 4])
def test_the_interval_of_too_many_errors_is_that_of_a_bar_on_their_rate(groups: int | None) -> None:
    """All epochs of two of eight rows broke; no epoch is a row of its own, and rows of a cluster depend."""
    cases = [
        replace(each, epoch=epoch, cluster=None if groups is None else f"c{number % groups}")
        for epoch in range(1, 6)
        for number, each in enumerate([*(case(number) for number in range(6)), *errors(2)])
    ]
    row, bar = apply_gate(rules(rule(metric="error_rate", kind="max", bound=0.1)), cases).verdicts
    assert (row.low, row.high) == (bar.low, bar.high)
    assert row.high is not None
    assert row.high > 0.6


@pytest.mark.parametrize(
    ("cases", "limit"),
    [
        ([case(), *errors(1)], 0.02),
        ([case(number) for number in range(98)] + errors(2), 0.02),
        ([case(), *errors(3)], 0.75),
    ],
    ids=["one error", "at the limit", "a wider limit"],
)
def test_few_errors_of_the_infrastructure_leave_the_rules_judged(cases: list[JudgedCase], limit: float) -> None:
    """They leave the mean."""
    verdict = only(apply_gate(rules(rule(), max_error_rate=limit), cases))
    assert (verdict.verdict, verdict.value) == ("pass", 1.0)


def test_a_skipped_case_does_not_dilute_the_error_rate() -> None:
    """Errors are counted over the cases that were to have an answer."""
    cases = [case(number) for number in range(8)] + errors(2) + [case(f"k{n}", outcome="skipped") for n in range(90)]
    assert apply_gate(rules(rule()), cases).verdict == "unmeasurable"


def test_a_rule_that_fails_whatever_the_errors_hide_fails_with_too_many_of_them() -> None:
    """Eight zeros and two errors cannot reach 0.8."""
    cases = [case(number, 0.0) for number in range(8)] + errors(2)
    result = apply_gate(rules(rule()), cases)
    assert [verdict.verdict for verdict in result.verdicts] == ["unmeasurable", "fail"]
    assert result.verdicts[1].reason == (
        "it is 0.2, below 0.8, even with the best for every missing value (2 errors in 10 cases)"
    )
    assert result.verdict == "fail"


def test_with_too_many_errors_a_mean_that_they_could_lift_is_not_failed() -> None:
    """The rows that were lost may all have been right."""
    cases = [case(number, 0.75) for number in range(5)] + errors(5)
    assert apply_gate(rules(rule()), cases).verdict == "unmeasurable"


def test_an_error_rate_rule_is_judged_on_the_errors_themselves() -> None:
    """However many there are."""
    cases = [case(number) for number in range(8)] + errors(2)
    result = apply_gate(rules(rule("max", 0.3, "error_rate"), rule("max", 0.1, "error_rate")), cases)
    assert [verdict.verdict for verdict in result.verdicts] == ["unmeasurable", "pass", "fail"]
    assert [verdict.value for verdict in result.verdicts] == [0.2, 0.2, 0.2]


@pytest.mark.parametrize("kind", ["budget", "auth", "quota"])
def test_a_run_that_was_stopped_never_passes(kind: str) -> None:
    """One error is enough, though it is under max_error_rate."""
    cases = [case(number) for number in range(200)] + errors(1, kind)
    verdict = only(apply_gate(rules(rule()), cases))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable", f"the run was stopped ({kind})")


def test_cases_that_did_not_finish_make_a_run_invalid() -> None:
    """Even all of them; a model whose count is 0 was not selected."""
    collected = {("qa", "m"): 4, ("qa", "n"): 0, ("other", "m"): 9}
    verdict = only(apply_gate(rules(rule()), [case(0), case(1)], collected=collected))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable", "2 of 4 cases did not finish")
    nothing = only(apply_gate(rules(rule()), [], collected=collected))
    assert (nothing.model, nothing.verdict, nothing.reason) == (
        "m",
        "unmeasurable",
        "4 of 4 cases did not finish",
    )
    assert apply_gate(rules(rule()), [case(0), case(1)], collected={("qa", "m"): 2}).verdict == "pass"
    rate = only(apply_gate(rules(rule("max", 0.1, "error_rate")), [case(0)], collected=collected))
    assert rate.verdict == "unmeasurable"


def test_settings_alone_still_show_too_many_errors() -> None:
    """A suite without rules has the row."""
    assert only(apply_gate(rules(max_error_rate=0.1), [case(), *errors(2)])).rule == "max_error_rate=0.1"
    assert apply_gate(rules(), [case()]).verdicts == ()


def test_verdicts_stand_in_the_order_of_the_file() -> None:
    """Suites, then rules."""
    suites = {
        name: SuiteRules(name=name, rules=tuple(Rule(suite=name, metric=m, kind="min", bound=0.1) for m in metrics))
        for name, metrics in (("z", ("pass_rate", "f1")), ("a", ("f1",)))
    }
    result = apply_gate(Thresholds(suites=suites), [case(suite="a"), case(suite="z")])
    assert [(verdict.suite, verdict.metric) for verdict in result.verdicts] == [
        ("z", "pass_rate"),
        ("z", "f1"),
        ("a", "f1"),
    ]


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        (["pass", "fail", "unmeasurable", "inconclusive", "not_judged"], "fail"),
        (["pass", "unmeasurable", "inconclusive"], "unmeasurable"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "not_judged"], "pass"),
        (["not_judged"], "none"),
        ([], "none"),
    ],
)
def test_the_session_has_the_worst_verdict(found: list[Any], worst: str) -> None:
    """And none where no rule was judged."""
    verdicts = [Verdict(suite="qa", model="m", metric="f1", slice=None, rule="min=1", verdict=item) for item in found]
    assert session_verdict(verdicts) == worst


def test_a_total_is_over_the_epochs_of_the_first_look() -> None:
    """What a second look asks for is no part of what was bounded; everything else is over all epochs."""
    cases = [case(0, float(epoch > 1), epoch=epoch, output_tokens=10, slices=("a",)) for epoch in (1, 2, 3)]
    total = rule("max_total", 10, metric="output_tokens")
    found = apply_gate(rules(total, replace(total, slice="a"), rule("min", 0.6)), cases, first_look=1).verdicts
    assert [(each.verdict, each.value) for each in found] == [
        ("pass", 10),
        ("pass", 10),
        ("pass", pytest.approx(2 / 3)),
    ]
    assert only(apply_gate(rules(total), cases)).value == 30


UNCALLED = "no call of this suite went through the fixtures"


@pytest.mark.parametrize(
    ("fields", "metric", "reason"),
    [
        ({}, "input_tokens", UNCALLED),
        ({"cost_usd": 0.5, "judge_ids": {"f1": "j"}}, "output_tokens", UNCALLED),
        ({"cost_usd": 0.5}, "cost_usd", None),
        ({"judge_ids": {"f1": "j"}}, "cost_usd", None),
        ({"latency_s": 1.0}, "cost_usd", None),
        ({"latency_s": 1.0, "cached": True, "input_tokens": 7}, "input_tokens", None),
    ],
)
def test_what_is_measured_needs_one_call_at_least(fields: dict[str, Any], metric: str, reason: str | None) -> None:
    """A judge's counts for the cost alone; a worker that died may have made any, and a broken run says that it is."""
    nothing: dict[str, Any] = {"cost_usd": 0.0, "input_tokens": 0, "output_tokens": 0}
    cases = [case(0, **nothing), case(1, **{**nothing, **fields}), *errors(1, "worker_crashed")]
    asked = rules(rule("max_total", 9.0, metric))
    verdict = only(apply_gate(asked, cases))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable" if reason else "pass", reason)
    assert apply_gate(asked, [*cases, *errors(2, **nothing)]).verdicts[-1].reason == "3 errors in 5 cases"
    change = rules(rule("max_rise", 9.0, metric))
    called = [replace(each, latency_s=1.0, cached=False) for each in cases[:2]]
    found = only(apply_gate(change, called, baseline=Baseline(name="main", cases=cases)))
    assert (found.reason == f"in baseline main {UNCALLED}; set a new baseline") is (reason is not None)
