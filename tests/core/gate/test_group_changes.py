"""Rules on a change over groups of dependent rows: which test decides, and what it comes to."""

import math
from dataclasses import replace

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stats.clusters import clustered_mean
from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.paired import sign_flip
from tests.support.gate_runs import case, clustered, compared, graded, only, rule, verdict_of


def test_few_groups_that_changed_take_the_sign_flip_test_of_their_sums() -> None:
    """However many there are; as groups of one row do."""
    names = [f"c{number % 100}" for number in range(200)]
    before = [0.75 if number % 100 < 3 else 0.5 for number in range(200)]
    verdict = only(compared(clustered(before, names), clustered([0.5] * 200, names), rule(bound=0.0)))
    assert (verdict.p_value, verdict.verdict) == (1 / 8, "inconclusive")


@pytest.mark.parametrize(("count", "alone"), [(10, 0), (20, 1)])
def test_dependent_rows_take_the_clustered_t_test(count: int, alone: int) -> None:
    """With its own error and degrees of freedom; a row without a cluster is one by itself."""
    before, after = graded(60, 0.05)
    names = [f"c{number % (count - alone)}" if number >= alone else None for number in range(60)]
    verdict = only(compared(clustered(before, names), clustered(after, names)))
    changes = [late - early for early, late in zip(before, after, strict=True)]
    known = clustered_mean(changes, [name or "alone" for name in names])
    assert known is not None
    assert known.clusters == count
    assert verdict.p_value == pytest.approx(float(stats.t.cdf(known.value / known.error, known.df)), rel=1e-9)
    assert verdict.low == pytest.approx(known.value + float(stats.t.ppf(0.05, known.df)) * known.error)


@pytest.mark.parametrize("count", [5, 9])
def test_few_groups_of_dependent_rows_take_the_sign_flip_test_of_their_sums(count: int) -> None:
    """Without mid-p: all of them change in every run, so that nothing makes up for the half that it leaves out."""
    before, after = graded(60, 0.05)
    names = [f"c{number % count}" for number in range(60)]
    verdict = only(compared(clustered(before, names), clustered(after, names)))
    changes = [late - early for early, late in zip(before, after, strict=True)]
    assert verdict.p_value == sign_flip([sum(changes[number::count]) for number in range(count)])


@pytest.mark.parametrize(("changed", "has_mid_p"), [(5, True), (6, False)])
def test_groups_of_yes_or_no_rows_have_mid_p_unless_all_changed(changed: int, has_mid_p: bool) -> None:
    """As many change by chance: now more, now fewer."""
    names = [f"c{number % 6}" for number in range(60)]
    after = [0.0 if number < changed else 1.0 for number in range(60)]
    verdict = only(compared(clustered([1.0] * 60, names), clustered(after, names)))
    assert verdict.p_value == sign_flip([-1.0] * changed, mid_p=has_mid_p) == 1 / 64


def test_five_groups_that_all_lost_are_as_likely_as_one_in_thirty_two() -> None:
    """Which is below alpha, and not below a third of it."""
    names = [f"c{number % 5}" for number in range(20)]
    after_values = [0.5 - number % 5 / 20 for number in range(20)]
    before, after = clustered([0.5 + 1 / 64] * 20, names), clustered(after_values, names)
    assert only(compared(before, after, rule(bound=0.0))).verdict == "fail"
    three = [rule(metric=name, bound=0.0) for name in ("f1", "f2", "f3")]
    found = compared(_with_others(before), _with_others(after), *three).verdicts[0]
    assert (found.verdict, found.p_value) == ("inconclusive", 3 / 32)


def _with_others(cases: list[JudgedCase]) -> list[JudgedCase]:
    """Return them with two scores that never change beside their own."""
    return [replace(each, scores={**each.scores, "f2": 1.0, "f3": 1.0}) for each in cases]


def test_a_group_that_holds_most_rows_makes_the_others_count_for_little() -> None:
    """Twenty groups, one of 40 rows: as if there were four or five, so their sums take the sign-flip test."""
    before, after = graded(100, 0.05)
    names = ["large"] * 40 + [f"c{number % 19}" for number in range(60)]
    verdict = only(compared(clustered(before, names), clustered(after, names)))
    changes = [late - early for early, late in zip(before, after, strict=True)]
    sums = [sum(changes[:40]), *(sum(changes[40 + number :: 19]) for number in range(19))]
    assert verdict.p_value == sign_flip(sums)


def test_so_they_do_however_many_stand_beside_the_large_one() -> None:
    """Forty; by t one unchanged session of ten would fail."""
    before, after = graded(100, 0.05)
    names = ["large"] * 60 + [None] * 40
    changes = [late - early for early, late in zip(before, after, strict=True)]
    verdict = only(compared(clustered(before, names), clustered(after, names)))
    assert verdict.p_value == pytest.approx(sign_flip([sum(changes[:60]), *changes[60:]]))


