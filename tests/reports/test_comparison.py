"""A comparison says what changed between two runs, and rests on the gate's own decisions."""

from dataclasses import replace

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.rules import GateSettings, Rule, SuiteRules, Thresholds
from pytest_llmeval.reports.comparison import Comparison, compare
from pytest_llmeval.reports.row_flips import RowText
from tests.reports.sides import judged, side

BETTER = [judged(number, 1.0 if number < 36 else 0.0, slices=("even",) if number % 2 else ()) for number in range(40)]
WORSE = [judged(number, 1.0 if number < 20 else 0.0, slices=("even",) if number % 2 else ()) for number in range(40)]


def compared(base: list[JudgedCase], current: list[JudgedCase], rules: Thresholds | None = None) -> Comparison:
    """Return the comparison of two runs."""
    return compare(side("main", base), side("now", current), rules or Thresholds(), set_up=["prompt of 'qa'"])


def rule(**given: object) -> Thresholds:
    """Return one rule on qa."""
    one = Rule(suite="qa", **given)  # type: ignore[arg-type]  # given by the tests
    return Thresholds(suites={"qa": SuiteRules(name="qa", rules=(one,))})


def test_a_suite_without_rules_is_held_to_no_drop_at_all() -> None:
    """On its pass rate and each of its scores, as a whole and by slice."""
    partial = [judged(number, 0.75 * number / 40, slices=("even",) if number % 2 else ()) for number in range(40)]
    found = compared(BETTER, partial)
    assert [(each.metric, each.slice, each.rule) for each in found.changes] == [
        ("pass_rate", None, "max_drop=0"),
        ("f1", None, "max_drop=0"),
        ("pass_rate", "even", "max_drop=0"),
        ("f1", "even", "max_drop=0"),
    ]
    assert (found.verdict, found.exit_code) == ("fail", 1)


def test_what_a_score_says_of_every_case_is_not_tested_twice() -> None:
    """Each comparison more makes all others see less."""
    found = compared(BETTER, WORSE)
    assert [(each.metric, each.slice) for each in found.changes] == [("f1", None), ("f1", "even")]
    first = found.changes[0]
    assert (first.n, first.baseline_value, first.value) == (40, 0.9, 0.5)
    assert first.delta == pytest.approx(-0.4)
    assert (found.verdict, found.exit_code) == ("fail", 1)


@pytest.mark.parametrize("is_before", [True, False])
def test_one_case_whose_outcome_is_not_its_score_is_enough_to_test_both(is_before: bool) -> None:
    """A plain assert failed, say; in either run."""
    odd = [*BETTER[1:], judged(0, 1.0, outcome="missed")]
    found = compared(odd, BETTER) if is_before else compared(BETTER, odd)
    assert [each.metric for each in found.changes] == ["pass_rate", "f1"] * 2


def test_rules_on_a_change_stand_in_the_place_of_that() -> None:
    """Those on absolute values are the gate's business."""
    found = compared(BETTER, WORSE, rule(metric="f1", kind="max_drop", bound=0.5))
    assert [(each.metric, each.rule, each.verdict) for each in found.changes] == [("f1", "max_drop=0.5", "pass")]
    assert found.exit_code == 0
    found = compared(BETTER, WORSE, rule(metric="f1", kind="min", bound=0.99))
    assert {each.rule for each in found.changes} == {"max_drop=0"}


def test_rules_on_a_change_are_decided_as_the_gate_decides_them() -> None:
    """What suites without any are held to takes nothing from them, and bars that share their false alarms do."""
    base = [judged(number, 1.0, slices=("all",), suite=suite) for number in range(40) for suite in ("qa", "other")]
    now = [replace(each, scores={"f1": float(int(each.sample_id) > 3 or each.suite == "other")}) for each in base]
    drop = Rule(suite="qa", metric="f1", kind="max_drop", bound=0.02)
    bar = Rule(suite="qa", metric="f1", kind="min", bound=0.5, confident=True)
    for own in ((drop,), (drop, bar)):
        rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=own)})
        gated = apply_gate(rules, now, baseline=Baseline(name="main", cases=base)).verdicts
        found = compared(base, now, rules).changes
        assert [each for each in found if each.suite == "qa"] == [gated[0]]
        assert [(each.rule, each.verdict) for each in found if each.suite == "other"] == [("max_drop=0", "pass")] * 2
    assert gated[0].p_value == pytest.approx(2 / 32)


