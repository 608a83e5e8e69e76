"""A judge's rate or mean, corrected for its errors by the labels of people."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.agreement import Confusion
from pytest_llmeval.core.stats.corrected import Corrected, by_labels_of_run, by_prediction, by_separate_labels
from pytest_llmeval.core.stats.intervals import wilson
from tests.support.stats_parts import binary

Scores = list[tuple[float, float]]
Z = stats.norm.ppf(0.975)
counts = st.integers(0, 40)
scores = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1)), min_size=1, max_size=40)


def ends(corrected: Corrected) -> tuple[float, float]:
    """Return both ends of an interval that must be there."""
    assert corrected.interval is not None and corrected.reason is None
    return corrected.interval.low, corrected.interval.high


def well_formed(corrected: Corrected) -> None:
    """Assert what holds of every result."""
    assert (corrected.interval is None) == (corrected.reason is not None)
    if corrected.estimate is None:
        assert corrected.interval is None
    elif corrected.interval:
        assert 0 <= corrected.interval.low <= corrected.estimate <= corrected.interval.high <= 1


def coverage(draw: Callable[[random.Random], Corrected], truth: float, runs: int = 400) -> float:
    """Return how many of the intervals hold the truth."""
    drawn = random.Random(6)
    intervals = [interval for _ in range(runs) if (interval := draw(drawn).interval)]
    assert len(intervals) > 0.9 * runs
    return sum(each.low <= truth <= each.high for each in intervals) / len(intervals)


def answers(
    drawn: random.Random, n: int, rate: float, sensitivity: float, specificity: float
) -> list[tuple[bool, bool]]:
    """Return for each case whether people and the judge pass it."""
    passes = [drawn.random() < rate for _ in range(n)]
    return [(each, drawn.random() < (sensitivity if each else 1 - specificity)) for each in passes]


def counted(cases: list[tuple[bool, bool]]) -> Confusion:
    """Return their table."""
    return binary(*(cases.count(pair) for pair in ((False, False), (False, True), (True, False), (True, True))))


def test_a_rate_is_corrected_by_sensitivity_and_specificity() -> None:
    """.72 judged, q1 = .9, q0 = .8: (.72 + .8 − 1)/.7."""
    seen = by_separate_labels(144, 200, binary(40, 10, 5, 45))
    assert seen.estimate == pytest.approx(0.52 / 0.7)


def test_the_interval_is_lang_and_reiczigels_but_for_the_end_that_the_shift_moves_inwards() -> None:
    """Computed from their formulas; the shift is positive here, so the lower end stays without it."""
    p, q1, q0 = (144 + Z**2 / 2) / (200 + Z**2), 46 / 52, 41 / 52
    v1, v0, j = q1 * (1 - q1) / 52, q0 * (1 - q0) / 52, q1 + q0 - 1
    theta = (p + q0 - 1) / j
    half = Z * math.sqrt(p * (1 - p) / (200 + Z**2) + theta**2 * v1 + (1 - theta) ** 2 * v0) / j
    shift = 2 * Z**2 * (theta * v1 - (1 - theta) * v0)
    low, high = ends(by_separate_labels(144, 200, binary(40, 10, 5, 45)))
    assert shift > 0
    assert low == pytest.approx(theta - half, abs=1e-12)
    assert high == pytest.approx(theta + shift + half, abs=1e-12)


@given(counts.flatmap(lambda judged: st.tuples(st.integers(0, judged + 1), st.just(judged + 1))))
def test_a_judge_without_error_keeps_its_rate_by_separate_labels(run: tuple[int, int]) -> None:
    """On its labels; the interval allows for errors that they did not show."""
    seen = by_separate_labels(*run, binary(30, 0, 0, 30))
    assert seen.estimate == pytest.approx(run[0] / run[1])
    raw, (low, high) = wilson(run[0] / run[1], run[1]), ends(seen)
    assert high - low >= raw.high - raw.low - 1e-12


@given(counts, counts, counts, counts, counts, counts)
def test_every_result_is_within_its_range_or_says_why_not_by_separate_labels(
    a: int, b: int, c: int, d: int, passed: int, failed: int
) -> None:
    """Estimate inside interval, inside [0, 1]."""
    well_formed(by_separate_labels(passed, passed + failed, binary(a, b, c, d)))


@given(counts, counts, counts, counts, counts, counts)
def test_passes_and_failures_are_mirror_images(a: int, b: int, c: int, d: int, passed: int, failed: int) -> None:
    """Asking for the share of failures turns everything round."""
    one = by_separate_labels(passed, passed + failed, binary(a, b, c, d))
    other = by_separate_labels(failed, passed + failed, binary(d, c, b, a))
    assert (one.estimate is None) == (other.estimate is None)
    if one.estimate is not None and other.estimate is not None:
        assert one.estimate == pytest.approx(1 - other.estimate)
        assert ends(one) == pytest.approx((1 - ends(other)[1], 1 - ends(other)[0]))


def test_labels_of_more_than_two_levels_are_refused() -> None:
    """Which of them passes is not known."""
    three = Confusion(levels=(0, 1, 2), counts=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(ValueError, match="a table of two levels is needed, not of 3"):
        by_labels_of_run(2, 3, three)


@pytest.mark.parametrize(
    ("judged", "labels", "reason"),
    [
        (0, binary(9, 1, 1, 9), "no case is judged"),
        (100, binary(9, 1, 0, 0), "no labelled case passes, so the sensitivity is unknown"),
        (100, binary(0, 0, 1, 9), "no labelled case fails, so the specificity is unknown"),
        (100, binary(25, 25, 20, 30), "sensitivity 0.60 and specificity 0.50 add up to no more than 1.1"),
        (100, binary(10, 40, 45, 5), "sensitivity 0.10 and specificity 0.20 add up to no more than 1.1"),
        (100, binary(1, 0, 4, 1), "too few labels to tell the judge from chance"),
    ],
    ids=["no case", "no pass", "no failure", "chance", "worse than chance", "few labels"],
)
def test_where_labels_do_not_tell_there_is_a_reason(judged: int, labels: Confusion, reason: str) -> None:
    """And no number, least of all 0."""
    seen = by_separate_labels(judged // 2, judged, labels)
    assert seen.estimate is None and seen.interval is None
    assert seen.reason is not None and reason in seen.reason


@pytest.mark.parametrize("rate", [0.5, 0.95])
def test_the_interval_holds_the_truth_where_the_raw_one_does_not(rate: float) -> None:
    """Sensitivity .9, specificity .8, 200 cases, 100 labels at random: .93 or more, three deviations allowed."""

    def draw(drawn: random.Random) -> Corrected:
        verdicts = [verdict for _, verdict in answers(drawn, 200, rate, 0.9, 0.8)]
        return by_separate_labels(sum(verdicts), 200, counted(answers(drawn, 100, rate, 0.9, 0.8)))

    assert coverage(draw, rate) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / 400)


def test_each_verdict_counts_by_its_share_of_the_run() -> None:
    """80 % passes of which 9 in 10 are right, 20 % failures of which 4 in 10 are wrong."""
    seen = by_labels_of_run(160, 200, binary(12, 3, 8, 27))
    assert seen.estimate == pytest.approx(0.8 * 0.9 + 0.2 * 0.4)


def test_the_interval_is_that_of_shares_moved_towards_the_middle() -> None:
    """Computed from the formulas."""
    p, a, b = (160 + Z**2 / 2) / (200 + Z**2), 28 / 32, 9 / 22
    variance = (a - b) ** 2 * p * (1 - p) / (200 + Z**2)
    variance += p**2 * a * (1 - a) / 32 + (1 - p) ** 2 * b * (1 - b) / 22
    centre, half = p * a + (1 - p) * b, Z * math.sqrt(variance)
    seen = ends(by_labels_of_run(160, 200, binary(12, 3, 8, 27)))
    assert seen == pytest.approx((centre - half, centre + half), abs=1e-12)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 50), st.integers(0, 50))
def test_a_judge_without_error_keeps_its_rate_by_labels_of_the_run(
    fails: int, passes: int, more: int, others: int
) -> None:
    """Whatever the number of labels of each verdict."""
    passed, failed = passes + more, fails + (others if fails else 0)
    seen = by_labels_of_run(passed, passed + failed, binary(fails, 0, 0, passes))
    assert seen.estimate == pytest.approx(passed / (passed + failed))
    well_formed(seen)


@given(counts, counts, counts, counts)
def test_labels_of_every_case_leave_the_judge_out_by_labels_of_the_run(a: int, b: int, c: int, d: int) -> None:
    """Then the rate is that of the labels, the interval Wilson's."""
    n = a + b + c + d
    seen = by_labels_of_run(b + d, n, binary(a, b, c, d))
    assert (seen.estimate is None) == (n == 0)
    if n:
        assert seen.estimate == (c + d) / n
        assert seen.interval == wilson((c + d) / n, n)


