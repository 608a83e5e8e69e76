"""Sentences broken into lines: no line is too wide, and no word is lost."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.reports.run_text import run_lines
from pytest_llmeval.reports.text_width import wrapped
from tests.reports.test_run_text import of_cases
from tests.support.columns import columns
from tests.support.records import record

SIGNS = "ab,. \n\u6f22\u5b57\uff11e\u0301\u0e17\u0e35\u0e48"


def test_a_sentence_of_wide_signs_fits() -> None:
    """79 of them would take 158 columns."""
    lines = list(wrapped("\u6f22" * 79, 80))
    assert [len(line.strip()) for line in lines] == [39, 38, 2]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("width", [20, 80, 120])
def test_plain_text_is_broken_as_the_standard_library_does(width: int, whole: bool) -> None:
    text = "it is 0.625, below 0.8; " * 9 + "x" * 200 + "  with  blanks \t and\nlines " + "-" * 90
    expected = textwrap.wrap(
        text,
        max(width - 1, 20),
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=not whole,
    )
    assert list(wrapped(text, width, indent="  ", whole_words=whole)) == expected


@given(text=st.text(SIGNS, max_size=300), width=st.integers(21, 120), indent=st.sampled_from(["", "  ", "    "]))
def test_no_line_is_too_wide_and_nothing_but_blanks_is_left_out(text: str, width: int, indent: str) -> None:
    lines = list(wrapped(text, width, indent=indent))
    assert max(map(columns, lines), default=0) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(line.startswith(indent) and line == line.rstrip() for line in lines)


@given(text=st.text(SIGNS, max_size=300), width=st.integers(21, 120))
def test_whole_words_are_in_one_line_each(text: str, width: int) -> None:
    lines = list(wrapped(text, width, whole_words=True))
    assert " ".join(lines).split() == text.split()
    assert all(columns(line) <= width or len(line.split()) == 1 for line in lines)


def test_a_line_that_is_there_for_its_command_is_not_broken() -> None:
    """Of two lines a shell would take the first for a command, which goes on with other options."""
    told = "continue with: pytest --resume 20261129-031215-4efdac evals -k 'one or two' --model openai:m@http://h:1/v1"
    assert list(wrapped(told, 80, whole_words=True)) == [told]
    note = "note: of these rows none was asked, so that llmeval gate and pytest evals say the same of all of them"
    assert len(list(wrapped(note, 80, whole_words=True))) == 2


def test_why_a_case_has_no_answer_stays_under_it() -> None:
    """In the log of a job nothing is cut; a second line does not stand out to the left of what it goes on with."""
    why = "the server asks to wait 3,600 s (Retry-After), and 120 s are left of the call's 120 s"
    found = of_cases(record("a", outcome="error", error_kind="rate_limited", error=why))
    assert run_lines(found, width=60, tables=200)[-4:-1] == [
        "  error: a: rate_limited",
        "    the server asks to wait 3,600 s (Retry-After), and 120",
        "      s are left of the call's 120 s",
    ]
