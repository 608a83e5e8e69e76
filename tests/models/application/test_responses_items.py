"""Calls of the Responses API, told as a chat has them."""

from typing import Any

import pytest

from pytest_llmeval.core.errors import CaseError
from pytest_llmeval.models.application.responses_items import chat_messages

CALLS: list[dict[str, Any]] = [
    {"type": "function_call", "call_id": "a", "name": "warmth", "arguments": "{}"},
    {"type": "custom_tool_call", "call_id": "b", "name": "note", "input": "x"},
    {"type": "function_call_output", "call_id": "a", "output": "20"},
    {"type": "custom_tool_call_output", "call_id": "b", "output": "20"},
]


@pytest.mark.parametrize("item", CALLS, ids=lambda item: item["type"])
def test_what_says_nothing_is_left_out_and_what_else_a_call_says_is_refused(item: dict[str, Any]) -> None:
    told = chat_messages([item], lambda _: False)
    idle = {"async": False, "caller": {"type": "direct"}, "namespace": None, "id": "x", "status": "completed"}
    assert chat_messages([{**item, **idle}], lambda _: False) == told
    for key, value in (("async", True), ("caller", {"type": "program", "caller_id": "p"}), ("namespace", "n")):
        with pytest.raises(CaseError, match=f"{key}=.* of an item of type '{item['type']}'"):
            chat_messages([{**item, key: value}], lambda _: False)