def test_groups_that_all_lost_the_same_are_many_signs() -> None:
    """Twenty users of unequal numbers of rows, each lower by a quarter: the clustered error is 0."""
    names = [f"c{int(number**0.5)}" for number in range(400)]
    verdict = only(compared(clustered([0.75] * 400, names), clustered([0.5] * 400, names)))
    assert (verdict.verdict, verdict.p_value) == ("fail", 2.0**-20)


@pytest.mark.parametrize("count", [5, 6, 9])
def test_what_few_groups_see_is_as_much_as_their_signs_need(count: int) -> None:
    """Of five only the sign of all five is below alpha: all of them must get worse in four runs of five."""
    before, after = graded(60, 0.05)
    names = [f"c{number % count}" for number in range(60)]
    verdict = only(compared(clustered(before, names), clustered(after, names), rule(bound=0.0)))
    error = clustered_mean([late - early for early, late in zip(before, after, strict=True)], names)
    assert error is not None
    reached = (math.ceil(0.05 * 2**count) - 1) / 2**count
    by_t = float(stats.t.ppf(1 - reached, count - 1) + stats.t.ppf(0.8, count - 1))
    needed = math.sqrt(5) * normal_quantile(0.8**0.2) if count == 5 else by_t
    assert verdict.mde == pytest.approx(needed * error.error)


@pytest.mark.parametrize("count", [31, 60])
def test_many_signs_reach_any_alpha(count: int) -> None:
    """As far as all of them have an error: what they see is Student's."""
    before, after = graded(count, 0.05)
    verdict = verdict_of(before, after, rule(bound=0.0), alpha=1e-8)
    error = float(stats.sem([late - early for early, late in zip(before, after, strict=True)]))
    needed = float(stats.t.ppf(1 - 1e-8, count - 1) + stats.t.ppf(0.8, count - 1))
    assert verdict.mde == pytest.approx(needed * error, rel=1e-6)


@pytest.mark.parametrize("answers", [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])
def test_one_more_answer_that_is_wrong_never_makes_a_verdict_milder(answers: tuple[float, float]) -> None:
    """With two epochs one row comes to a half: that of one row decides nothing about all others."""
    before = [replace(case(row, 1.0, epoch=epoch), cluster=f"c{row % 6}") for row in range(60) for epoch in (1, 2)]
    wrong = {row: (0.0, 0.0) for row in (0, 1, 2, 3, 6, 7, 8)} | {9: answers}
    after = [
        replace(case(row, wrong.get(row, (1.0, 1.0))[epoch - 1], epoch=epoch), cluster=f"c{row % 6}")
        for row in range(60)
        for epoch in (1, 2)
    ]
    verdict = only(compared(before, after, rule(bound=0.0)))
    assert (verdict.p_value, verdict.verdict) == (1 / 16, "inconclusive")


def test_what_ten_equal_groups_see_is_students_however_small_alpha_is() -> None:
    """As t decides: their signs are enough for nothing."""
    before, after = graded(60, 0.05)
    names = [f"c{number % 10}" for number in range(60)]
    verdict = only(compared(clustered(before, names), clustered(after, names), rule(bound=0.0), alpha=0.0018))
    error = clustered_mean([late - early for early, late in zip(before, after, strict=True)], names)
    assert error is not None
    needed = float(stats.t.ppf(1 - 0.0018, 9) + stats.t.ppf(0.8, 9))
    assert verdict.mde == pytest.approx(needed * error.error, rel=1e-6)


@pytest.mark.parametrize(("alpha", "verdict"), [(0.0012, "fail"), (0.0009, "inconclusive")])
def test_where_the_signs_of_all_unequal_groups_are_not_enough_the_reason_says_so(alpha: float, verdict: str) -> None:
    """One of 60 rows beside nine of 3."""
    names = ["large"] * 60 + [f"c{number % 9}" for number in range(27)]
    before, after = graded(87, 0.2)
    after = [min(early - 0.01, late) for early, late in zip(before, after, strict=True)]
    found = only(compared(clustered(before, names), clustered(after, names), rule(bound=0.0), alpha=alpha))
    assert (found.verdict, found.p_value) == (verdict, 2.0**-10)
    assert found.reason is not None
    cannot = "it cannot fail by itself with so few groups of dependent rows" in found.reason
    assert (cannot, found.mde is None) == (verdict != "fail",) * 2


def test_a_confident_bar_over_five_groups_sees_something() -> None:
    """It goes by Student's t, which five groups are enough for."""
    values, names = graded(50, 0.3)[1], [f"c{number % 5}" for number in range(50)]
    bar = rule("min", 0.95, confident=True)
    verdict = only(compared(clustered(values, names), clustered(values, names), bar, alpha=0.03))
    assert verdict.verdict == "fail"
    assert verdict.mde is not None


def test_few_groups_that_changed_say_nothing_of_what_all_of_them_could() -> None:
    """Ten equal ones go by t, as soon as all change."""
    names = [f"c{number % 10}" for number in range(60)]
    after = [0.5 - (number % 10 < 3) / 4 for number in range(60)]
    verdict = only(compared(clustered([0.5] * 60, names), clustered(after, names), rule(bound=0.0), alpha=0.0009))
    assert verdict.reason is not None
    assert "cannot fail by itself" not in verdict.reason
