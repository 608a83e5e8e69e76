"""Agreement of several raters, and of one with itself."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.raters import (
    Alpha,
    Scale,
    agreement_rate,
    effective_votes,
    flip_rate,
    krippendorff_alpha,
)

Unit = list[int | None]
units = st.lists(st.lists(st.none() | st.integers(1, 5), max_size=4), max_size=25)
scales: st.SearchStrategy[Scale] = st.sampled_from(["nominal", "ordinal", "interval"])

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units.
OBSERVERS: list[list[int | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def near(one: Alpha | None, other: Alpha | None) -> None:
    """Assert that two results are equal but for rounding."""
    assert (one is None) == (other is None)
    if one and other:
        assert one.n == other.n and one.value == pytest.approx(other.value, abs=1e-9)
        assert (one.interval is None) == (other.interval is None)
        if one.interval and other.interval:
            ends = pytest.approx((other.interval.low, other.interval.high), abs=1e-6)
            assert (one.interval.low, one.interval.high) == ends


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example(scale: Scale, alpha: float) -> None:
    """Labels are missing, and one unit has a single one."""
    seen = krippendorff_alpha(list(zip(*OBSERVERS, strict=True)), scale=scale)
    assert seen is not None
    assert seen.value == pytest.approx(alpha, abs=5e-4)
    assert seen.n == 11


@given(units, scales)
def test_alpha_is_at_most_one_and_inside_its_interval(given_: list[Unit], scale: Scale) -> None:
    """Unknown without two labels that differ."""
    seen = krippendorff_alpha(given_, scale=scale)
    there = [[label for label in unit if label is not None] for unit in given_]
    rated = [unit for unit in there if len(unit) > 1]
    assert (seen is None) == (len({label for unit in rated for label in unit}) < 2)
    if seen:
        assert seen.value <= 1
        assert seen.interval is None or -1 <= seen.interval.low < seen.interval.high <= 1


@given(units, scales, st.randoms(use_true_random=False))
def test_alpha_ignores_the_order_of_units_and_raters(given_: list[Unit], scale: Scale, drawn: random.Random) -> None:
    """Labels of a unit are a bag."""
    shuffled = [drawn.sample(unit, len(unit)) for unit in given_]
    drawn.shuffle(shuffled)
    near(krippendorff_alpha(shuffled, scale=scale), krippendorff_alpha(given_, scale=scale))


@pytest.mark.parametrize(
    ("scale", "change"),
    [
        ("nominal", lambda label: {1: "c", 2: "a", 3: "e", 4: "b", 5: "d"}[label]),
        ("ordinal", lambda label: label**3),
        ("interval", lambda label: 1e6 - 7 * label),
    ],
    ids=["renamed", "in the same order", "on another ruler"],
)
@given(given_=units)
def test_alpha_sees_no_more_than_its_scale(
    scale: Scale, change: Callable[[int], float | str], given_: list[Unit]
) -> None:
    """Labels that a scale does not tell apart leave it as it is."""
    changed = [[None if label is None else change(label) for label in unit] for unit in given_]
    near(krippendorff_alpha(changed, scale=scale), krippendorff_alpha(given_, scale=scale))


@given(units, scales)
def test_a_unit_of_one_label_changes_nothing(given_: list[Unit], scale: Scale) -> None:
    """It says nothing of agreement."""
    near(krippendorff_alpha([*given_, [5, None], []], scale=scale), krippendorff_alpha(given_, scale=scale))


def test_alpha_of_full_agreement_is_one_and_has_no_interval() -> None:
    """Nothing says how rare a disagreement is."""
    seen = krippendorff_alpha([[1, 1], [2, 2, 2], [3, 3]], scale="interval")
    assert seen is not None and seen.value == 1 and seen.interval is None


@pytest.mark.parametrize("label", ["good", math.nan, math.inf])
def test_a_label_that_is_no_number_has_no_place_on_a_scale_of_numbers(label: object) -> None:
    """It is named."""
    with pytest.raises(ValueError, match="finite number"):
        krippendorff_alpha([[1, label]], scale="ordinal")


def rated(drawn: random.Random, n: int) -> list[list[int]]:
    """Return three raters' labels on four levels: each takes the unit's own level, or one at random."""
    level = [drawn.randrange(4) for _ in range(n)]
    return [[own if drawn.random() < 0.8 else drawn.randrange(4) for _ in range(3)] for own in level]


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_the_interval_of_alpha_holds_the_truth(scale: Scale) -> None:
    """Two raters hold to the unit's level with a chance of .8 · .8, which is alpha: .95 of 300, 40 units each."""
    drawn = random.Random(9)
    seen = [krippendorff_alpha(rated(drawn, 40), scale=scale) for _ in range(300)]
    held = sum(bool(each and each.interval and each.interval.low <= 0.64 <= each.interval.high) for each in seen)
    assert abs(held / 300 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 300) + 0.005


