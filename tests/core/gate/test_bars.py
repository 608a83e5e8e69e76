"""Bars that are to be missed with confidence, and a loss that is surely less than a margin."""

import math
import random
from typing import Any

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import GateResult, Verdict, apply_gate
from pytest_llmeval.core.rules import RuleKind
from tests.support.gate_runs import broken, case, clustered, compared, only, rule, rules, run, verdict_of

OPEN: dict[str, Any] = {"max_error_rate": 0.5}


def sure(kind: RuleKind, bound: float, cases: list[JudgedCase], **settings: Any) -> GateResult:
    """Return what the gate says of a bar with ``confident: true``."""
    return apply_gate(rules(rule(kind, bound, confident=True), **settings), cases)


def rights(right: int, n: int) -> list[JudgedCase]:
    return run([1.0] * right + [0.0] * (n - right))


def ends_of(verdict: Verdict) -> tuple[float | None, float | None]:
    return verdict.low, verdict.high


def thirds(*right: int) -> list[JudgedCase]:
    """Return rows of three epochs, so many of them right in each."""
    return [case(row, float(e <= each), epoch=e) for row, each in enumerate(right) for e in (1, 2, 3)]


def test_yes_or_no_rows_take_the_exact_binomial_test() -> None:
    """A mean under the bar fails only where chance does not explain it; at the bar it passes."""
    fail, unsure, well = (only(sure("min", 0.8, rights(right, 100))) for right in (72, 75, 80))
    assert (fail.verdict, unsure.verdict, well.verdict) == ("fail", "inconclusive", "pass")
    assert fail.p_value == pytest.approx(float(stats.binom.cdf(72, 100, 0.8)))
    assert fail.reason == "it is 0.72, the bar 0.8; p 0.034, fails below 0.05"
    assert well.reason == "it is 0.8, the bar 0.8; p 0.54, fails below 0.05"
    plain = only(apply_gate(rules(rule("min", 0.8)), rights(72, 100)))
    assert ends_of(fail) == ends_of(plain)
    assert fail.low == pytest.approx(0.6251, abs=1e-4)


def test_epochs_of_a_row_that_breaks_are_no_rows_of_their_own() -> None:
    """Two of 20 rows say of the error rate what they say once: one in ten, and p 0.06, not 0.00003."""

    def errors(epochs: int, *, confident: bool) -> Verdict:
        numbers = [(row, epoch) for row in range(20) for epoch in range(1, epochs + 1)]
        cases = [broken(row, "code", epoch=epoch) if row < 2 else case(row, epoch=epoch) for row, epoch in numbers]
        return only(apply_gate(rules(rule("max", 0.02, metric="error_rate", confident=confident), **OPEN), cases))

    once, often = errors(1, confident=True), errors(5, confident=True)
    assert (once.verdict, once.n, often.verdict, often.n) == ("inconclusive", 20, "inconclusive", 100)
    assert (often.value, often.low, often.high) == (once.value, *ends_of(errors(5, confident=False)))
    assert once.p_value is not None and once.low is not None and once.high is not None
    assert often.p_value is not None and often.low is not None and often.high is not None
    assert often.p_value > once.p_value
    assert often.high - often.low > once.high - once.low


def test_a_ceiling_counts_the_hits() -> None:
    """As the floor counts the misses."""
    fail, unsure = (only(sure("max", 0.2, rights(right, 100))) for right in (28, 25))
    assert (fail.verdict, unsure.verdict) == ("fail", "inconclusive")
    assert fail.p_value == pytest.approx(float(stats.binom.sf(27, 100, 0.2)))


def test_other_scores_take_students_t() -> None:
    """Also under a bar that no share can reach."""
    draw = random.Random(4)
    values = [draw.uniform(0.4, 0.9) for _ in range(30)]
    verdict = only(sure("min", 0.75, run(values)))
    assert verdict.p_value == pytest.approx(float(stats.ttest_1samp(values, 0.75, alternative="less").pvalue))
    assert verdict.verdict == "fail"
    assert only(sure("min", 1.5, rights(15, 30))).p_value == pytest.approx(
        float(stats.ttest_1samp([1.0] * 15 + [0.0] * 15, 1.5, alternative="less").pvalue)
    )