def test_nothing_changed_passes() -> None:
    """And no row is shown."""
    found = compared(BETTER, BETTER)
    assert (found.verdict, found.exit_code, found.flips, found.worse, found.better) == ("pass", 0, (), 0, 0)


def test_the_worse_direction_is_the_other_one_when_the_runs_are_swapped() -> None:
    """Better rows fail nothing."""
    found = compared(WORSE, BETTER)
    assert (found.verdict, found.worse, found.better) == ("pass", 0, 16)
    assert found.changes[0].delta == pytest.approx(0.4)


def test_rows_that_flipped_come_with_what_was_asked_and_said() -> None:
    """Both answers side by side; the texts are asked for only of the rows that are shown."""
    texts = {"20": RowText(prompt="2+2?", expected='"4"', answer="4", outcome="passed")}
    after = {"20": RowText(prompt="2+2?", expected='"4"', answer="5", outcome="missed")}
    found = compare(side("a", BETTER, texts), side("b", WORSE, after), Thresholds(), set_up=[])
    flip = next(each for each in found.flips if each.sample_id == "20")
    assert (flip.direction, flip.before.answer, flip.after.answer, flip.after.expected) == ("worse", "4", "5", '"4"')
    assert [(score.name, score.before, score.after) for score in flip.scores] == [
        ("pass_rate", 1.0, 0.0),
        ("f1", 1.0, 0.0),
    ]


def test_better_rows_find_room_beside_many_worse_ones() -> None:
    """Half of the places at most, and the worse ones take what is left."""
    current = [judged(number, 0.0 if number < 20 else 1.0) for number in range(40)]
    base = [judged(number, 1.0 if number < 36 else 0.0) for number in range(40)]
    found = compare(side("a", base), side("b", current), Thresholds(), set_up=[], most_flips=6)
    assert [flip.direction for flip in found.flips] == ["worse"] * 3 + ["better"] * 3
    assert (found.worse, found.better) == (20, 4)
    few = compare(side("a", base[:21]), side("b", current[:21]), Thresholds(), set_up=[], most_flips=6)
    assert [flip.direction for flip in few.flips] == ["worse"] * 6


def test_a_score_that_sank_without_a_flip_is_shown_where_its_rule_fails() -> None:
    """Nothing crossed its pass mark, and yet every row lost a little."""
    base = [judged(number, 0.9) for number in range(40)]
    current = [judged(number, 0.6 + number / 1000) for number in range(40)]
    found = compared(base, current)
    assert (found.verdict, found.worse) == ("fail", 0)
    assert len(found.flips) == 20
    assert found.flips[0].sample_id == "0"
    assert all(flip.direction == "worse" for flip in found.flips)


def test_rows_that_flipped_find_room_before_scores_that_rose() -> None:
    base = [judged(number, 1.0 if number < 8 else 0.6) for number in range(40)]
    current = [judged(number, 0.0 if number < 8 else 0.61) for number in range(40)]
    found = compare(side("a", base), side("b", current), Thresholds(), set_up=[], most_flips=10)
    assert (found.verdict, found.worse, found.better) == ("fail", 8, 0)
    assert [flip.direction for flip in found.flips] == ["worse"] * 8 + ["better"] * 2
    assert [flip.by_outcome for flip in found.flips] == [True] * 8 + [False] * 2


