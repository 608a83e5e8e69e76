"""Which rows of two runs pair, what is left out, and when two runs cannot be compared."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from tests.support.gate_runs import broken, case, compared, only, reason, rule, run


def test_rows_pair_by_id_and_by_what_they_hold() -> None:
    """Whatever their order; a row that is new, changed or gone is counted and left out."""
    before = run([1.0] * 20)
    after = [case("new", 0.0), replace(case(0, 0.0), input_digest="another"), *run([1.0] * 19)[:0:-1]]
    verdict = only(compared(before, after))
    assert (verdict.n, verdict.value, verdict.baseline_value, verdict.delta) == (18, 1.0, 1.0, 0.0)
    assert (verdict.verdict, verdict.p_value) == ("pass", 1.0)
    assert reason(before, after).endswith("rows: 0 worse, 0 better; left out: 1 new, 1 changed, 1 gone")


@pytest.mark.parametrize(("there", "verdict"), [(9, "pass"), (8, "unmeasurable")])
def test_nine_rows_of_ten_must_pair(there: int, verdict: str) -> None:
    """Below, it is no longer the same dataset."""
    found = only(compared(run([1.0] * 10), run([1.0] * there)))
    assert found.verdict == verdict
    if verdict == "unmeasurable":
        assert found.reason == ("only 8 of 10 baseline rows pair (0 changed, 2 gone); set a new baseline")


@pytest.mark.parametrize(("lost", "verdict"), [(1, "pass"), (2, "unmeasurable")])
@pytest.mark.parametrize("kind", ["connection", "timeout", "scorer", "judge"])
def test_rows_that_the_baseline_lost_count_as_not_paired(lost: int, verdict: str, kind: str) -> None:
    """Whatever the error: of all others nothing is known. One that finished without the score is no such row."""
    before = [*run([1.0] * 10)[lost:], *(broken(number, kind) for number in range(lost))]
    found = only(compared(before, run([1.0] * 10)))
    assert found.verdict == verdict
    if verdict == "unmeasurable":
        told = "only 8 of 10 baseline rows pair (0 changed, 0 gone, 2 lost there); set a new baseline"
        assert found.reason == told
    unscored = [*run([1.0] * 10)[5:], *(case(number, None) for number in range(5))]
    assert only(compared(unscored, run([1.0] * 10))).verdict == "pass"


@pytest.mark.parametrize(("lost", "verdict"), [(1, "pass"), (2, "unmeasurable")])
def test_one_row_that_the_baseline_lost_makes_no_small_slice_unmeasurable(lost: int, verdict: str) -> None:
    """A baseline may have lost one of its rows, and of a slice of five that is a fifth."""
    before = [*run([1.0] * 5)[lost:], *(broken(number, "connection") for number in range(lost))]
    assert only(compared(before, run([1.0] * 5))).verdict == verdict


def test_changed_rows_count_as_not_paired() -> None:
    """Two of ten are too many."""
    after = [replace(each, input_digest=None) if number < 2 else each for number, each in enumerate(run([1.0] * 10))]
    assert reason(run([1.0] * 10), after) == ("only 8 of 10 baseline rows pair (2 changed, 0 gone); set a new baseline")


def test_rows_under_other_ids_are_told_from_rows_that_are_gone() -> None:
    """A spreadsheet makes 7 of an id 007; then the same questions stand there, and none pairs."""
    before = [replace(case(f"0{n}", 1.0, slices=("hard",)), input_digest=f"d{n}") for n in range(10)]
    after = [replace(case(f"{n}", 1.0, slices=("hard",)), input_digest=f"d{n}") for n in range(10)]
    told = "only 0 of 10 baseline rows pair (0 changed, 10 gone, 10 of them under other ids now)"
    fix = "give rows their ids back, or set a new baseline"
    assert reason(before, after) == reason(before, after, rule(slice="hard")) == f"{told}; {fix}"
    some = [*after[:5], *(replace(each, input_digest="other") for each in after[5:])]
    told = "only 0 of 10 baseline rows pair (0 changed, 10 gone, 5 of them under other ids now)"
    assert reason(before, some) == f"{told}; set a new baseline"


def test_rows_that_m_deselected_are_not_missing() -> None:
    """They are as many as the run says, and no more are forgiven."""
    before, after = run([1.0] * 20), run([1.0] * 10)
    assert only(compared(before, after, baseline={"deselected": {"qa": 10}})).verdict == "pass"
    assert only(compared(before, after, baseline={"deselected": {"qa": 9}})).verdict == "pass"
    assert only(compared(before, after, baseline={"deselected": {"qa": 8}})).verdict == "unmeasurable"
    assert only(compared(before, after, baseline={"deselected": {"other": 10}})).verdict == "unmeasurable"


def test_rows_that_m_deselected_elsewhere_make_up_for_none_that_a_slice_lacks() -> None:
    """27 of its 30 rows are gone; the 70 that ``-m`` left out are others."""
    others = [case(f"o{number}", 1.0) for number in range(70)]
    before = [*run([1.0] * 30, slices=("hard",)), *others]
    after = run([1.0] * 30, slices=("hard",))
    left = {"deselected": {"qa": 70}}
    assert only(compared(before, after, rule(slice="hard"), baseline=left)).verdict == "pass"
    assert reason(before, after[:3], rule(slice="hard"), baseline=left) == (
        "only 3 of 30 baseline rows pair (0 changed, 27 gone); set a new baseline"
    )


def test_a_slice_lacks_no_row_where_m_deselected_as_many_as_are_gone() -> None:
    """Also where most of its own are among them."""
    before = [*run([1.0] * 30, slices=("hard",)), *(case(f"o{number}", 1.0) for number in range(70))]
    found = only(compared(before, before[:3], rule(slice="hard"), baseline={"deselected": {"qa": 97}}))
    assert (found.verdict, found.n) == ("pass", 3)


def test_a_slice_is_about_its_own_rows() -> None:
    """Rows of today's slice pair; new, changed and gone ones count where they are in it."""
    hard: dict[str, Any] = {"slices": ("hard",)}
    before = [*run([1.0] * 18), *(case(number, 1.0, **hard) for number in range(18, 38)), case("gone", 1.0, **hard)]
    after = [*run([0.0] * 18), *(case(number, 1.0, **hard) for number in range(18, 37)), case("new", 0.0, **hard)]
    after.append(replace(case(37, 0.0, **hard), input_digest="another"))
    whole, sliced = compared(before, after, rule(), rule(slice="hard")).verdicts
    assert (whole.n, sliced.n) == (37, 19)
    assert (whole.verdict, sliced.verdict) == ("fail", "pass")
    assert sliced.reason is not None
    assert sliced.reason.endswith("left out: 1 new, 1 changed, 1 gone")