@given(counts, counts, counts, counts, counts, counts)
def test_every_result_is_within_its_range_or_says_why_not_by_labels_of_the_run(
    a: int, b: int, c: int, d: int, passes: int, fails: int
) -> None:
    """Estimate inside interval, inside [0, 1]."""
    well_formed(by_labels_of_run(b + d + passes, a + b + c + d + passes + fails, binary(a, b, c, d)))


@pytest.mark.parametrize(
    ("passed", "judged", "labels", "reason"),
    [
        (0, 0, binary(0, 0, 0, 0), "no case is judged"),
        (150, 200, binary(9, 0, 1, 0), "no case that the judge passes is labelled"),
        (150, 200, binary(0, 1, 0, 9), "no case that the judge fails is labelled"),
    ],
)
def test_a_verdict_without_a_label_leaves_the_rate_unknown(
    passed: int, judged: int, labels: Confusion, reason: str
) -> None:
    """And no number, least of all 0."""
    seen = by_labels_of_run(passed, judged, labels)
    assert seen == Corrected(estimate=None, interval=None, reason=reason)


def test_a_verdict_that_the_run_does_not_have_needs_no_label() -> None:
    """All pass."""
    seen = by_labels_of_run(200, 200, binary(0, 5, 0, 45))
    assert seen.estimate == 0.9
    assert 0.75 < ends(seen)[0] < 0.9 < ends(seen)[1]