def test_a_score_that_must_not_rise_got_worse_where_it_rose() -> None:
    base = [judged(number, 0.0, outcome="passed") for number in range(40)]
    current = [judged(number, float(number < 20), outcome="passed") for number in range(40)]
    rule = Rule(suite="qa", metric="f1", kind="max_rise", bound=0.0)
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    found = compare(side("a", base), side("b", current), rules, set_up=[])
    assert (found.verdict, found.worse) == ("fail", 0)
    assert [(flip.direction, flip.scores[-1].after) for flip in found.flips] == [("worse", 1.0)] * 20


def test_epochs_are_one_row() -> None:
    """A row that passes in one epoch of two moved by half."""
    base = [judged("a", 1.0, epoch=epoch) for epoch in (1, 2)]
    current = [judged("a", 1.0), judged("a", 0.0, epoch=2)]
    found = compared(base, current)
    assert [(flip.sample_id, flip.scores[0].after) for flip in found.flips] == [("a", 0.5)]


def of_epochs(*shares: tuple[int, int]) -> list[JudgedCase]:
    """Return rows of which so many of so many epochs passed."""
    return [
        judged(row, float(epoch < passed), epoch=epoch + 1)
        for row, (passed, epochs) in enumerate(shares)
        for epoch in range(epochs)
    ]


def test_of_other_epochs_a_row_flips_by_the_majority_of_them() -> None:
    """One miss of three beside a single pass is none, though the mean fell; nor is a half."""
    base = of_epochs((1, 1), (1, 1), (0, 1), (0, 1), (1, 2))
    current = of_epochs((2, 3), (1, 3), (1, 3), (2, 3), (0, 3))
    found = compared(base, current)
    assert (found.worse, found.better) == (1, 1)
    assert [(flip.sample_id, flip.direction) for flip in found.flips if flip.by_outcome] == [
        ("1", "worse"),
        ("3", "better"),
    ]


def test_rows_that_fell_without_a_flip_are_shown_where_a_rule_on_outcomes_fails() -> None:
    rule = Rule(suite="qa", metric="pass_rate", kind="max_drop", bound=0.0)
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    found = compared(of_epochs(*[(1, 1)] * 20), of_epochs(*[(2, 3)] * 20), rules)
    assert (found.verdict, found.worse, len(found.flips)) == ("fail", 0, 20)


def test_latency_tokens_cost_and_errors_are_shown_beside_the_scores() -> None:
    """On the rows that both runs have, with an interval where the values vary."""
    base = [judged(number, 1.0, latency_s=1.0 + number / 100, cost_usd=0.01) for number in range(50)]
    current = [judged(number, 1.0, latency_s=2.0 + number / 50, cost_usd=0.02) for number in range(49)]
    current.append(judged(49, outcome="error", error_kind="timeout", latency_s=None, cost_usd=None))
    found = {each.measure: each for each in compared(base, current).measures}
    slow = found["latency_s p50"]
    assert slow.n == 49
    assert [slow.before, slow.after] == pytest.approx([1.24, 2.48])
    assert slow.low is not None and slow.high is not None and slow.low < 1.24 < slow.high
    assert [found["cost_usd"].before, found["cost_usd"].after] == pytest.approx([0.49, 0.98])
    assert (found["error_rate"].before, found["error_rate"].after) == (0.0, 0.02)
    assert found["input_tokens"].low is None


def test_skipped_cases_have_no_share_of_errors() -> None:
    """A share is over what ended; where nothing did there is none, and no 0 stands for it."""
    base = [judged(number, 1.0) for number in range(4)]
    half = [judged(0, 1.0), judged(1, outcome="error"), judged(2, outcome="skipped"), judged(3, outcome="skipped")]
    found = {each.measure: each for each in compared(base, half).measures}["error_rate"]
    assert (found.n, found.before, found.after) == (2, 0.0, 0.5)
    none = [judged(number, outcome="skipped", latency_s=None) for number in range(4)]
    for sides in ((base, none), (none, base)):
        assert "error_rate" not in {each.measure for each in compared(*sides).measures}


