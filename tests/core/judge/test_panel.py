"""Several judgements of one answer: what they come to, when others are asked, which are made twice."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import JudgeError
from pytest_llmeval.core.judge.panel import Ballot, counted, is_probed, is_unsure, tally
from pytest_llmeval.core.judge.verdict import read_verdict
from tests.core.judge.rubrics import NONCE, RUBRIC, reply

LEVELS = ("wrong", "partly", "right")


def ballot(correctness: str = "right", format: str = "good", **fields: object) -> Ballot:
    found = read_verdict(reply(correctness, format), RUBRIC, NONCE)
    return Ballot(**{"judge": "j", "verdict": found, **fields})  # type: ignore[arg-type]  # fields of a Ballot


def ballots(correctness: Sequence[str], format: Sequence[str] = ()) -> list[Ballot]:
    formats = format or ["good"] * len(correctness)
    return [ballot(*each, judge=f"j{n}") for n, each in enumerate(zip(correctness, formats, strict=True))]


def test_one_judge_decides_alone() -> None:
    assert tally(RUBRIC, [ballot("partly", "bad")]) == {"correctness": 0.5, "format": 0.0}


@pytest.mark.parametrize(
    ("votes", "value"),
    [
        (["right", "right", "wrong"], 1.0),
        (["right", "partly", "wrong"], 0.5),
        (["wrong", "wrong", "right"], 0.0),
        (["right", "right"], 1.0),
        (["right", "partly", "partly", "wrong"], 0.5),
        (["right", "right", "right", "wrong"], 1.0),
    ],
)
def test_of_ordered_levels_the_median_counts(votes: list[str], value: float) -> None:
    assert tally(RUBRIC, ballots(votes))["correctness"] == value


def test_of_two_levels_the_strict_majority_counts() -> None:
    assert tally(RUBRIC, ballots(["right"] * 3, ["good", "bad", "good"]))["format"] == 1.0
    assert tally(RUBRIC, ballots(["right"] * 3, ["good", "bad", "bad"]))["format"] == 0.0


def test_a_panel_that_is_split_evenly_decides_nothing() -> None:
    with pytest.raises(
        JudgeError, match=r"split evenly on format: j0 says good, j1 says bad; an odd number of judges has a majority"
    ):
        tally(RUBRIC, ballots(["right"] * 2, ["good", "bad"]))


@pytest.mark.parametrize("votes", [["right", "partly"], ["right", "wrong"], ["right", "right", "partly", "wrong"]])
def test_a_level_that_nobody_chose_is_never_found(votes: list[str]) -> None:
    """Also not one that the rubric has: of right and wrong the middle would be partly."""
    said = ", ".join(f"j{n} says {vote}" for n, vote in enumerate(votes))
    problem = f"split evenly on correctness: {said}; an odd number of judges has a vote in the middle"
    with pytest.raises(JudgeError, match=problem):
        tally(RUBRIC, ballots(votes))


@given(
    st.lists(st.sampled_from(LEVELS), min_size=1, max_size=7).filter(lambda votes: len(votes) % 2 == 1), st.randoms()
)
def test_an_odd_panel_always_finds_a_level_whatever_the_order(votes: list[str], random: st.DrawFn) -> None:
    found = tally(RUBRIC, ballots(votes))["correctness"]
    assert found in (0.0, 0.5, 1.0)
    random.shuffle(votes)  # type: ignore[attr-defined]  # it is a Random
    assert tally(RUBRIC, ballots(votes))["correctness"] == found


def test_a_judgement_that_is_repeated_does_not_count() -> None:
    both = [ballot("right"), ballot("wrong", repeat=1)]
    assert counted(both) == both[:1]
    assert tally(RUBRIC, both)["correctness"] == 1.0


@pytest.mark.parametrize(
    ("found", "unsure"),
    [
        (ballot("right"), False),
        (ballot("wrong", "bad"), False),
        (ballot("partly"), True),
        (ballot("right", was_asked_again=True), True),
    ],
)
def test_a_judge_is_unsure_between_the_ends_and_where_it_stumbled(found: Ballot, unsure: bool) -> None:
    assert is_unsure(RUBRIC, found) is unsure


def test_about_that_share_is_judged_twice_and_always_the_same() -> None:
    chosen = [number for number in range(2000) if is_probed(0.1, "suite", number)]
    assert 140 < len(chosen) < 260  # 200 expected, standard deviation 13.4
    assert chosen == [number for number in range(2000) if is_probed(0.1, "suite", number)]
    assert set(chosen) <= {number for number in range(2000) if is_probed(0.2, "suite", number)}
    assert not any(is_probed(0, number) for number in range(100))
    assert all(is_probed(1, number) for number in range(100))
