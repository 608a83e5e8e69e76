"""What people read of a model's words: short, on one line, and harmless."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.scorers.display import first_few, shown, tidy, visible_line


def test_long_values_are_cut_with_a_mark() -> None:
    """200 characters by default."""
    assert shown("x" * 200) == '"' + "x" * 200 + '"'
    assert shown("x" * 5000) == '"' + "x" * 199 + "…"
    assert shown(list(range(5000))).endswith("…")
    assert visible_line("abcdef", 3) == "abc…"


def test_what_does_not_print_is_spelt_out() -> None:
    """Line ends, escapes, marks of direction, lone surrogates, NUL."""
    assert visible_line("a\nb\x1b[0m\u202e\u200b\ud800\x00é") == "a\\nb\\x1b[0m\\u202e\\u200b\\ud800\\x00é"
    assert shown({"a\n": "\u2028"}) == '{"a\\n": "\\u2028"}'


def test_lines_beyond_a_few_are_counted() -> None:
    """No count where all are there."""
    assert first_few(["a", "b", "c"], 2, total=3) == "a\nb\n+ 1 more"
    assert first_few(["a", "b"], 2, total=2) == "a\nb"


@given(st.text())
def test_a_tidy_reason_is_bounded_and_prints(text: str) -> None:
    """Whatever was put in; again changes nothing."""
    kept = tidy(text)
    assert all(line.isprintable() for line in kept.split("\n"))
    assert len(kept.split("\n")) <= 13
    assert not any(line.lstrip().startswith(("::", "##[")) for line in kept.split("\n"))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_is_shown_on_one_printable_line(value: Any) -> None:
    """Short ones as JSON."""
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 203
    if isinstance(value, str) and len(value) < 20 and value.isprintable():
        assert json.loads(text) == value