def test_rows_that_depend_on_each_other_say_less_of_time_and_cost() -> None:
    """The interval is that of whole clusters: five rows of a document are as slow as each other."""
    slow = [judged(number, 1.0, latency_s=1.0 + number // 5 / 10, cost_usd=number // 5 / 10) for number in range(60)]
    base = [judged(number, 1.0, latency_s=1.0, cost_usd=0.0) for number in range(60)]
    alone = {each.measure: each for each in compared(base, slow).measures}["cost_usd"]
    before, now = ([replace(case, cluster=str(int(case.sample_id) // 5)) for case in cases] for cases in (base, slow))
    together = {each.measure: each for each in compared(before, now).measures}["cost_usd"]
    widths = [each.high - each.low for each in (alone, together) if each.high is not None and each.low is not None]
    assert len(widths) == 2
    assert widths[1] > 1.5 * widths[0]


def test_two_models_of_one_run_compare() -> None:
    """The model of each side is named; their rows pair by id."""
    cases = [
        *(judged(number, 1.0, model="big") for number in range(20)),
        *(judged(number, 0.0, model="small") for number in range(20)),
    ]
    found = compare(side("r@big", cases, model="big"), side("r@small", cases, model="small"), Thresholds(), set_up=[])
    assert {each.model for each in found.changes} == {"small"}
    assert (found.verdict, found.worse) == ("fail", 20)


def test_what_only_one_run_has_is_told() -> None:
    """New, changed and gone rows, and whole suites."""
    base = [*BETTER, judged("gone", 1.0), judged("x", 1.0, suite="old")]
    current = [*BETTER[1:], judged(0, 1.0, input_digest="other"), judged("new", 1.0), judged("y", 1.0, suite="fresh")]
    found = compared(base, current)
    assert found.notes == (
        "qa on m: 39 rows pair; 1 changed, 1 gone, 1 new",
        "fresh on m: only in the current run",
        "old: only in the base",
    )


def test_flips_by_another_judge_are_told_as_such() -> None:
    before, now = ([judged(n, float(n % 2), judge_ids={"f1": name}) for n in range(10)] for name in ("a", "b"))
    assert compared(before, now).notes == ("qa on m: another judge scored 10 rows, whose flips may come of that alone",)
    assert compared(before, before).notes == ()


def test_runs_without_a_common_suite_are_not_judged() -> None:
    """There is nothing to say of them, and so nothing to be content with."""
    found = compared([judged("a", 1.0, suite="one")], [judged("a", 1.0, suite="two")])
    assert (found.verdict, found.exit_code, found.measures) == ("none", 10, ())


def test_an_inconclusive_change_fails_where_the_suite_says_so() -> None:
    """Five of forty rows for the worse, one for the better."""
    base = [judged(number, 1.0 if number else 0.0) for number in range(40)]
    current = [judged(number, 0.0 if 0 < number < 5 else 1.0) for number in range(40)]
    settings = GateSettings(on_inconclusive="fail")
    one = (Rule(suite="qa", metric="f1", kind="max_drop", bound=0.0),)
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=one, settings=settings)})
    found = compared(base, current, rules)
    assert (found.verdict, found.exit_code) == ("inconclusive", 1)


def test_rows_without_an_answer_are_named_with_what_broke_them() -> None:
    """They flip nowhere, and who reads of 'errors' alone does not know where to look; epochs of a row are one name."""
    broken = [judged(1, outcome="error", error_kind="filtered", epoch=epoch) for epoch in (1, 2)]
    now = [*broken, *(judged(number, outcome="error", error_kind="code") for number in range(2, 8)), judged(9, 1.0)]
    (told, *others) = compared([judged(9, 1.0)], now).notes
    which = "1 (filtered), 2 (code), 3 (code), 4 (code), 5 (code) and 2 more"
    assert told == f"qa on m: 8 cases ended in an error and have no verdict: {which}"
    assert others == ["qa on m: 1 row pairs; 7 new"]
