"""regex: matches or not, and never hangs."""

import threading
import time
from typing import Any

import pytest

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import ScoreBook, regex

WILD = ["^(a|aa)+$", "^(?:a|a)+$", r"^(\w|\w\w)+$"]
TEXT = "a" * 60 + "!"


@pytest.mark.parametrize(
    ("text", "pattern", "settings", "value"),
    [
        ("the total is 12", r"total is \d+", {}, 1),
        ("the total is x", r"total is \d+", {}, 0),
        ("total 12", r"\d+", {"full": True}, 0),
        ("12", r"\d+", {"full": True}, 1),
        ("TOTAL", "total", {}, 0),
        ("TOTAL", "total", {"ignore_case": True}, 1),
        ("a\ntotal", "^total", {}, 0),
        ("a\ntotal", "(?m)^total", {}, 1),
        ("", "", {}, 1),
        ("\ud800\x00", "\ud800.", {}, 1),
    ],
)
def test_a_pattern_is_searched_or_matched_in_full(
    text: str, pattern: str, settings: dict[str, Any], value: int
) -> None:
    """Flags in the pattern work."""
    assert regex(Response(text=text), pattern, **settings).value == value


def test_the_reason_shows_pattern_and_text() -> None:
    """Cut and on one line."""
    assert regex("x\ny", "^z").reason == '"^z" does not match "x\\ny"'
    assert regex("12x", r"\d+", full=True).reason == '"\\\\d+" does not match the whole of "12x"'
    assert len(regex("x" * 100_000, "y").reason or "") < 400


def test_the_textbook_case_of_the_catalogue_returns_in_time(book: ScoreBook) -> None:
    """``^(a+)+$`` on 40 a's and a mark."""
    started = time.process_time()
    book.regex("a" * 40 + "!", "^(a+)+$")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", WILD)
def test_a_pattern_that_runs_wild_is_an_error_within_the_time(book: ScoreBook, pattern: str) -> None:
    """Recorded as an error, never as a score; what follows goes on."""
    started = time.process_time()
    score = book.regex(TEXT, pattern, timeout_s=0.2)
    assert time.process_time() - started < 5
    assert (score.value, score.passed, score.status) == (None, None, "error")
    assert "took longer than 0.2 s" in (score.reason or "")
    assert book.exact("a", "a").value == 1


def test_the_default_limit_is_one_second() -> None:
    """Without any setting."""
    started = time.process_time()
    with pytest.raises(ScorerError, match="longer than 1 s"):
        regex(TEXT, WILD[0])
    assert time.process_time() - started < 8


def test_in_a_thread_it_ends_in_time_and_lets_others_run() -> None:
    """No signal is used, and the interpreter's lock is not held. Seconds are of this process, not of the machine."""
    problems: list[str] = []
    steps = 0

    def search() -> None:
        try:
            regex(TEXT, WILD[0], timeout_s=0.5)
        except ScorerError as error:
            problems.append(str(error))

    thread = threading.Thread(target=search)
    started = time.process_time()
    thread.start()
    while thread.is_alive() and time.process_time() - started < 5:
        steps += 1
        time.sleep(0.005)
    assert "took longer" in problems[0]
    assert time.process_time() - started < 5
    assert steps > 10


@pytest.mark.parametrize(
    ("pattern", "settings", "problem"),
    [
        ("(", {}, "not a regular expression"),
        ("(?<x", {}, "not a regular expression"),
        (None, {}, "the pattern must be a string, found null"),
        ("a", {"timeout_s": 0}, "timeout_s must be above 0 and at most .*, found 0"),
        ("a", {"timeout_s": 61}, "timeout_s must be above 0 and at most .*, found 61"),
        ("a", {"timeout_s": float("nan")}, "timeout_s must be above 0 and at most .*, found nan"),
        ("a", {"timeout_s": True}, "timeout_s must be above 0 and at most .*, found True"),
        ("a", {"timeout_s": None}, "timeout_s must be above 0 and at most .*, found None"),
    ],
)
def test_what_makes_no_sense_is_an_error(pattern: Any, settings: dict[str, Any], problem: str) -> None:
    """Never a score."""
    with pytest.raises(ScorerError, match=problem):
        regex("a", pattern, **settings)


def test_a_text_beyond_a_million_characters_is_an_error() -> None:
    """It is not searched in part."""
    with pytest.raises(ScorerError, match="1,000,001 characters"):
        regex("a" * 1_000_001, "a")
