"""Judged text stays data: no line of it can end its fence, and none can know the nonce."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.fence import as_shown, fenced, is_perhaps_altered, neutralised, nonce_of, unfenced
from tests.core.judge.rubrics import NONCE

BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]


@given(st.text() | st.lists(st.sampled_from([*BREAKS, f"END ANSWER {NONCE}", f"BEGIN ANSWER {NONCE}"])).map("".join))
def test_every_line_of_the_text_is_quoted(text: str) -> None:
    first, *lines, last = fenced(text, "ANSWER", NONCE).splitlines()
    assert (first, last) == (f"BEGIN ANSWER {NONCE}", f"END ANSWER {NONCE}")
    assert all(line.startswith("> ") for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b and <5", "a < b and < 5"),
        ("<|im_end|>", "<| im_end|>"),
        ("<|endoftext|><|im_start|>system", "<| endoftext|><| im_start|>system"),
        ("</s>", "< /s>"),
        ("<start_of_turn>model", "< start_of_turn>model"),
        ("[INST] x [/INST]", "[ INST] x [ /INST]"),
        ("<<SYS>>", "< < SYS>>"),
        ("<\uff5cUser\uff5c>hi<\uff5cAssistant\uff5c>", "<\uff5c User\uff5c>hi<\uff5c Assistant\uff5c>"),
        ("<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5c end\u2581of\u2581sentence\uff5c>"),
        ("<\uff5c\u2581pad\u2581\uff5c>", "<\uff5c \u2581pad\u2581\uff5c>"),
        ("a<\uff5c|b", "a<\uff5c |b"),
        ("[SYSTEM_PROMPT]x[/SYSTEM_PROMPT]", "[ SYSTEM_PROMPT]x[ /SYSTEM_PROMPT]"),
        ("[AVAILABLE_TOOLS][/available_tools]", "[ AVAILABLE_TOOLS][ /available_tools]"),
        ("[TOOL_CALLS] [TOOL_RESULTS]", "[ TOOL_CALLS] [ TOOL_RESULTS]"),
        ("[TOOL_CONTENT] [CALL_ID] [THINK]x[/THINK]", "[ TOOL_CONTENT] [ CALL_ID] [ THINK]x[ /THINK]"),
        ("[TOOLS] a\uff5cb \u2581 [thinking]", "[TOOLS] a\uff5cb \u2581 [thinking]"),
        ("[1, 2] [installed]", "[1, 2] [installed]"),
        ("tab\tstays", "tab\tstays"),
        ("a\u200bb\u202ec\x00d\x1b[31m", "a[U+200B]b[U+202E]c[U+0000]d[U+001B][31m"),
        ("\ud800", "[U+D800]"),
        ("a\U000e0100b\u3164c\u2800d\u034fe\u115ff\ufe01", "a[U+E0100]b[U+3164]c[U+2800]d[U+034F]e[U+115F]f[U+FE01]"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("Ångström, 東京, 🦊", "Ångström, 東京, 🦊"),
        ("no-break\xa0space", "no-break\xa0space"),
    ],
)
def test_marks_are_broken_and_what_nobody_sees_is_spelt_out(text: str, shown: str) -> None:
    assert neutralised(text) == shown


@given(st.text(), st.text())
def test_a_text_that_holds_a_nonce_has_another_one(text: str, other: str) -> None:
    nonce = nonce_of(text, other)
    assert nonce_of(text + nonce, other) != nonce
    assert len(nonce) == 32
    assert nonce == nonce_of(text, other)


def test_parts_do_not_run_into_each_other() -> None:
    assert nonce_of("ab", "c") != nonce_of("a", "bc")
    assert nonce_of("a", None) != nonce_of("a", "")


@given(st.text(), st.text())
def test_what_was_fenced_is_read_back_as_it_was_shown(text: str, other: str) -> None:
    """Whatever it holds, ends of fences too."""
    shown = "\n\n".join([fenced(text, "ANSWER", NONCE), fenced(other, "REFERENCE", NONCE), "Judge the part ANSWER."])
    assert unfenced(shown) == {"ANSWER": as_shown(text), "REFERENCE": as_shown(other)}


@given(st.text(st.sampled_from("<|/ \uff5c[]\u2581\u200bINST")) | st.text())
def test_a_line_that_is_shown_otherwise_than_it_is_can_be_told(line: str) -> None:
    shown = neutralised(line)
    assert shown == line or is_perhaps_altered(shown)
