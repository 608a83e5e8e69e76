"""Shards: every sample lies in exactly one, and they are about as large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.shards import Shard
from tests.support.records import texts


@given(sample_id=texts, of=st.integers(1, 60))
def test_every_sample_lies_in_exactly_one_shard(sample_id: str, of: int) -> None:
    assert sum(Shard(number, of).holds(sample_id) for number in range(1, of + 1)) == 1


@given(number=st.integers(1, 99), more=st.integers(0, 99))
def test_a_shard_is_read_as_it_is_written(number: int, more: int) -> None:
    shard = Shard(number, number + more)
    assert Shard.parse(str(shard)) == shard


@pytest.mark.parametrize("of", [2, 3, 7])
def test_shards_are_balanced(of: int) -> None:
    """Of 6,000 rows each shard has its share, give or take 10 % (5 standard deviations of a fair draw at most)."""
    ids = [f"row-{number}" for number in range(6000)]
    for number in range(1, of + 1):
        held = sum(Shard(number, of).holds(each) for each in ids)
        assert held == pytest.approx(6000 / of, rel=0.1)


def test_the_parts_stay_the_same() -> None:
    """Machines of different versions, and a baseline of last year, agree on which rows lie where."""
    assert [each for each in "abcdefghijkl" if Shard(1, 3).holds(each)] == ["f", "i", "j"]


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "a/b", "1", "1/", "/3", "", "1/0", "-1/3", "1.0/3", "1/3/3", "²/3", "1 / 3"]
)
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected i/N with i from 1 to N"):
        Shard.parse(text)
