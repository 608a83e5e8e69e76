"""What a miss says of its answer beside what differs: that it was cut off, or that the model refused."""

import pytest

from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import ScoreBook

CUT = "the answer was cut off at its greatest length (finish_reason length); see max_tokens"


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (Response(text='{"a": ', finish_reason="length"), CUT),
        (
            Response(text="", refusal="I'm sorry, no.\nReally."),
            r"the model said nothing else than a refusal: I'm sorry, no.\nReally.",
        ),
    ],
)
def test_a_miss_says_why_there_was_no_better_answer(book: ScoreBook, response: Response, told: str) -> None:
    """Behind what is missed and before what differs."""
    score = book.json_valid(response)
    lines = (score.reason or "").splitlines()
    assert lines[:2] == ["0 is under the pass mark 1", told]
    assert lines[2].startswith("not JSON: ")


def test_an_answer_that_is_good_enough_or_a_text_says_nothing_of_it(book: ScoreBook) -> None:
    """A score that demands nothing neither, nor an answer that says something beside a refusal."""
    cut = Response(text="Paris", finish_reason="length")
    assert book.exact(cut, "Paris").reason is None
    assert CUT not in (book.exact(cut, "Rome", pass_mark=0, name="free").reason or "")
    assert "refusal" not in (book.exact(Response(text="No", refusal="No."), "Rome", name="said").reason or "")
    assert CUT not in (book.exact("Paris", "Rome", name="text").reason or "")
