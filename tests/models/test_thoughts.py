"""What the message of an answer holds beside text and tool calls, kept as it came: a conversation must send it back."""

import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.types import Message, Request, Response, ToolCall
from pytest_llmeval.models.anthropic.messages import translated_messages
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.chat.wire import read_completion
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from tests.support.anthropic_server import AnthropicServer, message
from tests.support.asking import FAST
from tests.support.chat_bodies import completion, event
from tests.support.fault_server import FaultServer

THOUGHT = {"type": "thinking", "thinking": "20, I think.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "aGlkZGVu"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(*messages: dict[str, Any]) -> Response:
    """Return the answer that is one message, or a stream of its pieces."""
    if len(messages) == 1:
        return read_completion(json.dumps(completion("Warm.") | {"choices": [{"message": messages[0]}]}).encode(), str)
    pieces = [{"choices": [{"delta": piece}]} for piece in messages] + [{"choices": [{"finish_reason": "stop"}]}]
    body = b"".join(event(json.dumps(piece).encode()) for piece in pieces)
    return read_completion(body, str, content_type="text/event-stream")


def said(**keys: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "Warm.", **keys}


def test_what_a_response_has_no_field_for_is_kept() -> None:
    """What says nothing is left out, but for an empty thought: DeepSeek refuses the next request without it."""
    sources = [{"type": "url_citation", "url_citation": {"url": "https://example.com"}}]
    kept = {"reasoning_content": "", "annotations": sources, "provider": {"id": 7}}
    assert read(said(**kept, reasoning=None, images=[], refusal=None, audio={"transcript": "x"})).extra == kept
    assert read(said(annotations=[], tool_calls=None)).extra == {}


def test_what_a_tool_call_holds_besides_stands_at_its_place() -> None:
    """As a signature of Gemini does, which only the first of parallel calls has."""
    signature = {"google": {"thought_signature": "c2ln"}}
    function = {"name": "warmth", "arguments": "{}"}
    calls = [{"id": "1", "type": "function", "function": function, "extra_content": signature}]
    calls.append({"id": "2", "type": "function", "function": function})
    for pieces in ([said(tool_calls=calls)], [said(), *({"tool_calls": [call]} for call in calls)]):
        response = read(*pieces)
        assert response.tool_calls == (ToolCall(name="warmth", arguments="{}"),) * 2
        assert response.extra == {"tool_calls": [{"extra_content": signature}, {}]}


def test_thoughts_among_the_parts_of_a_content_are_no_text() -> None:
    """So Mistral's thinking models answer. Parts without a thought are none of chat completions."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = [thought, {"type": "text", "text": "Warm"}, {"type": "reference", "reference_ids": [1]}]
    response = read(said(content=[*parts, {"type": "text", "text": "."}]))
    assert response.text == "Warm." and response.extra == {"content": [*parts, {"type": "text", "text": "."}]}
    for content in ([thought], [{"type": "text", "text": "Warm."}], ["Warm."], []):
        with pytest.raises(AttemptError, match="content is list, not a string"):
            read(said(content=content))
    cut = {"choices": [{"message": said(content=[thought]), "finish_reason": "length"}]}
    assert read_completion(json.dumps(completion("") | cut).encode(), str).text == ""


def test_thoughts_of_a_stream_are_put_together() -> None:
    """Texts in one, and so the parts that have one index; what is neither text nor list is the last of it."""
    detail = {"type": "reasoning.text", "index": 0}
    response = read(
        said(reasoning_content="I ", reasoning_details=[{**detail, "text": "I ", "signature": None}], step=1),
        {"reasoning_content": "think.", "reasoning_details": [{**detail, "text": "think.", "signature": "c2ln"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 0, "data": "aGk="}, {"id": 1}, {"id": 1}]},
        {"reasoning_details": None, "step": 2},
    )
    assert response.text == "Warm." and response.extra == {
        "reasoning_content": "I think.",
        "reasoning_details": [
            {**detail, "text": "I think.", "signature": "c2ln"},
            {"type": "reasoning.encrypted", "index": 0, "data": "aGk="},
            {"id": 1},
            {"id": 1},
        ],
        "step": 2,
    }


@given(st.lists(st.dictionaries(st.text(max_size=4) | st.sampled_from(["tool_calls", "content"]), JSON), min_size=1))
def test_anything_beside_the_text_is_json_that_can_be_stored_or_a_fault(pieces: list[dict[str, Any]]) -> None:
    """NaN and numbers of any size too, of a message and of a stream's pieces."""
    try:
        response = read(*pieces)
    except AttemptError:
        return
    assert json.loads(json.dumps(response.extra, allow_nan=False)) == response.extra


def test_thoughts_of_anthropic_are_kept_and_told_back_before_what_was_said() -> None:
    """Unchanged and in their order, as the API demands of an assistant that called tools."""
    tool = {"type": "tool_use", "id": "t1", "name": "warmth", "input": {}}
    body = message(THOUGHT, HIDDEN, "Let me look.", tool, stop="tool_use")
    response = read_message(json.dumps(body).encode(), str)
    assert response.text == "Let me look." and response.extra == {"thinking_blocks": [THOUGHT, HIDDEN]}
    call = {"id": "t1", "type": "function", "function": {"name": "warmth", "arguments": "{}"}}
    asked = {"role": "user", "content": "How warm is it?"}
    with AnthropicServer() as server:
        server.reply = lambda messages: message("Warm.")
        for says in (
            {"content": "Let me look.", "tool_calls": [call], **response.extra},
            {"content": None, "tool_calls": [call], **response.extra},
            {"content": "Let me look.", **response.extra},
        ):
            answer(server, asked, {"role": "assistant", **says}, asked)
        told = [entry.body["messages"][1] for entry in server.ledger]
    text = {"type": "text", "text": "Let me look."}
    contents = [[THOUGHT, HIDDEN, text, tool], [THOUGHT, HIDDEN, tool], [THOUGHT, HIDDEN, text]]
    assert told == [{"role": "assistant", "content": content} for content in contents]


SAID = {"type": "text", "text": "Warm."}
CALLED = [{"type": "tool_use", "id": f"t{number}", "name": "warmth", "input": {}} for number in (1, 2)]


@pytest.mark.parametrize(
    "content",
    [
        [THOUGHT, CALLED[0], HIDDEN, CALLED[1]],
        [CALLED[0], THOUGHT],
        [THOUGHT, SAID, HIDDEN, CALLED[0]],
        [CALLED[0], SAID],
        [THOUGHT, SAID, *CALLED],
    ],
)
def test_thoughts_of_anthropic_are_told_back_at_their_places(content: list[dict[str, Any]]) -> None:
    """Its models think between their calls, too, and what they thought is signed where it stands."""
    response = read_message(json.dumps(message(*content, stop="tool_use")).encode(), str)
    function = {"name": "warmth", "arguments": "{}"}
    calls = [{"id": call.id, "type": "function", "function": function} for call in response.tool_calls]
    said = {"role": "assistant", "content": response.text or None, "tool_calls": calls, **response.extra}
    assert translated_messages([cast("Message", said)]) == [{"role": "assistant", "content": content}]


def test_a_key_that_a_thought_repeats_is_kept_secret() -> None:
    key = "sk-CANARY-0123456789"
    with FaultServer() as server:
        server.reply = lambda messages: completion("ok", reasoning_content=f"{key}?", steps=[{"of": [key]}])
        extra = answer(server, {"role": "user", "content": "x"}, environ={"LLMEVAL_API_KEY": key}).extra
    assert key not in json.dumps(extra) and extra["reasoning_content"].endswith("?") and len(extra["steps"]) == 1


def answer(server: FaultServer, *messages: Any, environ: dict[str, str] | None = None) -> Response:
    backend = open_model(resolve_model(server.spec("echo"), {}), environ=environ or {}, policy=FAST)

    async def call() -> Response:
        try:
            return await backend.complete(Request(messages=messages))
        finally:
            await backend.aclose()

    return asyncio.run(call())