@pytest.mark.parametrize(("n", "verdict"), [(1, "inconclusive"), (23, "inconclusive"), (24, "fail"), (100, "fail")])
def test_rows_without_a_spread_take_hoeffdings_bound(n: int, verdict: str) -> None:
    """One value, or equal ones: a quarter below the bar takes 24 rows."""
    found = only(sure("min", 0.75, run([0.5] * n)))
    assert found.p_value == pytest.approx(math.exp(-2 * 0.25**2 * n))
    assert found.verdict == verdict
    above = only(sure("max", 0.25, run([0.5] * n)))
    assert (above.p_value, above.verdict) == (found.p_value, verdict)


def test_rows_without_a_spread_count_as_groups_of_one_do() -> None:
    """A cluster for each row says that they are independent."""
    alone = [case(number, 0.5) for number in range(100)]
    grouped = [case(number, 0.5, cluster=f"c{number}") for number in range(100)]
    assert only(sure("min", 0.8, alone)).p_value == pytest.approx(only(sure("min", 0.8, grouped)).p_value)


def test_without_a_spread_or_ends_no_test_can_tell() -> None:
    """Ratings, and seconds: they have no greatest value, though all lie below 1."""
    ratings = only(sure("min", 3.5, run([3.0] * 30)))
    assert (ratings.verdict, ratings.p_value) == ("inconclusive", None)
    assert ratings.reason == "it is 3, the bar 3.5; too little spread, so that no test can tell it from chance"
    for name in (None, "c"):
        slow = [case(number, latency_s=0.9, cluster=name and f"{name}{number}") for number in range(100)]
        seconds = only(apply_gate(rules(rule("max", 0.2, metric="latency_s", confident=True)), slow))
        assert (seconds.verdict, seconds.p_value) == ("inconclusive", None)


@pytest.mark.parametrize(("groups", "verdict"), [(4, "inconclusive"), (5, "fail")])
def test_dependent_rows_count_by_their_groups(groups: int, verdict: str) -> None:
    """Below five nothing can fail."""
    cases = [case(number, 0.2 + number % 7 / 20, cluster=f"c{number % groups}") for number in range(60)]
    found = only(sure("min", 0.75, cases))
    assert found.verdict == verdict
    if verdict == "inconclusive":
        assert found.reason is not None
        assert "only 4 groups of dependent rows" in found.reason


@pytest.mark.parametrize(
    ("right", "timeouts", "verdict", "is_open"),
    [(60, 5, "fail", False), (90, 5, "pass", False), (77, 5, "inconclusive", True), (73, 1, "inconclusive", False)],
)
def test_errors_bound_a_confident_bar(right: int, timeouts: int, verdict: str, is_open: bool) -> None:
    """Where both ends agree it is decided, even as inconclusive."""
    cases = [
        *rights(right, 100)[: 100 - timeouts],
        *(broken(number, "timeout") for number in range(100 - timeouts, 100)),
    ]
    found = only(sure("min", 0.8, cases, **OPEN))
    assert (found.verdict, found.is_open) == (verdict, is_open)
    if is_open:
        assert found.reason == (
            "it comes to inconclusive or pass by what the missing answers are: s95, s96, s97, s98, s99; ask for them"
            " again with --resume"
        )


def test_a_value_between_the_ends_may_miss_a_confident_bar() -> None:
    """Where graded rows lie a little below it: the worst widens the error."""
    cases = [case(number, 0.7985 + number % 5 / 10_000) for number in range(40)]
    below, among = ([*cases, case(40, value)] for value in (0.0, 0.79))
    assert [only(sure("min", 0.8, each)).verdict for each in (below, among)] == ["inconclusive", "fail"]
    found = only(sure("min", 0.8, [*cases, broken(40, "timeout")], **OPEN))
    assert (found.verdict, found.is_open) == ("inconclusive", True)
    assert "it comes to fail or inconclusive or pass" in (found.reason or "")


def test_values_that_no_answer_can_have_are_not_tried() -> None:
    """0.8 of a right answer would be too few of them to be chance; neither one nor none is."""
    *known, _, _ = thirds(*[2] * 41)
    known.append(case(40, 0.0, epoch=2))
    assert only(sure("min", 0.669, [*known, case(40, 0.8, epoch=3)])).verdict == "fail"
    found = only(sure("min", 0.669, [*known, broken(40, "timeout", epoch=3)], **OPEN))
    assert (found.verdict, found.is_open) == ("inconclusive", False)
    assert (found.reason or "").endswith("all that was tried for the missing values, from the best to the worst")


