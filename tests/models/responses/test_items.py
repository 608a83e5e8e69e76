"""A chat, as a model is sent it by the Responses API; what comes out is held against the types of OpenAI's SDK."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import ResponseInputItemParam
from pydantic import TypeAdapter

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.responses.items import input_items
from tests.models.chat.test_wire import JSON
from tests.support.responses_server import reasoning

SDK: TypeAdapter[Any] = TypeAdapter(list[ResponseInputItemParam])
ASKED = {"role": "user", "content": "How warm is it in Rome?"}
SAID = {"type": "message", **ASKED}


def items(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a chat, which OpenAI's types know."""
    told = input_items(cast("tuple[Message, ...]", messages))
    SDK.validate_python(told)
    return told


def function(id_: str, arguments: object, **call: object) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "warmth", "arguments": arguments}, **call}


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_a_text_goes_out_as_it_is(role: str) -> None:
    message = {"role": role, "content": "Hi"}
    assert items(message) == [{"type": "message", **message}]


def test_parts_of_a_content_are_told_in_the_words_of_the_api() -> None:
    """Texts, images and files; what is in the words of the API already goes out as it is."""
    own = {"type": "input_image", "file_id": "file-1", "detail": "high"}
    parts = [
        {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}},
        {"type": "image_url", "image_url": "https://example.test/b.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        own,
    ]
    (item,) = items({"role": "user", "content": parts})
    assert item["content"] == [
        {"type": "input_text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        {"type": "input_image", "image_url": "https://example.test/a.png", "detail": "auto"},
        {"type": "input_image", "image_url": "https://example.test/b.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        own,
    ]


def test_a_sound_is_the_same_in_both() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    (item,) = input_items([{"role": "user", "content": [part]}])
    assert item["content"] == [part]


def test_calls_and_results_of_tools_are_items_of_their_own() -> None:
    """Behind what was said; those of custom tools have types of their own. Some servers leave empty what has none."""
    custom = {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "+a"}}
    calls = [function("a", '{"city": "Rome"}'), function("b", ""), custom, function("d", {"city": "Oslo"})]
    chat: list[dict[str, Any]] = [
        ASKED,
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "20"},
        {"role": "tool", "tool_call_id": "b", "content": None},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "done"}]},
    ]
    assert items(*chat) == [
        SAID,
        {"type": "message", "role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "a", "name": "warmth", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "b", "name": "warmth", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "+a"},
        {"type": "function_call", "call_id": "d", "name": "warmth", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call_output", "call_id": "a", "output": "20"},
        {"type": "function_call_output", "call_id": "b", "output": ""},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "done"}]},
    ]


@pytest.mark.parametrize("content", [None, "", []])
def test_one_that_calls_and_says_nothing_is_no_message(content: object) -> None:
    calling = {"role": "assistant", "content": content, "tool_calls": [function("a", "{}")]}
    assert [item["type"] for item in items(calling)] == ["function_call"]


@pytest.mark.parametrize(("content", "calls"), [("Warm.", ()), (None, (function("a", "{}"),))])
def test_reasoning_goes_back_before_what_it_led_to(content: str | None, calls: tuple[dict[str, Any], ...]) -> None:
    """As the server said it, whatever it holds."""
    thought = [reasoning("rs_1"), reasoning("rs_2", content=[{"type": "reasoning_text", "text": "Hm."}])]
    message = {"role": "assistant", "content": content, "tool_calls": list(calls), "reasoning_items": thought}
    first, second, *others = items(ASKED, message)[1:]
    assert [first, second] == thought
    assert [item["type"] for item in others] == ["function_call" if calls else "message"]


def test_an_answer_of_reasoning_alone_is_followed_by_an_empty_message() -> None:
    """The API refuses reasoning that leads to nothing."""
    told = items({"role": "assistant", "content": "", "reasoning_items": [reasoning()]}, ASKED)
    assert told == [reasoning(), {"type": "message", "role": "assistant", "content": ""}, SAID]


def test_what_a_message_of_openai_does_not_say_is_left_out() -> None:
    """An application goes on with a dump of the last one, which has a key for whatever it could have said."""
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 4, "title": "t", "url": "u"}}
    kept = {"reasoning_items": [reasoning()], "phase": "final_answer", "annotations": [cited]}
    said = ChatCompletionMessage.model_validate({"role": "assistant", "content": "Warm.", **kept}).model_dump()
    assert said["refusal"] is None and said["annotations"] == [cited]
    message = {"type": "message", "role": "assistant", "content": "Warm.", "phase": "final_answer"}
    assert items(said) == [reasoning(), message]


@pytest.mark.parametrize("content", [None, "Well.", [{"type": "text", "text": "Well."}]])
def test_a_refusal_is_a_part_of_what_was_said(content: object) -> None:
    """SDK types want ids of such messages, which the API does not: nothing of it is kept there."""
    (item,) = input_items([cast(Message, {"role": "assistant", "content": content, "refusal": "No."})])
    said = [{"type": "output_text", "text": "Well."}] if content else []
    assert (item["type"], item["role"]) == ("message", "assistant")
    assert item["content"] == [*said, {"type": "refusal", "refusal": "No."}]


def test_what_is_in_the_words_of_the_api_goes_out_as_it_is() -> None:
    own = [
        {"type": "function_call", "call_id": "a", "name": "warmth", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "20"},
    ]
    assert items(ASKED, *own) == [SAID, *own]
    assert items({"role": "assistant", "content": None, "tool_calls": own[:1]}) == own[:1]


@given(st.data())
def test_any_chat_is_told_or_refused(data: st.DataObject) -> None:
    """Tests pass what they like; the server says what is wrong with it, unless JSON cannot hold it."""
    call = st.fixed_dictionaries(
        {"id": st.sampled_from(["a", "b"])},
        optional={"type": st.sampled_from(["function", "custom", "x"]) | JSON, "function": JSON, "custom": JSON},
    )
    part = st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "image_url", "file", "refusal"]) | JSON},
        optional={"text": JSON, "image_url": JSON, "file": JSON},
    )
    message = st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "assistant", "tool", "system"]),
            "content": JSON | st.lists(part, max_size=2),
            "tool_calls": JSON | st.lists(call, max_size=2),
            "tool_call_id": st.sampled_from(["a", "b"]) | JSON,
            "reasoning_items": JSON,
            "refusal": JSON,
            "call_id": JSON,
        },
    )
    chat: Any = data.draw(st.lists(message, max_size=4))
    try:
        told = input_items(chat)
    except ValueError as error:  # of arguments
        assert "not JSON compliant" in str(error)
        return
    json.dumps(told)
