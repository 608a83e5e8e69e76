"""Which runs are held against which baselines."""

from typing import Any

import pytest

from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import Run
from tests.support.stored_runs import END, run


def recorded(id: str, **settings: Any) -> Run:
    return run(id, end=END, settings=settings)


def why_none(current: Run, base: Run, *stored: Run, model: str | None = None) -> str:
    """Return why ``current`` is not held against ``base``, named ``main``, beside ``stored``; empty where it is."""
    found = FoundBaseline(name="main", kind="name", run=base, model=model, source=None)  # type: ignore[arg-type]
    return BaselineChoice(found=found).for_run(current, lambda: stored).why_none


@pytest.mark.parametrize(
    ("current", "base"),
    [
        (recorded("again", rescored="first"), recorded("first")),
        (recorded("first"), recorded("again", rescored="first")),
        (recorded("again", rescored="first"), recorded("before", rescored="first")),
    ],
    ids=["scored again", "the baseline is", "both are"],
)
def test_one_set_of_answers_is_not_compared_with_itself(current: Run, base: Run) -> None:
    """Only the scorers differ: that is no change of what is under test."""
    assert why_none(current, base) == "the answers are those of baseline main"


ORIGINAL = recorded("first")
AGAIN = recorded("again", rescored="first")
THRICE = recorded("thrice", rescored="again")


@pytest.mark.parametrize(
    ("current", "base", "stored"),
    [
        (THRICE, ORIGINAL, (AGAIN,)),
        (ORIGINAL, THRICE, (AGAIN,)),
        (THRICE, recorded("beside", rescored="first"), (AGAIN,)),
        (recorded("once more", rescored="thrice"), ORIGINAL, (ORIGINAL, AGAIN, THRICE)),
        (THRICE, AGAIN, ()),
    ],
    ids=["from the first", "the first", "beside it", "once more", "the one between is in a file"],
)
def test_answers_that_were_scored_again_and_again_stay_the_same(
    current: Run, base: Run, stored: tuple[Run, ...]
) -> None:
    assert why_none(current, base, *stored) == "the answers are those of baseline main"


def test_other_answers_are_compared() -> None:
    assert why_none(recorded("a", rescored="first"), recorded("b", rescored="second")) == ""
    assert why_none(recorded("a"), recorded("b", rescored="second")) == ""


def test_a_run_is_compared_with_another_model_of_its_own() -> None:
    assert why_none(recorded("a"), recorded("a")) == "baseline main is this run itself"
    assert why_none(recorded("a"), recorded("a"), model="small") == ""