@pytest.mark.parametrize(("moved", "verdict"), [(4, "pass"), (5, "unmeasurable"), (28, "unmeasurable")])
def test_rows_that_left_a_slice_do_not_pair_there(moved: int, verdict: str) -> None:
    """Tags are no part of what a row is: those that got worse could be moved out of sight. The suite has them still."""
    hard, easy = {"slices": ("hard",)}, {"slices": ("easy", "long")}
    before = run([1.0] * 40, **hard)
    after = [*run([0.0] * moved, **easy), *before[moved:]]
    whole, sliced = compared(before, after, rule(bound=0.9), rule(slice="hard")).verdicts
    assert (whole.verdict, whole.n, sliced.verdict) == ("pass", 40, verdict)
    assert "longer" not in str(whole.reason)
    if verdict == "pass":
        assert str(sliced.reason).endswith("left out: 4 no longer in this slice")
    else:
        assert sliced.reason == (
            f"only {40 - moved} of 40 baseline rows pair (0 changed, 0 gone, {moved} no longer in this slice);"
            " set a new baseline"
        )
    assert only(compared(run([1.0] * 40, **easy), run([1.0] * 40, **hard), rule(slice="hard"))).verdict == "pass"


def test_a_slice_whose_rows_are_all_new_cannot_be_compared() -> None:
    """It says so, and what became of the baseline's rows."""
    before = [case(number, 1.0, slices=("hard",)) for number in range(4)] + [case("x", 1.0)]
    after = [case(f"n{number}", 1.0, slices=("hard",)) for number in range(4)] + [case("x", 1.0)]
    assert reason(before, after, rule(slice="hard")) == (
        "only 0 of 4 baseline rows pair (0 changed, 4 gone); set a new baseline"
    )


