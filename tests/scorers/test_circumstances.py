"""What a miss says of its answer beside what differs: that it was cut off, or that the model refused."""

from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import ScoreBook

CUT = "the answer was cut off at its maximum length; see max_tokens"


def test_a_miss_says_that_its_answer_was_cut_off(book: ScoreBook) -> None:
    """Behind what differs, which tells more."""
    lines = (book.json_valid(Response(text='{"a": ', finish_reason="length")).reason or "").splitlines()
    assert lines[0] == "0 is under the pass mark 1"
    assert lines[1].startswith("not JSON: ")
    assert lines[2:] == [CUT]


def test_a_miss_says_that_the_model_refused(book: ScoreBook) -> None:
    """Before what differs, which says nothing then."""
    lines = (book.contains(Response(text="", refusal="I'm sorry, no.\nReally."), "Rome").reason or "").splitlines()
    assert lines[:2] == [
        "0 is under the pass mark 1",
        r"the model only refused: I'm sorry, no.\nReally.",
    ]
    assert lines[2].startswith("not found: ")


def test_an_answer_that_is_good_enough_or_a_text_says_nothing_of_it(book: ScoreBook) -> None:
    """A score that demands nothing neither, nor an answer that says something beside a refusal."""
    cut = Response(text="Paris", finish_reason="length")
    assert book.exact(cut, "Paris").reason is None
    assert CUT not in (book.exact(cut, "Rome", pass_mark=0, name="free").reason or "")
    assert "refusal" not in (book.exact(Response(text="No", refusal="No."), "Rome", name="said").reason or "")
    assert CUT not in (book.exact("Paris", "Rome", name="text").reason or "")
