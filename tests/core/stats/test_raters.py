"""Agreement of several raters, and of one with itself."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.raters import agreement_rate, effective_votes, flip_rate

Unit = list[int | None]
units = st.lists(st.lists(st.none() | st.integers(1, 5), max_size=4), max_size=25)


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


def test_cases_that_depend_on_each_other_count_as_fewer() -> None:
    """Two clusters of ten hold all flips; alone in its cluster each case says as much as without."""
    cases = [[True, number < 2] for number in range(10) for _ in range(20)]
    names = [number for number in range(10) for _ in range(20)]
    for told in (flip_rate, agreement_rate):
        alone, clustered = told(cases), told(cases, clusters=names)
        assert alone is not None and alone.interval is not None
        assert told([*cases, [True]], clusters=range(201)) == alone
        assert clustered is not None and clustered.interval is not None
        assert (clustered.value, clustered.n) == (alone.value, 200)
        assert clustered.interval.low < alone.interval.low - 0.1 and clustered.interval.high > alone.interval.high + 0.1
