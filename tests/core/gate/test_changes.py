"""Rules on a change: which test decides, what it comes to, and what the verdict says."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.stats.paired import sign_flip
from tests.support.gate_runs import broken, case, clustered, compared, flips, graded, only, rule, rules, run, verdict_of


def test_yes_or_no_rows_take_mcnemars_mid_p() -> None:
    """And all that a reader needs stands in one line."""
    verdict = verdict_of(*flips(100, 8, 1))
    assert verdict.p_value == pytest.approx(stats.binom.sf(8, 9, 0.5) + stats.binom.pmf(8, 9, 0.5) / 2)
    assert (verdict.verdict, verdict.n, verdict.value, verdict.baseline_value) == ("fail", 100, 0.92, 0.99)
    assert verdict.delta == pytest.approx(-0.07)
    assert verdict.reason == (
        "0.99 to 0.92 (-0.07, 90% interval -0.119..-0.0213); p 0.011, fails below 0.05; sees changes from 0.071 up;"
        " rows: 8 worse (s0, s1, s2, s3, s4 and 3 more), 1 better"
    )


@pytest.mark.parametrize(
    ("worse", "better", "p_value", "verdict"),
    [
        (4, 0, 1 / 32, "fail"),
        (3, 0, 1 / 16, "inconclusive"),
        (5, 1, 4 / 64, "inconclusive"),
        (9, 5, 2472 / 16384, "inconclusive"),
        (8, 5, 3473 / 16384, "pass"),
    ],
)
def test_a_drop_fails_below_alpha_and_passes_from_four_times_alpha_on(
    worse: int, better: int, p_value: float, verdict: str
) -> None:
    """Between them it is inconclusive; all of these are more than the two points that are allowed."""
    found = verdict_of(*flips(100, worse, better))
    assert found.p_value == pytest.approx(p_value)
    assert found.verdict == verdict


def test_a_drop_of_just_what_is_allowed_passes_however_sure_it_is() -> None:
    """20 of 1,000 rows got worse, none better; in floats .98 - 1 is more than .02."""
    verdict = verdict_of(*flips(1000, 20, 0))
    assert 1.0 - 0.98 > 0.02
    assert verdict.verdict == "pass"
    assert verdict.p_value == pytest.approx(2**-21)
    assert verdict.reason is not None
    assert verdict.reason.startswith(
        "1 to 0.98 (-0.02, 90% interval -0.0273..-0.0127), within the 0.02 allowed; p 4.8e-07"
    )
    assert verdict_of(*flips(1000, 21, 0)).verdict == "fail"


def test_graded_rows_take_the_paired_t_test() -> None:
    """From 30 rows on; its interval and what it sees come from the same error."""
    before, after = graded(30, 0.04)
    verdict = verdict_of(before, after)
    changes = [late - early for early, late in zip(before, after, strict=True)]
    theirs = stats.ttest_rel(after, before, alternative="less")
    low, high = stats.ttest_rel(after, before).confidence_interval(0.9)
    assert verdict.p_value == pytest.approx(float(theirs.pvalue), rel=1e-9)
    assert verdict.low == pytest.approx(float(low))
    assert verdict.high == pytest.approx(float(high))
    error = float(stats.sem(changes))
    assert verdict.mde == pytest.approx(float(stats.t.ppf(0.95, 29) + stats.t.ppf(0.8, 29)) * error)


def test_fewer_graded_rows_take_the_sign_flip_test() -> None:
    """Which is exact."""
    before, after = graded(29, 0.04)
    changes = [late - early for early, late in zip(before, after, strict=True)]
    assert verdict_of(before, after).p_value == sign_flip(changes)


@pytest.mark.parametrize(("n", "worse", "better"), [(29, 3, 0), (30, 3, 0), (1000, 3, 0), (1000, 7, 2), (100, 9, 0)])
def test_few_rows_that_changed_take_the_sign_flip_test_however_many_did_not(n: int, worse: int, better: int) -> None:
    """Of the signs of three rows that lost the same one in eight is as bad; Student's t has 0.042 for it."""
    before = [0.75] * worse + [0.25] * better + [0.5] * (n - worse - better)
    after = [0.5] * n
    signs = sum(math.comb(worse + better, more) for more in range(worse, worse + better + 1)) / 2 ** (worse + better)
    verdict = verdict_of(before, after, rule(bound=0.0))
    assert verdict.p_value == pytest.approx(signs)
    assert (verdict.verdict == "fail") == (signs < 0.05)


def test_what_rounding_leaves_of_no_change_is_none() -> None:
    """Means of epochs differ in their last digit."""
    before, after = [0.5] * 3 + [0.1 + 0.2] * 97, [0.25] * 3 + [0.3] * 97
    assert verdict_of(before, after).p_value == 0.125