def test_of_yes_or_no_answers_some_are_tried_at_their_worst_and_others_at_their_best() -> None:
    """One wrong answer of three is weaker evidence than none or all: it widens the error more than it lowers a mean."""
    verdicts = [
        only(sure("min", 0.6818, thirds(*[2] * (43 - wrong), *[1] * (wrong + 1)), alpha=0.0028)).verdict
        for wrong in range(4)
    ]
    assert verdicts == ["fail", "inconclusive", "fail", "fail"]
    lost = {("s41", 3), ("s42", 3), ("s43", 3)}
    cases = [
        broken(each.sample_id[1:], "timeout", epoch=3) if (each.sample_id, each.epoch) in lost else each
        for each in thirds(*[2] * 40, *[1] * 4)
    ]
    found = only(sure("min", 0.6818, cases, **OPEN, alpha=0.0028))
    assert (found.verdict, found.is_open) == ("inconclusive", True)


def test_a_run_that_is_not_valid_fails_a_confident_bar_only_whatever_was_lost() -> None:
    """What the infrastructure lost counts as any value then."""
    lost = [broken(number, "connection") for number in range(100, 110)]
    fail, rate = (sure("min", 0.8, [*rights(right, 100), *lost]).verdicts[1] for right in (30, 75))
    assert (fail.verdict, rate.verdict) == ("fail", "unmeasurable")
    assert fail.reason is not None
    assert fail.reason.endswith("so it is whatever the missing values are (10 errors in 110 cases)")
    assert rate.reason == "10 errors in 110 cases"


def test_a_confident_bar_without_a_value_is_unmeasurable() -> None:
    """As any other."""
    assert only(sure("min", 0.8, run([None] * 9))).verdict == "unmeasurable"


NEVER = rule("noninferior", 0.05)


def test_a_loss_surely_below_the_margin_passes() -> None:
    """By the upper end of Student's interval at 1 - alpha."""
    draw = random.Random(8)
    before = [draw.random() for _ in range(400)]
    after = [value - 0.02 + draw.gauss(0, 0.1) for value in before]
    low = float(stats.ttest_rel(after, before).confidence_interval(0.9)[0])
    verdict = verdict_of(before, after, NEVER)
    assert verdict.verdict == "pass"
    assert verdict.low == pytest.approx(low)
    assert verdict.reason is not None
    assert verdict.reason.startswith(f"the loss may be up to {-low:.4g}, the margin is 0.05; ")
    assert verdict_of(before, after, rule("noninferior", -low)).verdict == "fail"
    assert verdict_of(before, after, rule("noninferior", -low + 1e-6)).verdict == "pass"


def test_of_a_gain_that_is_demanded_is_told_how_small_it_may_be() -> None:
    """A margin below 0, which the proof of a training has: no negative loss is spoken of."""
    before = [0.0] * 30
    after = [1.0] * 13 + before[13:]
    verdict = verdict_of(before, after, rule("noninferior", -0.3))
    assert verdict.verdict == "fail"
    assert verdict.low == pytest.approx(0.277, abs=5e-4)
    assert (verdict.reason or "").startswith("the gain may be as little as 0.277, the margin is 0.3; ")
    assert verdict_of(before, after, rule("noninferior", -0.27)).verdict == "pass"


def test_a_loss_that_may_be_as_large_as_the_margin_fails() -> None:
    """Nothing changed on the whole, but 100 rows say little."""
    verdict = verdict_of([1.0] * 95 + [0.0] * 5, [0.0] * 5 + [1.0] * 95, NEVER)
    assert (verdict.verdict, verdict.delta) == ("fail", 0.0)
    assert verdict.reason is not None
    assert verdict.reason.endswith("rows: 5 worse (s0, s1, s2, s3, s4), 5 better")


@pytest.mark.parametrize(("n", "verdict"), [(59, "fail"), (60, "pass")])
def test_no_change_in_n_rows_is_a_loss_of_three_in_n_at_most(n: int, verdict: str) -> None:
    """-ln(.05)/60 is just below .05; groups of dependent rows count as one row each."""
    assert verdict_of([1.0] * n, [1.0] * n, NEVER).verdict == verdict
    cases = [case(number, cluster=f"c{number % n}") for number in range(2 * n)]
    assert only(compared(cases, cases, NEVER)).verdict == verdict


