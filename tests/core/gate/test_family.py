"""The rules of a session that are decided by a p-value share its false alarms."""

from typing import Any

import pytest
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import GateResult, apply_gate
from pytest_llmeval.core.rules import GateSettings, OnInconclusive, Rule, SuiteRules, Thresholds
from tests.support.gate_runs import broken, case, compared, rule, rules, run

WORSE = (6, 5, 4, 7)
"""How many of 20 rows got worse in each of four slices."""


def sliced(part: str, worse: int, **fields: Any) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return 20 rows of a slice in two runs."""
    before = [case(f"{part}{number}", 1.0, slices=(part,), **fields) for number in range(20)]
    after = [case(f"{part}{number}", float(number >= worse), slices=(part,), **fields) for number in range(20)]
    return before, after


def four(*given: Rule, **settings: Any) -> GateResult:
    """Return what the gate says of four slices."""
    runs = [sliced(f"p{number}", worse) for number, worse in enumerate(WORSE)]
    return compared(
        [c for before, _ in runs for c in before], [c for _, after in runs for c in after], *given, **settings
    )


def mid_p(worse: int) -> float:
    """Return McNemar's mid-p where none got better."""
    return 0.5 ** (worse + 1)


SLICED = [rule(slice=f"p{number}") for number in range(4)]


def test_rules_of_one_kind_share_all_of_alpha_by_holms_procedure() -> None:
    """As statsmodels has it; the reason names how many they are."""
    adjusted = multipletests([mid_p(worse) for worse in WORSE], method="holm")[1]
    verdicts = four(*SLICED).verdicts
    assert [each.p_value for each in verdicts] == pytest.approx(list(adjusted))
    assert [each.verdict for each in verdicts] == ["fail"] * 4
    assert verdicts[0].reason is not None
    assert "after Holm over 4 rules, fails below 0.05;" in verdicts[0].reason


def test_suite_and_slice_rules_have_half_of_alpha_each() -> None:
    """Each half adjusts by itself."""
    whole, *parts = four(rule(), *SLICED).verdicts
    adjusted = multipletests([mid_p(worse) for worse in WORSE], method="holm")[1]
    assert whole.p_value == pytest.approx(mid_p(sum(WORSE)))
    assert [each.p_value for each in parts] == pytest.approx(list(adjusted))
    assert [each.verdict for each in parts] == ["fail", "inconclusive", "inconclusive", "fail"]
    assert whole.reason is not None
    assert "p 1.2e-07, fails below 0.025;" in whole.reason


@pytest.mark.parametrize(
    "outside", [rule("min", 0.1), rule("noninferior", 0.5), rule("max", 1.0), rule("min_lower", 0.1)]
)
def test_rules_without_a_p_value_take_no_share(outside: Rule) -> None:
    """A point rule, or one with its own alpha, leaves the others theirs."""
    alone, beside = four(*SLICED), four(outside, *SLICED)
    assert [each.p_value for each in beside.verdicts[1:]] == [each.p_value for each in alone.verdicts]


def test_a_confident_bar_takes_a_share() -> None:
    """Of the suite's half here."""
    (_, drop) = four(rule("min", 0.9, confident=True), rule()).verdicts
    assert drop.p_value == pytest.approx(2 * mid_p(sum(WORSE)))


def test_rules_that_could_not_be_held_against_numbers_take_no_share() -> None:
    """A slice that did not run, another metric without a score."""
    more = [rule(slice="absent"), rule(metric="other")]
    alone, beside = four(*SLICED), four(*more, *SLICED)
    assert [each.p_value for each in beside.verdicts[2:]] == [each.p_value for each in alone.verdicts]


def test_each_model_takes_a_share_of_its_own() -> None:
    """Two models with one rule are two rules."""
    a, b = sliced("p", 4, model="a"), sliced("p", 6, model="b")
    verdicts = compared([*a[0], *b[0]], [*a[1], *b[1]]).verdicts
    assert [each.p_value for each in verdicts] == pytest.approx([mid_p(4), 2 * mid_p(6)])


def test_a_rule_over_too_few_groups_takes_nothing_of_what_the_others_share() -> None:
    """It has no p-value and can never fail, so that it is no source of false alarms."""
    few = sliced("few", 10, cluster="one"), sliced("many", 6)
    parts = [rule(slice="few"), rule(slice="many")]
    none, some = compared(few[0][0] + few[1][0], few[0][1] + few[1][1], *parts).verdicts
    assert (none.p_value, none.verdict) == (None, "inconclusive")
    assert some.p_value == pytest.approx(mid_p(6))
    whole, none = compared(few[0][0] + few[1][0], few[0][1] + few[1][1], rule(), rule(slice="few")).verdicts
    assert none.p_value is None
    assert whole.reason is not None
    assert ", fails below 0.05;" in whole.reason


def test_a_second_look_leaves_half_of_alpha_to_the_first() -> None:
    """Where an inconclusive rule asks for more epochs."""
    assert compared(*sliced("p", 4)).verdict == "fail"
    assert compared(*sliced("p", 4), on_inconclusive="escalate").verdict == "inconclusive"
    assert compared(*sliced("p", 5), on_inconclusive="escalate").verdict == "fail"


