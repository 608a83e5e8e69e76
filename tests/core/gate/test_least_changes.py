"""The least change that a rule would see: by the test that decides it, or none."""

import math
import random
from collections.abc import Iterable, Sequence

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.power import margin_power, mcnemar_power
from tests.support.gate_runs import case, clustered, compared, flips, graded, only, rule, verdict_of


@pytest.mark.parametrize(
    ("n", "worse", "better", "mde"),
    [
        (20, 0, 0, 0.259),
        (100, 0, 0, 0.0545),
        (100, 1, 1, 0.0713),
        (200, 1, 1, 0.036),
        (100, 2, 2, 0.0824),
        (100, 9, 1, 0.0713),
    ],
)
def test_a_drop_of_what_is_seen_fails_four_times_in_five(n: int, worse: int, better: int, mde: float) -> None:
    """By McNemar's test itself, if as many rows as flipped here by chance flip besides those that are lost."""
    found = verdict_of(*flips(n, worse, better), rule(bound=0.0)).mde
    assert found is not None
    assert found == pytest.approx(mde, rel=2e-3)
    besides = (1 - found) * min(worse, better) / n
    assert mcnemar_power(n, found + besides, besides, alpha=0.05) == pytest.approx(0.8, abs=1e-3)


def test_with_many_rows_what_is_allowed_is_in_the_way_and_the_noise_beyond() -> None:
    """Of which a drop is a part."""
    many = verdict_of(*flips(10_000, 500, 500)).mde
    assert many == pytest.approx(0.02 + normal_quantile(0.8) * math.sqrt((0.1 + 0.9 * 0.0229) / 10_000), rel=2e-3)
    assert (verdict_of(*flips(20, 0, 0), rule(bound=0.3)).mde or 0) > 0.3


@pytest.mark.parametrize(("n", "worse", "better"), [(100, 0, 0), (100, 1, 0), (60, 3, 4), (4, 0, 0), (3, 1, 1)])
def test_of_a_loss_to_be_ruled_out_it_is_that_which_unchanged_rows_rule_out(n: int, worse: int, better: int) -> None:
    """-ln(alpha) / n where none flips, and four times in five by the gate's own bound; none where that is all."""
    found = verdict_of(*flips(n, worse, better), rule("noninferior", 0.05)).mde
    if n < 4 or found is None:
        assert (n, found) == (3, None)
        return
    if not worse + better:
        assert found == pytest.approx(-math.log(0.05) / n)
        return
    less, enough = (margin_power(n, (worse + better) / n, found * share, alpha=0.05) for share in (0.999, 1))
    assert less < 0.8 <= enough


def test_what_no_change_of_all_rows_could_show_has_no_least_change() -> None:
    """Three rows of yes or no cannot fail at all, and the reason says so; four can, where all of them change."""
    lost = verdict_of([1.0] * 3, [0.0] * 3)
    assert (lost.mde, lost.verdict) == (None, "inconclusive")
    assert "it cannot fail by itself with so few rows" in (lost.reason or "")
    assert verdict_of([1.0] * 4, [1.0] * 4).mde == pytest.approx(0.8**0.25, rel=1e-3)


def test_nor_have_graded_rows_and_groups_whose_signs_are_too_few() -> None:
    """All of four signs are alike by chance in one of 16 draws, and below five groups there is no test."""
    before, after = graded(5, 0.01)
    assert verdict_of(before[:4], after[:4]).mde is None
    assert verdict_of(before, after).mde is not None
    assert verdict_of(before[:4], after[:4], rule("noninferior", 0.15)).mde is not None  # its bound is Student's
    before, after = graded(40, 0.01)
    cannot = "cannot fail by itself with so few groups of dependent rows"
    for count, alpha, told in (
        (4, 0.05, "only 4 groups of dependent rows, so that no test can tell it from chance; rows: "),
        (5, 0.01, cannot),
        (5, 0.05, "sees changes from "),
    ):
        names = [f"c{number % count}" for number in range(40)]
        verdict = only(compared(clustered(before, names), clustered(after, names), alpha=alpha))
        assert (verdict.mde is not None) is told.startswith("sees")
        assert told in (verdict.reason or "")
        assert (cannot in (verdict.reason or "")) is (told == cannot)


@pytest.mark.parametrize("cost", [0.0, 1.0])
def test_a_number_of_the_calls_is_no_yes_or_no(cost: float) -> None:
    """What 40 rows see of a share says nothing of dollars."""
    free = [case(row, cost_usd=cost, judge_cost_usd=0.0) for row in range(40)]
    verdict = only(compared(free, free, rule("max_rise", 0.0, metric="cost_usd")))
    assert (verdict.verdict, verdict.mde) == ("pass", None)
    assert "what it can see is unknown" in (verdict.reason or "")


def test_a_rule_that_failed_does_not_say_that_it_cannot() -> None:
    """Four rows whose three epochs all say the same take McNemar's test, as one epoch does."""
    before, after = ([case(row, value, epoch=epoch) for row in range(4) for epoch in (1, 2, 3)] for value in (1.0, 0.0))
    verdict = only(compared(before, after))
    assert (verdict.verdict, verdict.p_value) == ("fail", 1 / 32)
    assert "p 0.031, fails below 0.05; what it can see is unknown; rows: 4 worse" in (verdict.reason or "")


def whole(sizes: Sequence[int], lost: Iterable[bool], loss: float) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return two runs in groups of these sizes, or in single rows, some of which lost so much in each row."""
    names = [None if set(sizes) == {1} else f"c{number}" for number, size in enumerate(sizes) for _ in range(size)]
    after = [1.0 - loss * each for size, each in zip(sizes, lost, strict=True) for _ in range(size)]
    return clustered([1.0] * len(names), names), clustered(after, names)


@pytest.mark.parametrize(("sizes", "loss"), [([4] * 60, 1.0), ([1] * 60, 0.5), ([1] * 40 + [6] * 20 + [20] * 4, 1.0)])
@pytest.mark.parametrize("lost", [1, 3])
def test_where_few_changed_it_is_what_signs_see(sizes: Sequence[int], loss: float, lost: int) -> None:
    """The error of so few is small, but four groups, or five rows, must lose: by it one in five was seen."""
    found = only(compared(*whole(sizes, [number < lost for number in range(len(sizes))], loss))).mde
    assert found is not None
    draw, runs = random.Random(3), 150
    failed = sum(
        only(compared(*whole(sizes, [draw.random() < found / loss for _ in sizes], loss))).verdict == "fail"
        for _ in range(runs)
    )
    assert failed / runs > 0.8 - 2 * math.sqrt(0.8 * 0.2 / runs)


def test_groups_of_which_few_changed_see_no_less_than_as_many_rows() -> None:
    rows, groups = (
        only(compared(*whole([size] * 60, [number < 2 for number in range(60)], 1.0))).mde for size in (1, 4)
    )
    assert groups == pytest.approx(rows)


def test_small_changes_of_few_rows_do_not_come_to_what_is_allowed() -> None:
    """All of them by 0.01 do not: a change that is seen is another one, and how large the allowed one and its error."""
    found = only(compared(*whole([1] * 60, [number < 3 for number in range(60)], 0.01))).mde
    assert found == pytest.approx(0.02, abs=0.001)
