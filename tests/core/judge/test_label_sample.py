"""Which answers are drawn for people to label."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.label_sample import drawn


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 50), st.integers())
def test_a_sample_has_no_answer_twice_and_each_stratum_by_its_share(strata: list[str], count: int, seed: int) -> None:
    """Of the share of a stratum one answer may be missing, or be too many, at each of its two ends."""
    places = drawn(strata, count, seed=seed)
    assert len(set(places)) == len(places) == min(count, len(strata))
    assert places == drawn(strata, count, seed=seed)
    there, chosen = Counter(strata), Counter(strata[place] for place in places)
    for stratum, size in there.items():
        assert abs(chosen[stratum] - size * len(places) / len(strata)) <= 1 + 1e-9


def test_every_answer_has_the_same_chance() -> None:
    """A third of 3,000 draws, within five standard errors."""
    strata = ["pass"] * 7 + ["fail"] * 2
    counts = Counter(place for seed in range(3000) for place in drawn(strata, 3, seed=seed))
    for place in range(len(strata)):
        assert counts[place] / 3000 == pytest.approx(1 / 3, abs=5 * (2 / 9 / 3000) ** 0.5)