def test_rows_without_a_value_in_one_run_leave_the_pair_and_are_counted() -> None:
    """Lost to the infrastructure, skipped, finished without the score, or not scored by the baseline."""
    before = [*run([1.0] * 38), case(38, None), broken(39, "timeout")]
    after = [broken(0, "connection"), case(1, None, outcome="skipped"), case(2, None), *run([1.0] * 40)[3:]]
    verdict = only(compared(before, after))
    assert (verdict.verdict, verdict.n) == ("pass", 35)
    assert reason(before, after).endswith("left out: 2 not scored by the baseline, 3 without a value here")


@pytest.mark.parametrize(("missing", "verdict"), [(10, "pass"), (11, "unmeasurable"), (97, "unmeasurable")])
@pytest.mark.parametrize("fields", [{"outcome": "skipped"}, {}, {"outcome": "error", "error_kind": "connection"}])
def test_rows_that_this_run_left_without_a_value_count_as_not_paired(
    missing: int, verdict: str, fields: dict[str, Any]
) -> None:
    """Skipped, not scored or lost: of those that are left alone a rule passes nothing."""
    after = [*(case(number, None, **fields) for number in range(missing)), *run([1.0] * 100)[missing:]]
    found = only(compared(run([1.0] * 100), after, rule(bound=0.0), max_error_rate=1.0))
    assert found.verdict == verdict
    if verdict == "unmeasurable":
        assert found.reason == (
            f"only {100 - missing} of 100 baseline rows pair (0 changed, 0 gone, {missing} without a value"
            " here); see why the others have none (skipped, lost or not scored)"
        )


def test_rows_that_the_baseline_scored_are_a_whole_of_their_own() -> None:
    """A score that few rows have is not carried by all the rows without it; one row that lacks it is forgiven."""
    before = run([1.0] * 10 + [None] * 90)
    assert only(compared(before, run([None] * 1 + [1.0] * 9 + [None] * 90))).verdict == "pass"
    without: tuple[dict[str, Any], ...] = (
        {"outcome": "skipped"},
        {"outcome": "error", "error_kind": "connection"},
        {"scores": {"f1": None}, "statuses": {"f1": "none"}},
    )
    for fields in without:
        after = [*run([None] * 7, **fields), *run([1.0] * 10 + [None] * 90)[7:]]
        assert reason(before, after, max_error_rate=1.0) == (
            "only 3 of 10 rows that the baseline scored have a value here; see why the others have none (skipped, lost"
            " or not scored)"
        )


@pytest.mark.parametrize(
    ("had", "has", "verdict"), [(5, 3, "pass"), (50, 20, "pass"), (89, 3, "pass"), (90, 3, "unmeasurable")]
)
def test_a_score_that_most_rows_never_had_is_missing_in_none(had: int, has: int, verdict: str) -> None:
    """Which rows come to it is what was said in them; where nearly all had it they lost it."""
    before, after = run([1.0] * had + [None] * (100 - had)), run([1.0] * has + [None] * (100 - has))
    assert only(compared(before, after)).verdict == verdict
    if verdict == "pass":
        assert f"{had - has} without a value here" in reason(before, after)


def test_a_score_that_all_rows_of_a_slice_had_is_missing_there() -> None:
    """As where the test asks for it in the rows of one kind alone."""
    hard = run([1.0] * 30, slices=("hard",))
    others = [case(f"o{number}", None, slices=("easy",)) for number in range(70)]
    after = [*run([1.0] * 3 + [None] * 27, slices=("hard",)), *others]
    verdicts = compared([*hard, *others], after, rule(), rule(slice="hard")).verdicts
    assert [verdict.verdict for verdict in verdicts] == ["pass", "unmeasurable"]
    assert str(verdicts[1].reason).startswith("only 3 of 30 baseline rows pair (0 changed, 0 gone, 27 without")


def test_rows_that_broke_or_were_skipped_do_not_say_which_rows_have_a_score() -> None:
    """All of the 50 that finished had it."""
    before = [*run([1.0] * 50), *(case(number, None, outcome="skipped") for number in range(50, 100))]
    assert only(compared(before, run([1.0] * 3 + [None] * 97))).verdict == "unmeasurable"


