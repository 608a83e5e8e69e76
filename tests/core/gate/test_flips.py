"""When a row flipped: by its share of as many epochs, by the majority of other numbers of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.flips import flip_of

SHARES = st.integers(1, 6).flatmap(lambda n: st.integers(0, n).map(lambda passed: (passed / n, n)))


@pytest.mark.parametrize(
    ("before", "now", "flip"),
    [
        ((1.0, 1), (0.0, 1), -1),
        ((1.0, 3), (2 / 3, 3), -1),
        ((0.0, 2), (0.5, 2), 1),
        ((1.0, 1), (2 / 3, 3), 0),
        ((1.0, 1), (1 / 3, 3), -1),
        ((0.0, 1), (1 / 3, 3), 0),
        ((0.0, 1), (2 / 3, 3), 1),
        ((1.0, 1), (0.5, 2), 0),
        ((0.5, 2), (0.0, 3), 0),
    ],
)
def test_shares_of_as_many_epochs_compare_and_majorities_of_others(
    before: tuple[float, int], now: tuple[float, int], flip: int
) -> None:
    assert flip_of(*before, *now) == flip


@given(SHARES, SHARES)
def test_the_other_way_round_a_flip_is_the_other_one(one: tuple[float, int], other: tuple[float, int]) -> None:
    """And against the direction of the shares none ever is."""
    assert flip_of(*one, *other) == -flip_of(*other, *one)
    assert flip_of(*one, *other) * (other[0] - one[0]) >= 0