@pytest.mark.parametrize("labels", [binary(0, 0, 0, 6), binary(3, 0, 3, 0)], ids=["passes", "failures"])
def test_more_labels_than_cases_are_refused(labels: Confusion) -> None:
    """They are of another run."""
    with pytest.raises(ValueError, match="more than the 5 and 5 of the run"):
        by_labels_of_run(5, 10, labels)


@pytest.mark.parametrize("labelled", [25, 60], ids=["half of each verdict", "failures above all"])
def test_labels_drawn_by_verdict_hold_the_truth(labelled: int) -> None:
    """True rate .8, sensitivity .9, specificity .7, 400 cases: .93 or more, three deviations allowed."""

    def draw(drawn: random.Random) -> Corrected:
        cases = answers(drawn, 400, 0.8, 0.9, 0.7)
        passes, fails = ([case for case in cases if case[1] is verdict] for verdict in (True, False))
        return by_labels_of_run(len(passes), 400, counted(passes[:25] + fails[:labelled]))

    assert coverage(draw, 0.8) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / 400)


def test_sensitivity_and_specificity_of_such_labels_would_not() -> None:
    """Half of the labels are failures of the judge, though they are a quarter of its verdicts."""

    def draw(drawn: random.Random) -> Corrected:
        cases = answers(drawn, 400, 0.8, 0.9, 0.7)
        passes, fails = ([case for case in cases if case[1] is verdict] for verdict in (True, False))
        return by_separate_labels(len(passes), 400, counted(passes[:50] + fails[:50]))

    assert coverage(draw, 0.8) < 0.7


@pytest.mark.parametrize("correct", [by_separate_labels, by_labels_of_run])
@pytest.mark.parametrize(("passed", "judged"), [(-1, 5), (6, 5)])
def test_passes_outside_the_run_are_refused(
    correct: Callable[[int, int, Confusion], Corrected], passed: int, judged: int
) -> None:
    """With what was found."""
    with pytest.raises(ValueError, match=f"not {passed}"):
        correct(passed, judged, binary(1, 0, 0, 1))


def test_a_judge_without_error_counts_every_case() -> None:
    """Labels of three cases and the judge's scores of two others: the mean of five."""
    seen = by_prediction([(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)], [1.0, 0.75])
    assert seen.estimate == pytest.approx(0.65)


@given(scores, st.lists(st.floats(0, 1), max_size=40), st.floats(0, 1))
def test_a_judge_that_always_says_the_same_is_not_heard(labelled: Scores, others: list[float], said: float) -> None:
    """The mean of the labels is left."""
    truth = [score for score, _ in labelled]
    seen = by_prediction([(score, said) for score in truth], [said] * len(others))
    assert seen.estimate == pytest.approx(sum(truth) / len(truth))


