"""Which answers are drawn for people to label."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.label_sample import (
    MIXED,
    RANDOM,
    drawn,
    drawn_evenly,
    first_epochs,
    of_verdict,
    pooled,
    verdict_of,
)


def test_of_each_row_the_first_judged_epoch_is_labelled() -> None:
    """In whatever order workers recorded them."""
    judged = [("a", 2, "a-e2"), ("b", 3, "b-e3"), ("a", 1, "a-e1"), ("b", 3, "b-e3"), ("a", 3, "a-e3")]
    assert first_epochs(judged) == ["a-e1", "b-e3"]


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


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 50), st.integers())
def test_an_even_sample_has_as_many_of_each_stratum_as_it_can(strata: list[str], count: int, seed: int) -> None:
    places = drawn_evenly(strata, count, seed=seed)
    assert len(set(places)) == len(places) == min(count, len(strata))
    assert places == drawn_evenly(strata, count, seed=seed)
    there, chosen = Counter(strata), Counter(strata[place] for place in places)
    most = max(chosen.values(), default=0)
    assert all(chosen[stratum] in (most, most - 1, size) for stratum, size in there.items())


def test_within_a_stratum_every_answer_has_the_same_chance() -> None:
    """Of two of each stratum: 2/7 of the passes, both failures."""
    strata = ["pass"] * 7 + ["fail"] * 2
    counts = Counter(place for seed in range(3000) for place in drawn_evenly(strata, 4, seed=seed))
    assert counts[7] == counts[8] == 3000
    for place in range(7):
        assert counts[place] / 3000 == pytest.approx(2 / 7, abs=5 * (10 / 49 / 3000) ** 0.5)


def test_a_draw_is_named_and_read_back() -> None:
    assert verdict_of(of_verdict("a b")) == "a b"
    assert verdict_of(RANDOM) is None
    for wrong in ("", "verdict of ", "Random", MIXED):
        with pytest.raises(ValueError, match="a draw is 'random' or 'verdict of SCORE'"):
            verdict_of(wrong)


def test_random_draws_may_join_those_of_one_verdict_only() -> None:
    one, other = of_verdict("a"), of_verdict("b")
    assert pooled([]) == pooled([RANDOM, RANDOM]) == RANDOM
    assert pooled([RANDOM, one, one]) == one
    assert pooled([one, other]) == pooled([MIXED, one]) == MIXED