@pytest.mark.parametrize(("cached", "verdict"), [(11, "pass"), (97, "pass"), (100, "not_judged")])
def test_answers_from_the_cache_are_not_missing_among_latencies(cached: int, verdict: str) -> None:
    """They stay out; with ``--cache use`` any number of them may be there."""
    before, slower = run([1.0] * 100, latency_s=1.0), rule("max_rise", 0.1, metric="latency_s")
    after = [*run([1.0] * cached, latency_s=1.0, cached=True), *run([1.0] * 100, latency_s=1.0)[cached:]]
    found = only(compared(before, after, slower))
    assert (found.verdict, found.n) == (verdict, 100 - cached)
    if verdict == "pass":
        assert reason(before, after, slower).endswith(f"left out: {cached} answered from the cache")
    else:
        assert found.reason == "all answers come from the cache"


def test_rows_that_were_skipped_are_missing_beside_those_from_the_cache() -> None:
    """Each for its own reason."""
    before, slower = run([1.0] * 100, latency_s=1.0), rule("max_rise", 0.1, metric="latency_s")
    cached = run([1.0] * 50, latency_s=1.0, cached=True)
    after = [*cached, *run([None] * 61, outcome="skipped")[50:], *before[61:]]
    assert reason(before, after, slower).startswith("only 89 of 100 baseline rows pair (0 changed, 0 gone, 11 w")


def test_gone_and_missing_rows_are_too_many_together() -> None:
    """What is to be done is told of those that are more than the other kind leaves room for."""
    rows = run([1.0] * 100)
    few = [*run([None] * 6), *rows[6:]]
    assert only(compared(rows, few)).verdict == "pass"
    assert reason(rows, few[:94]).startswith("only 88 of 100 baseline rows pair (0 changed, 6 gone, 6 without")
    assert reason(rows, few[:94]).endswith("see why the others have none (skipped, lost or not scored)")
    assert reason(rows, few[:80]).endswith("set a new baseline")


def test_what_was_lost_is_weighed_in_a_run_that_is_not_valid_and_what_was_skipped_is_not() -> None:
    """A rule that fails whatever the lost rows had been fails though fewer than nine rows of ten have a value."""
    rows, wrong = run([1.0] * 100), run([0.0] * 100)
    lost = [*(broken(number, "connection") for number in range(30)), *wrong[30:]]
    skipped = [*run([None] * 30, outcome="skipped"), *lost[:5], *wrong[35:]]
    assert compared(rows, lost).verdicts[-1].verdict == "fail"
    assert compared(rows, skipped).verdicts[-1].verdict == "unmeasurable"


def test_an_epoch_without_a_value_leaves_its_row_with_the_others() -> None:
    """The mean is over those that were scored."""
    before = [case(row, 1.0, epoch=epoch) for row in range(10) for epoch in (1, 2)]
    after = [case(row, 0.5, epoch=epoch) for row in range(10) for epoch in (1, 2)]
    after[0] = broken(0, "connection", epoch=1)
    verdict = only(compared(before, after))
    assert (verdict.n, verdict.value, verdict.verdict) == (10, 0.5, "fail")


def test_a_metric_that_the_baseline_never_had_says_what_to_do() -> None:
    """There is nothing to compare with."""
    assert reason(run([None] * 10), run([1.0] * 10)) == ("baseline main has no value of 'f1'; set a new baseline")
    assert reason(run([1.0] * 10), [case(number, None, scores={"f1": None}) for number in range(10)]) == (
        "no row has a value of 'f1' in both runs"
    )


def test_what_was_not_measured_is_not_scored_again() -> None:
    """Where answers come from the cache there is nothing to measure, whatever is done."""
    again = {"again": "main"}
    before, after = run([None] * 10, cached=True, latency_s=1.0), run([1.0] * 10, latency_s=1.0)
    cached = only(compared(before, after, rule("max_rise", metric="latency_s")))
    told = "all answers come from the cache, here or in baseline main"
    assert (cached.verdict, cached.reason) == ("not_judged", told)
    before = run([None] * 10)
    assert reason(before, after, rule("max_rise", metric="latency_s"), baseline=again) == (
        "baseline main has no value of 'latency_s'; set a new baseline"
    )
    assert "(llmeval rescore main)" in reason(before, after, baseline=again)


MADE: dict[str, Any] = {"digests": {"f1": "new"}, "judge_ids": {"f1": "gpt-b"}}
WAS: dict[str, Any] = {"digests": {"f1": "old"}, "judge_ids": {"f1": "gpt-a"}}