def test_a_spread_that_is_rounding_alone_makes_no_bound() -> None:
    """Five rows that each lost 0.1, as floats have it, say no more than five that lost a quarter."""
    kept = rule("noninferior", 0.15)
    told = verdict_of([0.9, 0.8, 0.7, 0.6, 0.5], [0.8, 0.7, 0.6, 0.5, 0.4], kept)
    alike = verdict_of([0.75] * 5, [0.65625] * 5, kept)
    assert (told.verdict, alike.verdict) == ("fail", "fail")
    assert (told.low, told.high) == (None, None)


def test_a_change_that_is_rounding_alone_is_none() -> None:
    verdict = verdict_of([0.5] * 39 + [0.3], [0.5] * 39 + [0.1 + 0.2])
    assert (verdict.delta, verdict.low, verdict.high) == (0.0, None, None)
    assert verdict.reason is not None
    assert verdict.reason.endswith("rows: 0 worse, 0 better")


def test_ten_rows_that_changed_take_the_t_test_again() -> None:
    """There it fails as often as mid-p does."""
    before, after = [0.75] * 9 + [0.25] + [0.5] * 90, [0.5] * 100
    theirs = float(stats.ttest_rel(after, before, alternative="less").pvalue)
    assert verdict_of(before, after).p_value == pytest.approx(theirs)


def test_rows_that_all_lost_the_same_are_no_spread_but_many_signs() -> None:
    """Student's t has nothing to work with; 2^-40 of all signs are as bad."""
    verdict = verdict_of([0.75] * 40, [0.5] * 40)
    assert (verdict.verdict, verdict.p_value, verdict.low, verdict.mde) == ("fail", 2.0**-40, None, None)
    assert verdict.reason is not None
    assert "what it can see is unknown" in verdict.reason


def test_epochs_are_averaged_first() -> None:
    """Three epochs of each of 30 rows are 30 rows; yes-or-no answers become thirds, which take the t test."""
    draw = random.Random(5)
    before = [case(row, float(draw.random() < 0.9), epoch=epoch) for row in range(30) for epoch in (1, 2, 3)]
    after = [case(row, float(draw.random() < 0.6), epoch=epoch) for row in range(30) for epoch in (1, 2, 3)]
    verdict = only(compared(before, after))

    def means(cases: Sequence[JudgedCase]) -> list[float]:
        return [sum(each.scores["f1"] or 0 for each in cases[row : row + 3]) / 3 for row in range(0, 90, 3)]

    assert verdict.n == 30
    assert verdict.p_value == pytest.approx(
        float(stats.ttest_rel(means(after), means(before), alternative="less").pvalue)
    )


@pytest.mark.parametrize("lost", [False, True])
def test_yes_or_no_rows_with_epochs_take_the_t_test(lost: bool) -> None:
    """Also where the second says the same, or was lost: a row of several epochs is not a yes or no."""
    before, after = flips(40, 12, 3)
    base = run(before) if lost else [*run(before), *run(before, epoch=2)]
    second = [broken(number, "connection", epoch=2) for number in range(40)] if lost else run(after, epoch=2)
    found = only(compared(base, [*run(after), *second], max_error_rate=0.6))
    assert found.p_value == pytest.approx(float(stats.ttest_rel(after, before, alternative="less").pvalue))


@pytest.mark.parametrize(("n", "worse", "better"), [(60, 3, 0), (60, 5, 1), (20, 6, 2)])
def test_epochs_that_all_say_the_same_change_no_verdict_on_few_flips(n: int, worse: int, better: int) -> None:
    """Else asking again at temperature 0 would turn what is inconclusive into a pass."""
    before, after = flips(n, worse, better)
    once = verdict_of(before, after)
    base, now = ([*run(values), *run(values, epoch=2), *run(values, epoch=3)] for values in (before, after))
    assert only(compared(base, now)).p_value == once.p_value


def test_a_rise_is_the_worse_where_max_rise_says_so() -> None:
    """Seconds have no bound above; the rows that rose most come first."""
    draw = random.Random(2)
    before = [case(row, latency_s=draw.uniform(1, 2)) for row in range(40)]
    slower = [case(row, latency_s=(each.latency_s or 0) + row / 100) for row, each in enumerate(before)]
    slow = rule("max_rise", 0.1, metric="latency_s")
    verdict = only(compared(before, slower, slow))
    assert verdict.verdict == "fail"
    assert verdict.delta == pytest.approx(0.195)
    assert verdict.reason is not None
    assert verdict.reason.endswith("rows: 39 worse (s39, s38, s37, s36, s35 and 34 more), 0 better")
    assert only(compared(slower, before, slow)).verdict == "pass"


