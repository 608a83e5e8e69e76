"""Epochs come down to one score, by name, and to None where they are too few."""

import random
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.stats.intervals import pass_hat_k
from pytest_llmeval.core.stats.reducers import (
    Reducer,
    at_least,
    max_score,
    mean_score,
    median_score,
    min_score,
    mode_score,
    pass_at,
    pass_hat,
    reducer,
)

NAMES = ["mean", "median", "mode", "max", "min", "at_least_2", "pass_at_3", "pass_hat_3"]
values_of_epochs = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", 0.625),
        ("median", 0.75),
        ("mode", 1.0),
        ("max", 1.0),
        ("min", 0.0),
        ("at_least_1", 1.0),
        ("at_least_2", 1.0),
        ("at_least_3", 0.0),
        ("pass_at_1", 0.5),
        ("pass_at_2", 5 / 6),
        ("pass_hat_2", 1 / 6),
        ("pass_hat_3", 0.0),
    ],
)
def test_a_name_gives_its_reducer(name: str, expected: float) -> None:
    """Two of four epochs are right."""
    assert reducer(name)([1.0, 0.5, 0.0, 1.0]) == pytest.approx(expected)


def test_plain_names_are_the_functions() -> None:
    """One way to write each."""
    named = [reducer(name) for name in ("mean", "median", "mode", "max", "min")]
    assert named == [mean_score, median_score, mode_score, max_score, min_score]


@pytest.mark.parametrize("name", NAMES)
def test_no_epochs_have_no_score(name: str) -> None:
    """Not 0."""
    assert reducer(name)([]) is None


@pytest.mark.parametrize("name", ["at_least_3", "pass_at_3", "pass_hat_3"])
def test_fewer_epochs_than_asked_have_no_score(name: str) -> None:
    """Two of three say nothing of the third."""
    assert reducer(name)([1.0, 1.0]) is None
    assert reducer(name)([1.0, 1.0, 1.0]) == 1


def test_of_several_most_frequent_values_the_least_counts() -> None:
    """The order of epochs must not choose."""
    assert mode_score([1.0, 0.0, 1.0, 0.0, 0.5]) == 0
    assert mode_score([0.5, 1.0, 0.5]) == 0.5


def test_a_threshold_says_which_epochs_are_right() -> None:
    """A graded score may be right below 1; the threshold itself is enough."""
    scores = [0.7, 0.8, 0.2]
    assert at_least(2, threshold=0.7)(scores) == 1
    assert at_least(2)(scores) == 0
    assert pass_at(1, threshold=0.7)(scores) == pytest.approx(2 / 3)
    assert pass_hat(2, threshold=0.7)(scores) == pytest.approx(1 / 3)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("c", [0, 1, 3, 5])
def test_pass_hat_k_equals_the_count_over_all_subsets(c: int, k: int) -> None:
    """Every way to choose k of 5 attempts, all right."""
    subsets = list(combinations([True] * c + [False] * (5 - c), k))
    assert pass_hat_k(5, c, k) == pytest.approx(sum(map(all, subsets)) / len(subsets))


@pytest.mark.parametrize(
    "name", ["average", "pass_at", "pass_at_", "pass_at_0", "pass_at_-1", "pass_at_1.5", "mean_2", "at_least_٣", ""]
)
def test_an_unknown_name_says_the_known_ones(name: str) -> None:
    """All of them, with what was found."""
    with pytest.raises(ValueError, match="unknown reducer") as caught:
        reducer(name)
    assert repr(name) in str(caught.value)
    for known in ("mean", "median", "mode", "max", "min", "at_least_K", "pass_at_K", "pass_hat_K"):
        assert known in str(caught.value)


@pytest.mark.parametrize("build", [at_least, pass_at, pass_hat])
def test_a_number_of_epochs_below_one_is_refused(build: Callable[[int], Reducer]) -> None:
    """With the number found."""
    with pytest.raises(ValueError, match="k must be 1 or more, not 0"):
        build(0)


@given(values_of_epochs, st.sampled_from(NAMES), st.randoms())
def test_order_does_not_matter_and_scores_stay_in_range(
    values: list[float], name: str, shuffler: random.Random
) -> None:
    """For every reducer."""
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    score = reducer(name)(values)
    assert score == reducer(name)(shuffled)
    assert score is None or 0 <= score <= 1


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=8), st.integers(1, 8))
def test_all_of_k_is_never_more_likely_than_any_of_k(values: list[float], k: int) -> None:
    """And the share of right epochs lies between them."""
    least, most, share = pass_hat(k)(values), pass_at(k)(values), mean_score(values)
    if least is not None and most is not None and share is not None:
        assert least <= share + 1e-12
        assert share <= most + 1e-12
