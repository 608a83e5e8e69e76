"""Untrusted text made harmless, over any text."""

import json
import re
import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.text import inert_json, one_line, printable, shorten, storable

texts = st.text(st.characters() | st.sampled_from("\n\t\r:#v [\x1b\x9b\u202e\u200b\ud800"))


@given(texts)
def test_no_control_character_is_left(text: str) -> None:
    """Newlines and tabs apart; nor a lone surrogate, nor what separates lines elsewhere."""
    left = {char for char in printable(text) if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")}
    assert left <= {"\n", "\t"}


@pytest.mark.parametrize(
    "char", ["\x00", "\x07", "\x08", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\xad", "\u061c", "\u200b", "\u200e"]
)
def test_a_control_character_is_shown_as_its_escape(char: str) -> None:
    code = ord(char)
    escape = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    assert printable(f"a{char}b") == f"a{escape}b"


@pytest.mark.parametrize(
    "char", ["\u2028", "\u2029", "\u202e", "\u2066", "\u206f", "\ufeff", "\udc80", "\U000e0041", "\U000e007f"]
)
def test_what_is_not_seen_or_moves_what_is_becomes_visible(char: str) -> None:
    assert re.fullmatch(r"a\\(u[0-9a-f]{4}|U[0-9a-f]{8})b", printable(f"a{char}b"))


@given(texts)
def test_no_line_begins_with_a_workflow_command(text: str) -> None:
    shown = printable(text)
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
    assert not re.search(r"##\w*\[", shown)


@given(texts)
def test_json_holds_no_command_and_says_the_same(text: str) -> None:
    shown = inert_json(json.dumps({text: [text]}))
    assert not re.search(r"##\w*\[", shown)
    assert json.loads(shown) == {text: [text]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\\::error::x"),
        ("a\n \t::stop-commands::x", "a\n \t\\::stop-commands::x"),
        ("\u3000::error::x", "\u3000\\::error::x"),
        ("std::string", "std::string"),
        ("##[error]x", "##\\[error]x"),
        ("###[error]x", "###\\[error]x"),
        ("a ##vso[task.complete]x", "a ##\\vso[task.complete]x"),
        ("###VSO[task.complete]x", "###\\VSO[task.complete]x"),
        ("##teamcity[buildStatus]", "##\\teamcity[buildStatus]"),
        ("## title [a] ##vso x[0]", "## title [a] ##vso x[0]"),
        ("\r::error::x", "\\x0d::error::x"),
    ],
)
def test_workflow_commands_are_broken_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"], exclude_characters=":#")))
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(texts)
def test_printable_again_changes_nothing(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(texts, st.integers(0, 60))
def test_one_line_is_one_line_of_at_most_the_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


def test_a_newline_stays_visible_on_one_line() -> None:
    assert one_line("a\n::error::\tb") == "a\\n\\::error:: b"


@given(texts, st.integers(0, 60))
def test_a_shortened_text_is_at_most_as_long_as_the_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else short == (text[: max(limit - 3, 0)] + "...")[:limit]


@given(texts)
def test_a_stored_text_comes_back_from_sqlite_as_it_is(text: str) -> None:
    kept = storable(text)
    connection = sqlite3.connect(":memory:")
    try:
        assert connection.execute("SELECT ?, length(?)", [kept, kept]).fetchone() == (kept, len(kept))
    finally:
        connection.close()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_a_storable_text_is_stored_unchanged(text: str) -> None:
    assert storable(text) == text


def test_what_sqlite_cannot_keep_is_stored_as_its_escape() -> None:
    assert storable("a\x00b\ud800c\x1b") == "a\\x00b\\ud800c\x1b"
