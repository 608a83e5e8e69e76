"""Ids of tool calls: a server's own are kept and given to applications; others are made."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.calls import answered, response_of
from pytest_llmeval.core.types import Ask, CaseKey, Message, Request, Response, ToolCall
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.application.assistant_message import call_ids
from pytest_llmeval.models.chat.wire import read_completion
from pytest_llmeval.models.responses.wire import read_response
from tests.support.chat_bodies import chunks, completion

CALLS = [
    {"id": id_, "type": "function", "function": {"name": "find", "arguments": "{}"}}
    for id_ in ("functions.find:0", "b")
]


def ids(response: Response) -> list[str | None]:
    return [call.id for call in response.tool_calls]


def test_a_server_s_ids_are_kept_whatever_its_api() -> None:
    """Whole or streamed; what is not a text, or empty, is none."""
    whole = completion(None, finish="tool_calls", tool_calls=CALLS)
    assert ids(read_completion(json.dumps(whole).encode(), str)) == ["functions.find:0", "b"]
    streamed = b"".join(chunks(whole))
    assert ids(read_completion(streamed, str, content_type="text/event-stream")) == ["functions.find:0", "b"]
    blocks: list[dict[str, Any]] = [
        {"type": "tool_use", "id": id_, "name": "find", "input": {}} for id_ in ("toolu_1", "toolu_2")
    ]
    told: dict[str, Any] = {"type": "message", "role": "assistant", "content": blocks, "stop_reason": "tool_use"}
    assert ids(read_message(json.dumps(told).encode(), str)) == ["toolu_1", "toolu_2"]
    items = [{"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": "{}"}]
    said = {"object": "response", "status": "completed", "output": items}
    assert ids(read_response(json.dumps(said).encode(), str)) == ["call_1"]
    odd = completion(None, finish="tool_calls", tool_calls=[{**CALLS[0], "id": id_} for id_ in ("", None, 7)])
    assert ids(read_completion(json.dumps(odd).encode(), str)) == [None, None, None]


@pytest.mark.parametrize("id_", ["call_1", None])
def test_an_id_is_recorded_and_read_back(id_: str | None) -> None:
    """A record of one without has no key for it, as those have that were made before ids were kept."""
    ask = Ask(
        case=CaseKey(nodeid="n", suite="s", sample_id="1", model="m", epoch=1), model="m", request=Request(messages=())
    )
    call = answered(ask, Response(text="", tool_calls=(ToolCall(name="find", arguments="{}", id=id_),)), "name")
    assert call.detail["tool_calls"] == [{**({"id": id_} if id_ else {}), "name": "find", "arguments": "{}"}]
    assert ids(response_of(call)) == [id_]


def test_two_calls_are_the_same_whatever_their_ids() -> None:
    """A server draws them anew each time."""
    assert ToolCall(name="find", arguments="{}", id="a") == ToolCall(name="find", arguments="{}", id="b")


ID = st.sampled_from([None, "", "a", "b", "c"])
TOLD = st.lists(ID, max_size=3).map(
    lambda found: {"role": "assistant", "content": None, "tool_calls": [{"id": id_} for id_ in found]}
)


@given(st.lists(TOLD, max_size=2), st.lists(ID, max_size=4))
def test_each_call_has_an_id_of_its_own_in_its_conversation(chat: list[Any], given_ids: list[str | None]) -> None:
    """The server's where nothing else has it; the same each time, and of nine letters and digits where it is made."""
    messages: list[Message] = [{"role": "user", "content": "hi"}, *chat]
    calls = [ToolCall(name="find", arguments="{}", id=id_) for id_ in given_ids]
    found = call_ids(messages, calls)
    earlier = {call["id"] for message in chat for call in message["tool_calls"]}
    assert len({*found}) == len(found) == len(calls)
    assert earlier.isdisjoint(found)
    assert found == call_ids(messages, calls)
    for own, told in zip(given_ids, found, strict=True):
        is_free = bool(own) and given_ids.count(own) == 1 and own not in earlier
        assert told == own if is_free else len(told) == 9 and told.isalnum()