def test_two_judgements_a_case_flip_at_a_rate_with_wilsons_interval() -> None:
    """Three of forty; a case judged once does not count."""
    seen = flip_rate([[True, True]] * 37 + [[True, False]] * 3 + [[True, None], [False]])
    assert seen is not None and seen.interval is not None
    assert (seen.value, seen.n) == (3 / 40, 40)
    ends = proportion_confint(3, 40, method="wilson")
    assert (seen.interval.low, seen.interval.high) == pytest.approx(ends, abs=1e-12)


def test_no_flip_at_all_leaves_room_for_some() -> None:
    """The interval is not of no width."""
    seen = flip_rate([[1, 1]] * 40)
    assert seen is not None and seen.interval is not None
    assert seen.value == 0 and seen.interval.high == pytest.approx(0.0876, abs=5e-4)


def test_a_case_counts_once_however_often_it_is_judged() -> None:
    """Two of the three pairs of a, a, b differ."""
    seen = flip_rate([["a", "a", "b"], ["a", "a"]])
    assert seen is not None and seen.value == pytest.approx(1 / 3)


@given(units)
def test_what_does_not_flip_agrees(given_: list[Unit]) -> None:
    """The ceiling of a judge is how often people agree with each other."""
    agree, flip = agreement_rate(given_), flip_rate(given_)
    assert (agree is None) == (flip is None)
    if agree and flip:
        assert agree.value + flip.value == pytest.approx(1)
        assert agree.n == flip.n


def test_judges_that_err_together_are_one_vote() -> None:
    """Five copies of one judge."""
    assert effective_votes([[True] * 5, [False] * 5, [False] * 5]) == pytest.approx(1)


def test_judges_that_err_apart_are_as_many_votes_as_they_are() -> None:
    """Every combination of errors is as frequent as chance has it; the second panel errs in turn."""
    assert effective_votes([[False, False], [False, True], [True, False], [True, True]]) == pytest.approx(2)
    assert effective_votes([[True, False], [False, True], [False, False]]) == 2


def test_votes_of_nine_judges_whose_errors_correlate_by_half() -> None:
    """9 / (1 + 8 · 0.5) = 1.8."""
    drawn = random.Random(2)
    shared = [drawn.random() < 0.3 for _ in range(20_000)]
    half = math.sqrt(0.5)
    wrong = [[one if drawn.random() < half else drawn.random() < 0.3 for _ in range(9)] for one in shared]
    assert effective_votes(wrong) == pytest.approx(1.8, abs=0.05)


@pytest.mark.parametrize(
    "wrong",
    [[], [[True], [False]], [[True, False], [False, False]], [[True, None], [None, True]]],
    ids=["no case", "one judge", "never wrong", "never both"],
)
def test_votes_that_cannot_be_compared_are_unknown(wrong: list[list[bool | None]]) -> None:
    """None, not 1."""
    assert effective_votes(wrong) is None


def test_a_verdict_that_is_missing_leaves_the_pair_out_of_that_case() -> None:
    """The other cases decide."""
    whole = [[True, True], [False, False], [False, True], [True, False], [False, False]]
    assert effective_votes([*whole, [True, None], [None, False]]) == effective_votes(whole)


def test_cases_of_different_panels_are_refused() -> None:
    """An entry stands for the same judge in each."""
    with pytest.raises(ValueError, match="each judge"):
        effective_votes([[True, False], [True]])