def test_a_judge_that_says_the_contrary_is_not_heard() -> None:
    """λ stays within [0, 1]."""
    assert by_prediction([(0.0, 1.0), (1.0, 0.0), (1.0, 0.0)], [1.0] * 9).estimate == pytest.approx(2 / 3)


@given(scores, st.lists(st.floats(0, 1), max_size=40), st.integers(1, 30))
def test_every_result_is_within_its_range_or_says_why_not_by_prediction(
    labelled: Scores, others: list[float], times: int
) -> None:
    """Estimate inside interval, inside [0, 1]."""
    well_formed(by_prediction(labelled * times, others))


def test_below_a_hundred_labels_there_is_no_interval() -> None:
    """The estimate is there."""
    seen = by_prediction([(1.0, 1.0), (0.0, 0.5)] * 49 + [(1.0, 1.0)], [0.5] * 100)
    assert seen.estimate is not None and seen.interval is None
    assert seen.reason == "an interval takes 100 labels, there are 99"


def test_a_good_judge_narrows_the_interval() -> None:
    """A fair one less, none at all: 100 labels, 900 other cases."""
    truth = [float(at % 5 > 0) for at in range(1000)]
    widths = []
    for right in (0.98, 0.8, 0.5):
        drawn = random.Random(1)
        judged = [score if drawn.random() < right else 1 - score for score in truth]
        low, high = ends(by_prediction(list(zip(truth, judged, strict=True))[:100], judged[100:]))
        widths.append(high - low)
    alone = wilson(0.8, 100)
    assert widths == sorted(widths)
    assert widths[0] < 0.6 * (alone.high - alone.low) and widths[-1] <= alone.high - alone.low + 1e-9


def test_labels_of_every_case_leave_the_judge_out_by_prediction() -> None:
    """Wilson's interval of yes-or-no labels."""
    seen = by_prediction([(1.0, 0.0)] * 90 + [(0.0, 0.0)] * 30, [])
    assert (seen.estimate, seen.interval) == (0.75, wilson(0.75, 120))


def test_no_error_seen_leaves_room_for_some() -> None:
    """A hundred labels that all agree do not make the judge free of error."""
    low, high = ends(by_prediction([(1.0, 1.0)] * 95 + [(0.0, 0.0)] * 5, [1.0] * 95_000 + [0.0] * 5_000))
    assert high - low > 0.03


@pytest.mark.parametrize(
    ("labelled", "others", "reason"),
    [
        ([], [0.5], "no case is labelled"),
        ([(4.0, 0.5)], [0.5], "a score lies outside [0, 1]"),
        ([(0.5, 0.5)], [-0.1], "a score lies outside [0, 1]"),
        ([(0.5, math.nan)], [0.5], "a score lies outside [0, 1]"),
    ],
)
def test_where_scores_do_not_tell_there_is_a_reason(labelled: Scores, others: list[float], reason: str) -> None:
    """And no number."""
    assert by_prediction(labelled, others) == Corrected(estimate=None, interval=None, reason=reason)


def test_equal_scores_of_every_case_have_no_interval() -> None:
    """They say nothing of the spread."""
    assert by_prediction([(0.5, 0.4)] * 100, []).reason == "all scores are equal"


def test_graded_scores_hold_the_truth() -> None:
    """Mean .9, judge too kind by .05 and noisy, 100 labels of 400: .93 or more, three deviations allowed."""

    def draw(drawn: random.Random) -> Corrected:
        truth = [drawn.betavariate(4.5, 0.5) for _ in range(400)]
        judged = [min(1.0, max(0.0, score + drawn.gauss(0.05, 0.1))) for score in truth]
        return by_prediction(list(zip(truth, judged, strict=True))[:100], judged[100:])

    assert coverage(draw, 0.9) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / 400)


def test_rare_errors_hold_the_truth() -> None:
    """True rate .95, sensitivity and specificity .98: two errors among the labels, or none."""

    def draw(drawn: random.Random) -> Corrected:
        cases = [(float(a), float(b)) for a, b in answers(drawn, 1000, 0.95, 0.98, 0.98)]
        return by_prediction(cases[:100], [judged for _, judged in cases[100:]])

    assert coverage(draw, 0.95) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / 400)
