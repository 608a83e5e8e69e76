"""What a scorer may return: a number from 0 to 1 in any of its types, and nothing else."""

from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers import ScoreBook, Scored, scorer
from pytest_llmeval.scorers.scored import unit_interval


class Scalar:
    """Like a scalar of numpy or torch."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        """Return the plain value."""
        return self.value


class Level(IntEnum):
    """An int that has a name."""

    GOOD = 1


class Word(Enum):
    """A name that is not a number."""

    GOOD = "good"


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (True, 1.0),
        (False, 0.0),
        (0, 0.0),
        (0.25, 0.25),
        (Decimal("0.1"), 0.1),
        (Fraction(1, 4), 0.25),
        (Scalar(0.5), 0.5),
        (Scalar(True), 1.0),
        (Level.GOOD, 1.0),
        (1 + 1e-10, 1.0),
        (-1e-10, 0.0),
    ],
)
def test_numbers_of_any_type_are_scores(book: ScoreBook, returned: Any, value: float) -> None:
    """Always recorded as a plain float, whatever they came as, alone or in Scored."""

    @scorer
    def gives(response: object) -> Any:
        return returned

    @scorer
    def wraps(response: object) -> Scored:
        return Scored(returned, "why")

    assert [book.gives("x").value, book.wraps("x").value] == [value, value]
    assert [type(score.value) for score in book.scores] == [float, float]


@pytest.mark.parametrize(
    "returned",
    [
        None,
        "0.9",
        2,
        -1,
        1.001,
        float("nan"),
        float("inf"),
        float("-inf"),
        1e309,
        10**400,
        {},
        [0.5],
        0.5j,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Scalar("0.9"),
        Scalar(float("nan")),
        Scalar,
        Word.GOOD,
        object(),
    ],
    ids=lambda value: repr(value).partition(" object at ")[0],
)
def test_whatever_else_a_scorer_returns_is_an_error_and_never_a_score(book: ScoreBook, returned: Any) -> None:
    """Alone, in Scored, and as a companion."""

    @scorer
    def gives(response: object) -> Any:
        return returned

    @scorer
    def wraps(response: object) -> Scored:
        return Scored(1, companions={"other": returned})

    for score in (book.gives("x"), book.wraps("x")):
        assert (score.value, score.passed, score.status) == (None, None, "error")
        assert score.reason
    assert len(book.scores) == len(book.errors) == 2


def test_a_scored_inside_scored_or_a_reason_that_is_no_text_is_an_error(book: ScoreBook) -> None:
    """One level, and words."""

    @scorer
    def nests(response: object) -> Scored:
        return Scored(Scored(1))

    @scorer
    def numbers(response: object) -> Scored:
        return Scored(1, 5)  # type: ignore[arg-type]  # what a user might return

    assert book.nests("x").status == book.numbers("x").status == "error"


@given(st.floats() | st.integers() | st.booleans())
def test_every_number_is_in_range_or_refused(value: float) -> None:
    """No NaN, no infinity, nothing outside."""
    try:
        assert 0 <= unit_interval(value) <= 1
    except ScorerError:
        assert not 0 <= value <= 1