@pytest.mark.parametrize("asking", ["warn", "fail", "escalate"])
def test_what_is_inconclusive_is_so_whatever_is_done_about_it(asking: OnInconclusive) -> None:
    """Two looks share what may fail, not what is too much to be passed: a drop with a p-value from alpha to 4 alpha."""
    for worse, verdict in ((1, "pass"), (2, "inconclusive"), (3, "inconclusive")):
        found = compared(*sliced("p", worse), on_inconclusive=asking, asks_again=True)
        assert found.verdict == verdict
    halves = rule(), rule(slice="p")
    for worse, verdict in ((2, "pass"), (3, "inconclusive")):
        verdicts = compared(*sliced("p", worse), *halves, on_inconclusive=asking, asks_again=True).verdicts
        assert [each.verdict for each in verdicts] == [verdict] * 2


@pytest.mark.parametrize(("worse", "verdict"), [(2, "pass"), (3, "inconclusive")])
def test_a_look_behind_which_there_is_none_has_its_half_alone(worse: int, verdict: str) -> None:
    """The second is one, and the first where no second can be taken: whatever is inconclusive there fails."""
    assert compared(*sliced("p", worse), on_inconclusive="escalate").verdict == verdict


@pytest.mark.parametrize("own", ["warn", "fail"])
@pytest.mark.parametrize("asks_again", [True, False])
def test_a_suite_beside_one_that_asks_again_is_inconclusive_where_it_was(own: OnInconclusive, asks_again: bool) -> None:
    before, after = sliced("p", 2)
    settings = GateSettings(on_inconclusive="escalate")
    other = SuiteRules(name="other", rules=(rule("min", 0.5, suite="other"),), settings=settings)
    both = Thresholds(suites={**rules(rule(), on_inconclusive=own).suites, "other": other})
    against = Baseline(name="main", cases=before)
    found = apply_gate(both, [*after, case("x", suite="other")], baseline=against, asks_again=asks_again)
    assert found.verdicts[0].verdict == "inconclusive"


def test_a_second_look_of_one_suite_is_one_at_all_that_are_there() -> None:
    """So its own share of false alarms comes from all of them; a suite that was not selected asks for nothing."""
    before, after = sliced("p", 4)
    other = SuiteRules(
        name="other",
        rules=(rule("min", 0.5, suite="other"),),
        settings=GateSettings(on_inconclusive="escalate"),
    )
    both = Thresholds(suites={**rules(rule()).suites, "other": other})
    asked = [case("x", 1.0, suite="other")]
    for there, verdict in (([], "fail"), (asked, "inconclusive")):
        found = apply_gate(both, [*after, *there], baseline=Baseline(name="main", cases=before))
        assert found.verdicts[0].verdict == verdict


def test_ends_are_adjusted_too() -> None:
    """Six of 20 fail beside one other rule, but not beside 12, whose slices are all as they were."""
    hurt, after = sliced("hurt", 6)
    after[19] = broken("hurt19", "timeout", slices=("hurt",))
    quiet = [case(f"q{number}", 1.0, slices=(f"q{number % 12}",)) for number in range(240)]
    for others, verdict in ((1, "fail"), (12, "inconclusive")):
        given = [rule(slice="hurt"), *(rule(slice=f"q{number}") for number in range(others))]
        found = compared([*hurt, *quiet], [*after, *quiet], *given, max_error_rate=0.5).verdicts[0]
        assert found.verdict == verdict


def test_verdicts_of_a_run_do_not_hang_on_the_order_of_rules() -> None:
    """Holm's procedure orders them by itself."""
    there = {each.slice: each for each in four(*SLICED).verdicts}
    assert {each.slice: each for each in four(*SLICED[::-1]).verdicts} == there


def test_alpha_is_the_suites() -> None:
    """A stricter one fails less."""
    before, after = run([1.0] * 100), run([0.0] * 4 + [1.0] * 96)
    assert compared(before, after).verdict == "fail"
    assert compared(before, after, alpha=1 / 32).verdict == "inconclusive"
    assert compared(before, after, alpha=0.01).verdict == "inconclusive"
    assert compared(before, after, alpha=0.005).verdict == "pass"


@pytest.mark.parametrize(("value", "told"), [(1.0, "inconclusive"), (0.0, "fail"), (None, "inconclusive")])
def test_what_another_rules_missing_answer_may_change_is_open(value: float | None, told: str) -> None:
    """The other's p-value is 0.0156 or 0.0625 by it; with the first this one's 0.0312 is enough, with the other not."""
    (before, after), (other_before, other_after) = sliced("c", 4), sliced("b", 5)
    other_before[-1] = case("b19", 0.0, slices=("b",))
    name = {"slices": ("b",)}
    other_after[-1] = broken("b19", "scorer", **name) if value is None else case("b19", value, **name)
    found = compared(
        [*before, *other_before], [*after, *other_after], rule(slice="b"), rule(slice="c"), max_error_rate=0.9
    )
    other, own = found.verdicts
    assert (own.verdict, own.is_open) == (told, value is None)
    assert own.p_value == pytest.approx(0.0625 if value == 1 else mid_p(4))
    if value is None:
        assert other.is_open
        assert own.reason is not None
        assert own.reason.startswith(
            "it comes to fail or inconclusive by the p-values of other rules, whose missing answers leave them open; "
        )
