"""Rows as a judge reads them."""

from typing import Any

import pytest

from pytest_llmeval.core.judge.shown import shown_input, shown_reference


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("How many?", "How many?"),
        ({"context": "Two ships.", "question": "How many?"}, "context:\nTwo ships.\n\nquestion:\nHow many?"),
        ({"schema": {"type": "object"}}, 'schema:\n{\n "type": "object"\n}'),
        (
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "system:\nBe brief.\n\nuser:\nHi",
        ),
        (
            [
                {"role": "user", "content": ["What?", {"type": "image_url", "image_url": {"url": "data:,x"}}]},
                {"role": "user", "content": [{"type": "tool_result", "content": "a map"}, "odd"]},
                {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": {"a": 1, "b": 2}}}]},
            ],
            "user:\nWhat?\n(image_url)\n\n"
            'user:\n{\n "type": "tool_result",\n "content": "a map"\n}\nodd\n\n'
            'assistant:\n(no text; calls of tools:)\nlook({"a": 1, "b": 2})',
        ),
        ([1, "ü"], '[\n 1,\n "ü"\n]'),
        (7, "7"),
    ],
)
def test_an_input_is_shown_as_text(value: Any, shown: str) -> None:
    assert shown_input(value) == shown


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (None, None),
        ("six", "six"),
        ({"answer": "6", "aliases": ["six", "half a dozen"]}, "6\nor: six\nor: half a dozen"),
        ({"answer": "6"}, "6"),
        ({"answer": "6", "aliases": "six"}, '{\n "answer": "6",\n "aliases": "six"\n}'),
        ({"answer": "6", "aliases": None}, '{\n "answer": "6",\n "aliases": null\n}'),
        ({"answer": "42", "unit": "km"}, '{\n "answer": "42",\n "unit": "km"\n}'),
        ({"aliases": ["six"]}, '{\n "aliases": [\n  "six"\n ]\n}'),
        (["6", "six"], "6\nor: six"),
        ({"total": 6}, '{\n "total": 6\n}'),
        ([], "[]"),
        (6, "6"),
    ],
)
def test_a_target_is_shown_with_all_that_is_as_right(target: Any, shown: str | None) -> None:
    assert shown_reference(target) == shown