def test_numbers_too_large_for_squares_are_compared() -> None:
    """A user may record any finite number."""
    before, after = [1e308] * 40, [-1e308] * 40
    verdict = verdict_of(before, after)
    assert (verdict.verdict, verdict.value, verdict.baseline_value) == ("fail", -1e308, 1e308)
    assert verdict.delta is not None
    assert math.isfinite(verdict.delta)
    mixed = verdict_of([*before, *after[:4]], [*after, *before[:4]])
    assert mixed.verdict == "fail"
    assert mixed.p_value == pytest.approx(0, abs=1e-9)


OPEN: dict[str, Any] = {"max_error_rate": 0.5}


def with_timeouts(n: int, worse: int, missing: int) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return a run in which the first rows got worse and the last ones took too long."""
    before, after = flips(n, worse, 0)
    cases = run(after)
    return run(before), [*cases[: n - missing], *(broken(number, "timeout") for number in range(n - missing, n))]


def test_a_bad_answer_may_hide_behind_an_error_so_both_ends_are_weighed() -> None:
    """Here they differ; the message names the rows and what to do, and the session is unmeasurable."""
    result = compared(*with_timeouts(100, 3, 3), **OPEN)
    verdict = only(result)
    assert (verdict.verdict, verdict.is_open, result.verdict) == ("inconclusive", True, "unmeasurable")
    assert verdict.reason == (
        "it comes to fail or inconclusive by what the missing answers are: s97, s98, s99; ask for them again with"
        " --resume; so far 1 to 0.9691 (-0.0309, 90% interval -0.0603..-0.00158); rows: 3 worse (s0, s1, s2), 0 better"
    )


@pytest.mark.parametrize(("worse", "missing", "verdict"), [(30, 2, "fail"), (0, 2, "pass")])
def test_ends_that_agree_decide(worse: int, missing: int, verdict: str) -> None:
    """And the reason says that they were asked."""
    found = only(compared(*with_timeouts(100, worse, missing), **OPEN))
    assert (found.verdict, found.is_open) == (verdict, False)
    assert found.reason is not None
    assert found.reason.endswith("so it is whatever the missing values are")


@pytest.mark.parametrize(
    ("fallen", "missing", "alpha", "verdict"), [(0.0195, 1, 0.005, "pass"), (0.03, 6, 0.02, "fail")]
)
def test_what_lies_between_the_ends_may_turn_what_t_says(
    fallen: float, missing: int, alpha: float, verdict: str
) -> None:
    """The worst is so far off that it widens the error; and of six that are lost one is worse evidence than six."""
    before = [1.0] * 40
    after = [value - fallen + number % 5 / 10_000 for number, value in enumerate(before)]
    lost = [broken(number, "timeout") for number in range(missing)]
    found = only(compared(run(before), [*lost, *run(after)[missing:]], **OPEN, alpha=alpha))
    assert (found.verdict, found.is_open) == ("inconclusive", True)
    ends = ([fill] * missing + after[missing:] for fill in (1.0, 0.0))
    assert {verdict_of(before, end, alpha=alpha).verdict for end in ends} == {verdict}
    between = [0.8] if verdict == "pass" else [0.0] + [1.0] * (missing - 1)
    assert verdict_of(before, between + after[missing:], alpha=alpha).verdict not in (verdict, "unmeasurable")


def test_where_a_loss_is_to_be_ruled_out_a_better_value_never_darkens_what_was_found() -> None:
    """Student's bound alone is 0.1577, 0.1561, 0.1603; but what rare rows may hide is more. The reason says so much."""
    before, after = graded(24, 0.1)
    margin = rule("noninferior", 0.157)
    told = [verdict_of([*before, 0.5], [*after, value], margin).verdict for value in (0.0, 0.75, 1.0)]
    found = only(compared(run([*before, 0.5]), [*run(after), broken(24, "timeout")], margin, **OPEN))
    assert (told, found.verdict) == (["fail"] * 3, "fail")
    assert "with all that was tried for the missing values" in (found.reason or "")


def test_where_t_decides_the_reason_says_no_more_than_what_was_tried() -> None:
    """Of few rows all signs count, of which the ends are the ends."""
    for n, told in (
        (60, "with all that was tried for the missing values, from the best to the worst"),
        (20, "whatever"),
    ):
        before, after = graded(n, 0.1)
        found = only(compared(run(before), [*run(after)[1:], broken(0, "timeout")], **OPEN))
        assert found.verdict == "fail"
        assert f"so it is {told}" in (found.reason or "")
    kept = only(
        compared(
            run([0.5] * 60),
            [*run([0.5 + number / 100 for number in range(40)] + [0.5] * 19), broken(59, "timeout")],
            **OPEN,
        )
    )
    assert (kept.verdict, (kept.reason or "").endswith("so it is whatever the missing values are")) == ("pass", True)


