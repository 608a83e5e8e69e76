"""Requests of the Responses API, told as chat completions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.types import Response, ToolCall
from pytest_llmeval.models.application.assistant_message import assistant_message, call_ids
from pytest_llmeval.models.application.responses_answer import response_object
from pytest_llmeval.models.application.responses_events import events
from pytest_llmeval.models.application.responses_request import Answered, read_request

FUNCTION = {"type": "function", "name": "find", "description": None, "parameters": {"type": "object"}, "strict": False}
TOOLS = {"tools": [{**FUNCTION, "allowed_callers": ["direct"], "output_schema": {"type": "string"}}]}
SENT = {
    "tools": [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}, "strict": False}}]
}
SCHEMA = {"name": "place", "schema": {"type": "object"}, "strict": True}
PARAMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    ({"temperature": 0, "top_p": 1, "seed": 7, "user": "me"}, {"temperature": 0, "top_p": 1, "seed": 7, "user": "me"}),
    ({"temperature": None, "reasoning": None, "tools": None, "prompt": None, "truncation": None}, {}),
    ({"store": True, "include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}, "max_tool_calls": 1}, {}),
    ({"background": False, "truncation": "disabled", "stream": True, "stream_options": {}, "model": "x"}, {}),
    ({"reasoning": {"effort": "low", "summary": "auto", "context": "auto"}}, {"reasoning_effort": "low"}),
    ({"reasoning": {"generate_summary": "auto", "mode": "standard"}}, {}),
    ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
    ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
    (
        {"text": {"format": {"type": "json_schema", "description": None, **SCHEMA}}},
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    ),
    ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ({"top_logprobs": 0}, {}),
    ({"prompt_cache_options": {"mode": "explicit", "prewarm": False}}, {"prompt_cache_options": {"mode": "explicit"}}),
    ({"prompt_cache_options": {"comparison_response_id": "resp_1"}}, {}),
    (TOOLS, SENT),
    ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}),
    ({"tool_choice": "required"}, {"tool_choice": "required"}),
    (
        {**TOOLS, "tool_choice": "none", "parallel_tool_calls": False},
        {"tool_choice": "none", "parallel_tool_calls": False},
    ),
    (
        {**TOOLS, "tool_choice": {"type": "function", "name": "find"}},
        {"tool_choice": {"type": "function", "function": {"name": "find"}}},
    ),
    (
        {**TOOLS, "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "a"}]}},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "a"}}]},
            }
        },
    ),
    (
        {"tools": [{"type": "custom", "name": "note", "format": {"type": "text"}}]},
        {"tools": [{"type": "custom", "custom": {"name": "note", "format": {"type": "text"}}}]},
    ),
]


@pytest.mark.parametrize(("asked", "sent"), PARAMS, ids=[", ".join(asked) for asked, _ in PARAMS])
def test_parameters_are_those_of_a_chat_completion(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """What it has in other words, or as it is; what changes no answer is left out, and so is what says nothing."""
    expected = {**SENT, **sent} if asked.get("tools") == TOOLS["tools"] else sent
    assert read_request({"input": "hello", **asked}, Answered()).params == expected


def told(*items: Any, **asked: Any) -> list[Any]:
    """Return the messages for items."""
    return list(read_request({"input": list(items), **asked}, Answered()).messages)


def test_parts_are_those_of_a_chat_message() -> None:
    """A text alone is the content itself, as each server knows that."""
    marked = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    parts = [
        {"type": "input_text", "text": "See:", **marked},
        {"type": "input_image", "image_url": "data:x", "detail": "low"},
        {"type": "input_image", "image_url": "data:y", "detail": None},
        {"type": "input_file", "file_data": "data:z", "filename": "a.pdf", "detail": "auto"},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}},
    ]
    (message,) = told({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "text", "text": "See:", **marked},
        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:y"}},
        {"type": "file", "file": {"file_data": "data:z", "filename": "a.pdf"}},
        parts[-1],
    ]
    text = {"type": "input_text", "text": "Hi."}
    (message,) = told({"type": "message", "role": "developer", "content": [text]})
    assert message == {"role": "developer", "content": "Hi."}
    result = {"type": "function_call_output", "call_id": "1", "output": [text, text]}
    (message,) = told(result)
    assert message == {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "Hi."}] * 2}
    assert told({**result, "output": []})[0]["content"] == ""


def said(*texts: str, **more: Any) -> dict[str, Any]:
    """Return an item that an assistant says."""
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "role": "assistant", "content": parts, **more}


def test_what_an_assistant_says_in_one_turn_is_one_message() -> None:
    """Nothing comes between calls and their results; two turns that follow each other stay two."""
    call = {"type": "function_call", "call_id": "1", "name": "find", "arguments": "{}"}
    native = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    other = {**native, "id": "rs_2"}
    asked = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    (message,) = told(native, said("One", " two."), call, other, said("Three."))
    texts = [{"type": "text", "text": text} for text in ("One two.", "Three.")]
    assert message == {"role": "assistant", "content": texts, "tool_calls": [asked], "reasoning_items": [native, other]}
    (message,) = told(call, {"role": "assistant", "content": "Late."})
    assert (message["content"], message["tool_calls"]) == ("Late.", [asked])
    first, second = told(said("One."), native, said("Two."))
    assert (first["content"], second["content"], second["reasoning_items"]) == ("One.", "Two.", [native])
    refused = said(content=[{"type": "refusal", "refusal": "No."}])
    assert told(refused) == [{"role": "assistant", "content": None, "refusal": "No."}]
    assert told(native)[0] == {"role": "assistant", "content": "", "reasoning_items": [native]}
    assert told(said(), instructions="Be brief.")[0] == {"role": "system", "content": "Be brief."}


def test_thoughts_that_came_back_without_what_they_hold_are_known_by_their_id() -> None:
    """As of an application that keeps ids and summaries alone."""
    answered, extra = Answered(), {"reasoning_content": "Hm."}
    asked = read_request({"input": "hello"}, answered)
    whole = response_object(asked, Response(text="Hi.", extra=extra), "m")
    answered.keep(whole["id"], asked.items, whole["output"])
    bare = {"type": "reasoning", "id": whole["output"][0]["id"], "summary": []}
    again = read_request({"input": [{"role": "user", "content": "hello"}, bare, whole["output"][1]]}, answered)
    assert again.messages[1] == {"role": "assistant", "content": "Hi.", **extra}
    unknown = read_request({"input": [{**bare, "id": "rs_other"}]}, answered).messages
    assert unknown == [{"role": "assistant", "content": "", "reasoning_items": [{**bare, "id": "rs_other"}]}]


def test_items_of_a_server_go_into_the_stream_as_they_are() -> None:
    """Whatever parts they have."""
    item = {"id": "rs_1", "type": "reasoning", "content": [{"type": "picture"}]}
    told = [(event["type"], event.get("item")) for event in events({"status": "completed", "output": [item]})]
    assert told[2:4] == [
        ("response.output_item.added", {**item, "content": []}),
        ("response.output_item.done", item),
    ]
    assert [kind for kind, _ in told[4:]] == ["response.completed"]


TEXT = st.text(st.characters(), max_size=8)
SIGNED = st.fixed_dictionaries({}, optional={"extra_content": st.dictionaries(TEXT, TEXT, max_size=2)})
NATIVE = st.fixed_dictionaries({"type": st.just("reasoning"), "id": TEXT, "encrypted_content": TEXT.map("x".__add__)})
EXTRA = {
    "reasoning_content": TEXT,
    "reasoning": TEXT,
    "annotations": st.lists(st.integers(), max_size=2),
    "thinking_blocks": st.lists(st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT}), max_size=2),
    "reasoning_items": st.lists(NATIVE, min_size=1, max_size=2),
    "content": st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), min_size=1, max_size=2),
}


@st.composite
def answers(draw: st.DrawFn) -> Response:
    """Return what a model may say."""
    call = st.builds(
        ToolCall, name=st.sampled_from(["find", "note"]), arguments=TEXT, id=st.sampled_from([None, *"abc"])
    )
    calls = draw(st.lists(call, max_size=3))
    extra = draw(st.fixed_dictionaries({}, optional=EXTRA))
    besides = draw(st.lists(SIGNED, min_size=len(calls), max_size=len(calls)))
    if any(besides):
        extra["tool_calls"] = besides
    refusal = draw(st.none() | TEXT.map("No: ".__add__))
    return Response(text=draw(TEXT), tool_calls=tuple(calls), refusal=refusal, extra=extra)


@given(st.lists(st.tuples(TEXT, answers()), max_size=4))
def test_a_conversation_of_items_is_the_same_chat(turns: list[tuple[str, Response]]) -> None:
    """Whether they are passed again, or known by the id of the response: it is what the chat client makes of it.

    The answer to the same is the same, in its ids, too.
    """
    answered, previous = Answered(), None
    items: list[Any] = []
    new: list[Any] = []
    chat: list[Any] = []
    tools = [FUNCTION, {"type": "custom", "name": "note"}]
    for text, response in turns:
        new.append({"role": "user", "content": text})
        chat.append(new[-1])
        asked = read_request({"input": [*items, *new], "tools": tools}, answered)
        short = read_request({"input": new, "tools": tools, "previous_response_id": previous}, answered)
        assert asked.messages == short.messages == chat
        whole = json.loads(json.dumps(response_object(asked, response, "m")))
        assert whole["output"] == response_object(short, response, "m")["output"]
        previous = whole["id"]
        answered.keep(previous, asked.items, whole["output"])
        items += [*new, *whole["output"]]
        ids = call_ids(chat, response.tool_calls)
        assert len({*ids}) == len(ids)
        new = [{"type": "function_call_output", "call_id": id_, "output": text} for id_ in ids]
        calls = [_call(id_, call) for id_, call in zip(ids, response.tool_calls, strict=True)]
        chat.append(assistant_message(response.text, refusal=response.refusal, calls=calls, extra=response.extra))
        chat += [{"role": "tool", "tool_call_id": id_, "content": text} for id_ in ids]


def _call(id_: str, call: ToolCall) -> dict[str, Any]:
    if call.name == "note":
        return {"id": id_, "type": "custom", "custom": {"name": "note", "input": call.arguments}}
    return {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
