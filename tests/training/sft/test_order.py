"""The order of a training's rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

LENGTHS = [50 + (n * 7919) % 550 for n in range(2000)]
"""Of 2,000 rows, spread evenly over 50 to 599 tokens."""


@pytest.fixture(scope="module")
def by_length() -> Any:
    pytest.importorskip("trl")
    from pytest_llmeval.training.sft.order import ByLength

    return ByLength


def steps_of(
    by_length: Any, lengths: Sequence[int], *, step: int, train_epoch: int = 0, seed: int = 0
) -> list[list[int]]:
    """Return the rows of each step."""
    rows = list(by_length(lengths, step=step, seed=seed, train_epoch=lambda: train_epoch))
    return [rows[start : start + step] for start in range(0, len(rows), step)]


@given(lengths=st.lists(st.integers(1, 999), min_size=1, max_size=90), step=st.integers(1, 9), seed=st.integers(0, 99))
def test_every_row_comes_once(by_length: Any, lengths: list[int], step: int, seed: int) -> None:
    """And in whole steps, but for the last."""
    found = steps_of(by_length, lengths, step=step, seed=seed)
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    assert {len(rows) for rows in found[:-1]} <= {step}


def test_rows_of_a_step_are_of_like_length(by_length: Any) -> None:
    """The padding is a tenth of what rows in any order have, or less."""
    found = steps_of(by_length, LENGTHS, step=8)
    padding = sum(max(LENGTHS[row] for row in rows) - LENGTHS[row] for rows in found for row in rows)
    mixed = [range(start, start + 8) for start in range(0, 2000, 8)]
    assert padding < 0.1 * sum(max(LENGTHS[row] for row in rows) - LENGTHS[row] for rows in mixed for row in rows)


def test_steps_get_neither_shorter_nor_longer_as_they_go_on(by_length: Any) -> None:
    """From the longest to the shortest a model forgets the long ones: half of the steps follow a shorter one."""
    longest = [max(LENGTHS[row] for row in rows) for rows in steps_of(by_length, LENGTHS, step=8)]
    rises = sum(after > before for before, after in pairwise(longest))
    assert 0.4 * len(longest) < rises < 0.6 * len(longest)


def test_the_longest_row_comes_in_the_first_step(by_length: Any) -> None:
    """Too little memory shows before anything was computed in vain."""
    lengths = [*LENGTHS[:900], 4000, *LENGTHS[900:]]
    assert 900 in steps_of(by_length, lengths, step=8)[0]


def test_no_round_of_one_seed_is_that_of_another(by_length: Any) -> None:
    drawn = [steps_of(by_length, LENGTHS, step=8, seed=seed, train_epoch=3 - seed) for seed in range(4)]
    assert all(one != other for one, other in pairwise(drawn))


def test_order_follows_from_seed_and_train_epoch_alone(by_length: Any) -> None:
    drawn = [
        steps_of(by_length, LENGTHS, step=8, seed=seed, train_epoch=n) for seed, n in ((0, 0), (0, 0), (0, 1), (5, 0))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]