def test_ends_that_agree_on_a_pass_do_not_outvote_what_is_there() -> None:
    """29 rows are surely worse; one that could be any widens the spread so much that its ends say nothing of them."""
    quiet = [case(f"quiet{number}", slices=(f"quiet {number}",)) for number in range(39)]
    before = [*run([0.5] * 29 + [0.65]), *quiet]
    after = [*run([0.47 - number / 10_000 for number in range(29)], slices=("hurt",)), *quiet]
    after.append(broken(29, "timeout", slices=("hurt",)))
    parts = [rule(slice="hurt"), *(rule(slice=f"quiet {number}") for number in range(39))]
    found = compared(before, after, *parts, **OPEN).verdicts[0]
    assert (found.verdict, found.is_open) == ("inconclusive", True)
    assert found.reason is not None
    assert found.reason.startswith("it comes to fail or inconclusive or pass by what the missing answers are: s29;")


def test_a_time_that_ran_out_could_have_been_any() -> None:
    """It leaves a rise open however small the others' is; one that is large enough without it fails."""
    before = [case(row, latency_s=1 + row % 7 / 10) for row in range(50)]
    slow = rule("max_rise", 0.1, metric="latency_s")
    verdict = only(compared(before, [broken(0, "timeout"), *before[1:]], slow, **OPEN))
    assert (verdict.verdict, verdict.is_open) == ("inconclusive", True)
    assert verdict.reason is not None
    assert verdict.reason.startswith("it comes to anything or pass by what the missing answers are: s0;")


@pytest.mark.parametrize(("worse", "verdict"), [(80, "fail"), (8, "unmeasurable"), (0, "unmeasurable")])
@pytest.mark.parametrize("name", [None, "c"])
def test_rows_that_never_finished_could_be_any(worse: int, verdict: str, name: str | None) -> None:
    """A run that is not complete fails where they could not change it, and passes never."""
    before, after = flips(100, worse, 0)
    clusters = [name and f"{name}{number % 20}" for number in range(100)]
    collected = {("qa", "m"): 105}
    found = apply_gate(
        rules(rule()),
        clustered(after, clusters),
        collected=collected,
        baseline=Baseline(name="main", cases=clustered(before, clusters)),
    )
    assert only(found).verdict == verdict
    told = only(found).reason
    assert told is not None
    assert "5 of 105 cases did not finish" in told


def test_the_smallest_alpha_that_can_be_written_is_one() -> None:
    """Nothing can be proven with it, and nothing breaks."""
    for kind in ("max_drop", "noninferior"):
        verdict = only(compared(run([1.0] * 40), run([0.5] * 20 + [1.0] * 20), rule(kind, 0.02), alpha=5e-324))
        assert verdict.verdict != "unmeasurable"
    sure = only(compared(run([1.0] * 40), run([1.0] * 40), rule("max_drop", 0.02), alpha=5e-324))
    assert sure.verdict == "pass"


@pytest.mark.parametrize(("wrong_before", "verdict"), [(0, "fail"), (6, "unmeasurable")])
def test_with_too_many_errors_what_was_lost_could_be_any(wrong_before: int, verdict: str) -> None:
    """A drop that six right answers could lift is no fail; where they were right before they could not."""
    before = [1.0] * 94 + [float(number >= wrong_before) for number in range(6)]
    after = [*run([0.0] * 8 + [1.0] * 86), *(broken(number, "connection") for number in range(94, 100))]
    assert compared(run(before), after).verdicts[1].verdict == verdict
    assert only(compared(run(before), after, **OPEN)).verdict == "fail"


@pytest.mark.parametrize(("values", "p_value", "told"), [((12, 4), 0.02452, "0.0245"), ((21, 10), 0.02505, "0.0251")])
def test_a_p_value_beside_its_alpha_is_shown_on_its_side_of_it(
    values: tuple[int, int], p_value: float, told: str
) -> None:
    """Two digits of both say 0.025."""
    before, after = flips(100, *values)
    both = rule("max_drop", 0.0), rule("max_drop", 0.0, slice="all")
    found = compared(run(before, slices=("all",)), run(after, slices=("all",)), *both).verdicts[0]
    assert found.p_value == pytest.approx(p_value, abs=5e-6)
    assert found.verdict == ("fail" if p_value < 0.025 else "inconclusive")
    assert f"; p {told}, fails below 0.025; " in (found.reason or "")