def test_another_scorer_than_the_baselines_is_no_comparison() -> None:
    """Until the settings allow it; the message says what else can be done."""
    before, after = run([1.0] * 10, digests={"f1": "old"}), run([0.0] * 10, digests={"f1": "new"})
    assert reason(before, after) == (
        "another scorer than the baseline's made it in 10 of 10 rows; set a new baseline, or allow it"
        " with allow_change: [scorer]"
    )
    assert "(llmeval rescore main)" in reason(before, after, baseline={"again": "main"})
    assert only(compared(before, after, allow_change=("judge",))).verdict == "unmeasurable"
    assert only(compared(before, after, allow_change=("scorer",))).verdict == "fail"


def test_a_slice_has_the_scorers_of_its_own_rows() -> None:
    before = [case(row, 1.0, slices=("new" if row < 6 else "old",), digests={"f1": "a"}) for row in range(12)]
    after = [*(replace(each, digests={"f1": "b"}) for each in before[:6]), *before[6:]]
    whole, new, old = compared(before, after, rule(), rule(slice="new"), rule(slice="old")).verdicts
    assert whole.reason is not None and "made it in 6 of 12 rows" in whole.reason
    assert new.reason is not None and "made it in 6 of 6 rows" in new.reason
    assert (whole.verdict, new.verdict, old.verdict) == ("unmeasurable", "unmeasurable", "pass")


def test_another_judge_explains_its_scorers_digest() -> None:
    """One word allows both."""
    before, after = run([1.0] * 10, **WAS), run([1.0] * 10, **MADE)
    assert reason(before, after).startswith("another judge than the baseline's made it in 10 of 10 rows;")
    assert only(compared(before, after, allow_change=("scorer",))).verdict == "unmeasurable"
    assert only(compared(before, after, allow_change=("judge",))).verdict == "pass"


def test_one_epoch_of_another_scorer_is_enough() -> None:
    """Whichever came last."""
    before = [case(row, 1.0, epoch=epoch, digests={"f1": "old"}) for row in range(10) for epoch in (1, 2)]
    after = list(before)
    after[0] = replace(after[0], digests={"f1": "new"})
    for cases in (after, after[::-1]):
        assert reason(before, cases).startswith("another scorer than the baseline's made it in 1 of 10 rows;")


def test_a_row_without_a_value_has_no_scorer() -> None:
    """A digest beside an error says nothing; the value decides."""
    before = run([1.0] * 20, digests={"f1": "old"})
    after = [broken(0, "connection", digests={"f1": "new"}), *before[1:]]
    assert only(compared(before, after)).verdict == "pass"


def test_what_was_measured_has_no_scorer() -> None:
    """Latency compares whatever scored the answers."""
    before, after = run([1.0] * 10, latency_s=1.0, **WAS), run([1.0] * 10, latency_s=1.0, **MADE)
    assert only(compared(before, after, rule("max_rise", 0.1, metric="latency_s"))).verdict == "pass"


def test_the_first_epoch_says_what_a_row_is() -> None:
    """In any order of the cases."""
    before = [case(row, 1.0, epoch=epoch) for row in range(10) for epoch in (1, 2)]
    after: list[JudgedCase] = [
        replace(each, slices=("hard",), cluster="c") if each.epoch == 1 else replace(each, slices=("easy",))
        for each in before
    ]
    for cases in (after, after[::-1]):
        easy, hard = compared(before, cases, rule(slice="easy"), rule(slice="hard")).verdicts
        assert (easy.n, hard.n) == (0, 10)
        assert easy.reason == "no row has a value of 'f1' in both runs"


def test_another_judge_explains_no_other_scorer_of_the_outcome() -> None:
    passes = rule(metric="pass_rate")
    before = run([1.0] * 10, digests={"f1": "a", "qa": "b"}, judge_ids={"qa": "gpt-a"})
    judged = run([1.0] * 10, digests={"f1": "a", "qa": "z"}, judge_ids={"qa": "gpt-b"})
    both = run([1.0] * 10, digests={"f1": "z", "qa": "z"}, judge_ids={"qa": "gpt-b"})
    assert only(compared(before, judged, passes, allow_change=("judge",))).verdict == "pass"
    assert only(compared(before, both, passes, allow_change=("judge",))).verdict == "unmeasurable"
    assert only(compared(before, both, passes, allow_change=("judge", "scorer"))).verdict == "pass"