def test_longer_is_worse_for_numbers_of_the_calls() -> None:
    """The margin is in their unit."""
    draw = random.Random(1)
    before = [case(row, latency_s=draw.uniform(1, 2)) for row in range(50)]
    slower = [case(row, latency_s=(each.latency_s or 0) + draw.uniform(0.5, 0.7)) for row, each in enumerate(before)]
    slow = rule("noninferior", 0.3, metric="latency_s")
    assert only(compared(before, slower, slow)).verdict == "fail"
    assert only(compared(slower, before, slow)).verdict == "pass"
    errors = rule("noninferior", 0.5, metric="error_rate")
    worse = [*run([1.0] * 20)[:5], *(broken(number, "timeout") for number in range(5, 20))]
    assert only(compared(run([1.0] * 20), worse, errors, max_error_rate=1.0)).verdict == "fail"


def test_open_answers_leave_a_margin_open_where_they_matter() -> None:
    """The message gives both ends."""
    before = run([1.0] * 200)
    few = [broken(0, "timeout"), *before[1:]]
    many = [*(broken(number, "timeout") for number in range(20)), *before[20:]]
    assert only(compared(before, few, NEVER, **OPEN)).verdict == "pass"
    result = compared(before, many, NEVER, **OPEN)
    assert (only(result).verdict, only(result).is_open, result.verdict) == ("inconclusive", True, "unmeasurable")
    reason = only(result).reason
    assert reason is not None
    most = float(stats.beta.ppf(0.95, 21, 180))  # where all of them are wrong
    assert reason.startswith(
        f"the loss may be up to {-math.log(0.05) / 200:.4g} to {most:.4g}, the margin is 0.05: s0, s1, s10"
    )
    assert compared(before, many, NEVER).verdicts[1].verdict == "unmeasurable"


def test_a_loss_without_an_end_leaves_a_margin_open() -> None:
    """A time that ran out could have been any."""
    before = [case(row, latency_s=1 + row / 100) for row in range(50)]
    after = [broken(0, "timeout"), *before[1:]]
    verdict = only(compared(before, after, rule("noninferior", 0.5, metric="latency_s"), **OPEN))
    assert (verdict.verdict, verdict.is_open) == ("inconclusive", True)
    assert verdict.reason is not None
    assert "to unknown, the margin is 0.5: s0; ask for them again with --resume" in verdict.reason


def test_a_margin_fails_where_everything_says_so() -> None:
    """Also in a run that is not valid; and a rating without a range has no ends."""
    before = run([1.0] * 100)
    bad = [*(broken(number, "connection") for number in range(10)), *run([0.0] * 100)[10:]]
    assert compared(before, bad, NEVER).verdicts[1].verdict == "fail"
    ratings = [*(broken(number, "timeout") for number in range(2)), *run([3.0] * 100)[2:]]
    found = only(compared(run([5.0] * 100), ratings, NEVER, **OPEN))
    assert (found.verdict, found.is_open) == ("inconclusive", True)


