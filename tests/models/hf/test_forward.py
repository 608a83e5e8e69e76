"""Which rows are read together."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.models.hf.forward import in_like_lengths, left_padded

CPU, CARD = torch.device("cpu"), torch.device("meta")


@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=40))
def test_each_row_is_in_one_group_and_a_group_has_little_padding(lengths: list[int]) -> None:
    groups = in_like_lengths(lengths, CPU)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        rows = [lengths[place] for place in group]
        assert rows == sorted(rows, reverse=True)
        assert sum(rows[0] - row for row in rows) <= 32


def test_groups_are_made_where_they_save_time() -> None:
    """A call more costs an accelerator as much as many tokens, and a CPU as much as few."""
    lengths = [400, 10, 390, 395, 12]
    assert in_like_lengths(lengths, CPU) == [[0, 3, 2], [4, 1]]
    assert in_like_lengths(lengths, CARD) == [[0, 3, 2, 4, 1]]
    assert in_like_lengths([4000, 10], CARD) == [[0], [1]]


def test_padding_stands_before_a_row() -> None:
    ids, mask = left_padded([[5, 6, 7], [8]], 0, CPU)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