@pytest.mark.parametrize(("n", "margin"), [(100, 0.029), (100, 0.04), (107, 0.028), (300, 0.02), (1000, 0.005)])
def test_more_losses_never_turn_a_fail_into_a_pass(n: int, margin: float) -> None:
    strict = rule("noninferior", margin)
    found = [verdict_of([1.0] * n, [0.0] * lost + [1.0] * (n - lost), strict).verdict for lost in range(20)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("n", [60, 107, 250])
@pytest.mark.parametrize("margin", [0.028, 0.05, 0.1])
def test_a_loss_as_large_as_the_margin_passes_once_in_twenty_at_most(n: int, margin: float) -> None:
    """Where rows only get worse: by the exact chance of each number of losses."""
    strict = rule("noninferior", margin)
    passes = [k for k in range(n) if verdict_of([1.0] * n, [0.0] * k + [1.0] * (n - k), strict).verdict == "pass"]
    assert sum(stats.binom.pmf(k, n, margin) for k in passes) <= 0.05


@pytest.mark.parametrize("n", [12, 20, 30, 60])
def test_a_gain_is_surely_above_the_margin_once_in_twenty_at_most(n: int) -> None:
    """Where rows only get better, nearly all of them: by the exact chance, at a gain that is the margin."""
    for kept in range(4):
        sure_gain = 1 - float(stats.beta.ppf(0.95, kept + 1, n - kept)) if kept else 1 + math.log(0.05) / n
        found = [
            verdict_of([0.0] * n, [0.0] * kept + [1.0] * (n - kept), rule("noninferior", -gain)).verdict
            for gain in (sure_gain - 1e-6, sure_gain + 1e-6)
        ]
        assert found == ["pass", "fail"]


@pytest.mark.parametrize("lost", [0, 1, 5])
def test_neither_epochs_that_agree_nor_groups_of_one_row_make_a_loss_surer(lost: int) -> None:
    """The bound is that of the rows, to the last digit that is shown."""
    before, after = [1.0] * 107, [0.0] * lost + [1.0] * (107 - lost)
    names = [f"c{number}" for number in range(107)]
    was, now = (
        [case(row, value, epoch=epoch) for row, value in enumerate(side) for epoch in (1, 2, 3)]
        for side in (before, after)
    )
    told = [
        verdict_of(before, after, NEVER),
        only(compared(was, now, NEVER)),
        only(compared(clustered(before, names), clustered(after, names), NEVER)),
    ]
    assert len({each.reason for each in told}) == 1
    assert [each.p_value for each in told] == [None] * 3  # no p-value decides it


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("lost", [0.0, 0.001, 0.2, 1.0])
def test_a_spread_of_next_to_nothing_hides_as_much_as_none(noise: float, lost: float) -> None:
    """Of 200 rows none of which lost much, three in 200 may; neither one that lost a little nor noise in others, all of
    them or a few, says otherwise.
    """
    for noisy in (20, 199):
        before = [1.0] + [0.5] * 199
        after = [1.0 - lost] + [0.5 + (-1) ** row * noise * (row < noisy) for row in range(199)]
        found = verdict_of(before, after, rule("noninferior", 0.0149))
        assert found.verdict == "fail"
        assert found.mde is not None
        assert found.mde > 0.0149


def test_of_numbers_without_a_greatest_nothing_hides_but_what_varies() -> None:
    """Three in n is a share, and no dollar: what costs as much in each row as before did not get dearer."""
    same, dearer = ([case(row, cost_usd=cost, judge_cost_usd=0.0) for row in range(60)] for cost in (0.001, 0.002))
    strict = rule("noninferior", 0.0005, metric="cost_usd")
    kept, lost = only(compared(same, same, strict)), only(compared(same, dearer, strict))
    assert (kept.verdict, lost.verdict) == ("pass", "fail")
    assert (kept.reason or "").startswith("the loss may be up to 0, the margin is 0.0005; ")
    alone = only(compared(same[:1], same[:1], strict))
    assert (alone.verdict, (alone.reason or "").split(",")[0]) == ("fail", "the loss may be up to unknown")


@pytest.mark.parametrize("right", [0, 1])
def test_groups_of_dependent_rows_that_are_all_alike_fail_a_bar_far_above_them(right: int) -> None:
    """All wrong, or one of five right in each group: nothing is left to estimate a spread from."""
    cases = [case(number, float(number % 5 < right), cluster=f"c{number // 5}") for number in range(100)]
    verdict = only(sure("min", 0.8, cases))
    assert verdict.verdict == "fail"
    assert verdict.p_value is not None and verdict.p_value < 1e-5
    near = [case(number, float(number % 5 < 4), cluster=f"c{number // 5}") for number in range(100)]
    assert only(sure("min", 0.81, near)).verdict == "inconclusive"


@pytest.mark.parametrize("fill", [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0), (1.0, 0.0), None])
def test_graded_rows_that_are_missing_in_several_groups_may_tell_these_apart(fill: tuple[float, ...] | None) -> None:
    """Both good, both bad and both alike make it a clear miss; one good and one bad leave it to chance."""
    known = [0.25, 1, 0, 1, 0.25, 0.25, 1, 0.5, 1, 1, 1, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0]
    groups = [number % 6 for number in range(20) if number not in (0, 7)]
    rows = [case(n, each, cluster=f"{group}") for n, (each, group) in enumerate(zip(known, groups, strict=True))]
    for number, each in zip((0, 1), fill or (None, None), strict=True):  # of the groups 0 and 1
        fields = {} if each is not None else {"outcome": "error", "error_kind": "timeout"}
        rows.append(case(f"lost {number}", each, cluster=f"{number}", **fields))
    told = only(compared([], rows, rule("min", 0.8, confident=True), max_error_rate=0.1))
    assert (told.verdict, told.is_open) == ("inconclusive" if fill in (None, (1.0, 0.0)) else "fail", fill is None)
