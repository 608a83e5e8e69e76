"""Laws of reading an answer of the Responses API: whatever comes, a response or a fault."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response as SdkResponse

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Response, ToolCall, Usage
from pytest_llmeval.models.http.wire import EXCERPT_CHARS
from pytest_llmeval.models.responses.wire import read_response
from tests.models.chat.test_wire import JSON, plain
from tests.support.responses_server import answer, events, failed, function_call, incomplete, reasoning, said

STREAM = "text/event-stream; charset=utf-8"


def read(body: bytes, content_type: str = "application/json") -> Response | AttemptError:
    try:
        return read_response(body, plain, content_type=content_type)
    except AttemptError as error:
        assert str(error).isprintable() and len(str(error)) < 4 * EXCERPT_CHARS
        return error


def read_answer(whole: dict[str, Any]) -> Response:
    """Return the response in an answer that OpenAI's types know, whole and in events."""
    SdkResponse.model_validate(whole)
    found = read(json.dumps(whole).encode())
    assert isinstance(found, Response)
    assert read(b"".join(events(whole)), STREAM) == found
    return found


@given(st.binary(max_size=200), st.sampled_from(["application/json", STREAM]))
def test_any_bytes_are_a_fault(body: bytes, content_type: str) -> None:
    """Random bytes are no answer, and no other error escapes."""
    result = read(body, content_type)
    assert isinstance(result, AttemptError) and result.retryable
    assert result.kind in {ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM}


@given(st.data())
def test_any_value_anywhere_gives_a_sound_response_or_a_fault(data: st.DataObject) -> None:
    """One part of a good answer replaced by anything: what is returned keeps its types and ranges."""
    custom = {"type": "custom_tool_call", "call_id": "2", "name": "patch", "input": "+a"}
    body = answer(reasoning(), said("fine", phase="final_answer"), function_call("f", {"a": 1}), custom)
    thought, message, call = body["output"][:3]
    holders = (body, thought, message, message["content"][0], call, custom, body["usage"])
    holder, key = data.draw(st.sampled_from([(holder, key) for holder in holders for key in holder]))
    holder[key] = data.draw(JSON)
    result = read(json.dumps(body).encode())
    if isinstance(result, AttemptError):
        assert result.kind is ErrorKind.MALFORMED_RESPONSE
        return
    assert isinstance(result.text, str)
    assert result.finish_reason is None or isinstance(result.finish_reason, str)
    assert all(made.name and isinstance(made.arguments, str) for made in result.tool_calls)
    json.dumps(dict(result.extra), allow_nan=False)
    for count in (result.usage.input_tokens, result.usage.output_tokens):
        assert count is None or (type(count) is int and 0 <= count < 2**53)


@given(st.lists(st.text(st.characters()), max_size=4))
def test_texts_read_back_joined(texts: list[str]) -> None:
    """Every text, lone surrogates included, in its order."""
    result = read(json.dumps(answer(said(*texts), said(*texts))).encode())
    assert isinstance(result, Response) and result.text == "".join(2 * texts)


def test_an_answer_of_a_reasoning_model() -> None:
    """Text, calls, tokens and what goes back with the conversation; reasoning is among the tokens told already."""
    thought = [reasoning("rs_1", summary=[{"type": "summary_text", "text": "Hm."}]), reasoning("rs_2")]
    calls = [
        function_call("look", '{"city": "Rome"}'),
        {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "+a"},
    ]
    whole = answer(*thought, said("Let me look.", phase="commentary"), *calls, model="gpt-5-pro-2026")
    whole["usage"] |= {"output_tokens": 90, "output_tokens_details": {"reasoning_tokens": 64}}
    found = read_answer(whole)
    assert (found.text, found.model, found.refusal) == ("Let me look.", "gpt-5-pro-2026", None)
    assert found.tool_calls == (
        ToolCall(name="look", arguments='{"city": "Rome"}'),
        ToolCall(name="patch", arguments="+a"),
    )
    assert (found.finish_reason, found.usage) == ("tool_calls", Usage(input_tokens=7, output_tokens=90))
    assert found.extra == {"reasoning_items": thought, "phase": "commentary"}


def test_what_the_vendors_tools_found_is_cited_as_by_chat_completions() -> None:
    """What they did stands with the reasoning, in its order, as the API wants it back; but for images."""
    place = {"start_index": 0, "end_index": 5, "title": "Rome", "url": "https://rome.example.test"}
    file = {"type": "file_citation", "file_id": "file-1", "filename": "a.txt", "index": 3}
    text = {
        "type": "output_text",
        "text": "Found.",
        "annotations": [{"type": "url_citation", **place}, file],
        "logprobs": [],
    }
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": ""}}
    image = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBO"}
    thoughts = [reasoning("rs_1"), search, reasoning("rs_2")]
    found = read_answer(answer(*thoughts, image, said(text)))
    assert (found.text, found.finish_reason, found.tool_calls) == ("Found.", "stop", ())
    assert found.extra == {
        "reasoning_items": thoughts,
        "annotations": [{"type": "url_citation", "url_citation": place}, file],
    }


@pytest.mark.parametrize(
    ("phases", "told"),
    [
        ([None], {}),
        (["final_answer"], {"phase": "final_answer"}),
        (["commentary", "final_answer"], {}),
        ([[1], [1]], {"phase": [1]}),
    ],
)
def test_a_phase_is_told_where_all_that_was_said_is_of_it(phases: list[object], told: dict[str, object]) -> None:
    result = read(json.dumps(answer(*[said("x", phase=phase) for phase in phases])).encode())
    assert isinstance(result, Response) and result.extra == told


@pytest.mark.parametrize(
    ("arguments", "read_as"),
    [
        ('{"a": 1.50}', '{"a": 1.50}'),
        ("{cut of", "{cut of"),
        ("", ""),
        ({"b": 1, "a": "ü"}, '{"a":"\\u00fc","b":1}'),
        (None, "{}"),
    ],
)
def test_arguments_are_read_as_the_model_wrote_them(arguments: object, read_as: str) -> None:
    """Some servers send them as an object, which has one form only."""
    result = read(json.dumps(answer(function_call("f", arguments))).encode())
    assert isinstance(result, Response) and result.tool_calls == (ToolCall(name="f", arguments=read_as),)


@pytest.mark.parametrize(
    ("whole", "problem"),
    [
        (answer(function_call("")), "a tool call that names no function"),
        (answer(function_call("f", [1])), "a tool call whose arguments are no object"),
        (answer({"type": "custom_tool_call", "name": "f"}), "a call of a custom tool whose input is not a string"),
        (answer(output={}), "output is not a list"),
        (answer(said(content={})), "content is not a list"),
        (answer(said({"text": "x"})), "a part of content without a type"),
        (answer(said({"type": "refusal"})), "a part of type refusal whose refusal is not a string"),
        (answer("x", status="queued"), "an answer that is not complete"),
        (answer("x", error={"message": "overloaded"}), "an error under status 200"),
    ],
)
def test_what_cannot_be_read_keeps_the_tokens_that_its_server_told(whole: dict[str, Any], problem: str) -> None:
    """It is paid for by them."""
    whole["usage"] = {"input_tokens": 7, "output_tokens": 2}
    result = read(json.dumps(whole).encode())
    assert isinstance(result, AttemptError)
    assert (result.kind, result.retryable) == (ErrorKind.MALFORMED_RESPONSE, True)
    assert f"the answer is none of the Responses API: {problem}: " in str(result)
    if "error under" not in problem:
        assert result.usage == Usage(input_tokens=7, output_tokens=2)


def test_an_answer_that_a_filter_cut_is_none() -> None:
    result = read(json.dumps(incomplete("content_filter", "half an ans")).encode())
    assert isinstance(result, AttemptError)
    assert (result.kind, result.retryable) == (ErrorKind.FILTERED, False)
    assert result.usage == Usage(input_tokens=7, output_tokens=3)


FAILURES = [
    ("server_error", "An error occurred.", ErrorKind.SERVER_ERROR, Usage()),
    ("vector_store_timeout", "", ErrorKind.SERVER_ERROR, Usage()),
    ("of_tomorrow", "Hm.", ErrorKind.SERVER_ERROR, Usage()),
    ("rate_limit_exceeded", "Slow down.", ErrorKind.RATE_LIMITED, None),
    ("insufficient_quota", "You exceeded your current quota", ErrorKind.QUOTA, None),
    ("bio_policy", "No.", ErrorKind.FILTERED, None),
    ("invalid_prompt", "Your prompt was flagged as potentially violating", ErrorKind.FILTERED, None),
    ("invalid_prompt", "Your prompt is too long", ErrorKind.BAD_REQUEST, None),
    ("invalid_base64_image", "No image.", ErrorKind.BAD_REQUEST, None),
    ("image_content_policy_violation", "No.", ErrorKind.FILTERED, None),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("code", "message", "kind", "usage"), FAILURES)
def test_an_answer_that_failed_has_the_kind_of_its_error(
    code: str, message: str, kind: ErrorKind, usage: Usage | None, streamed: bool
) -> None:
    """What came of it until a server's fault may be paid for; of what was refused nothing was made."""
    whole = failed(code, message)
    body = b"".join(events(whole)) if streamed else json.dumps(whole).encode()
    result = read(body, STREAM if streamed else "")
    assert isinstance(result, AttemptError)
    assert (result.kind, result.usage) == (kind, usage)
    assert result.retryable == (kind in {ErrorKind.SERVER_ERROR, ErrorKind.RATE_LIMITED})
    assert str(result) == f"the server made no answer: {code}: {message}".strip()
    assert result.param == ("messages" if kind is ErrorKind.BAD_REQUEST else None)


@pytest.mark.parametrize("error", [None, "x", {}, {"code": 5, "message": []}])
def test_a_failure_without_a_word_is_one_of_the_server(error: object) -> None:
    result = read(json.dumps(answer(status="failed", error=error)).encode())
    assert isinstance(result, AttemptError) and result.kind is ErrorKind.SERVER_ERROR
    assert result.usage == Usage(input_tokens=7, output_tokens=0)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_stream_without_its_last_event_was_cut(kept: int) -> None:
    result = read(b"".join(events(answer("ok"))[:kept]), STREAM)
    assert isinstance(result, AttemptError) and (result.kind, result.retryable) == (ErrorKind.TRUNCATED_STREAM, True)


@pytest.mark.parametrize(
    "event",
    [
        b'event: error\ndata: {"type": "error", "code": "overloaded", "message": "busy"}\n\n',
        b'event: error\ndata: {"code": "overloaded", "message": "busy"}\n\n',
        b'data: {"error": {"message": "busy"}}\n\n',
        b"data: {\n\n",
        b"data: [1]\n\n",
    ],
)
def test_an_error_among_the_events_is_told(event: bytes) -> None:
    first, second, last = events(answer("ok"))
    result = read(first + second + event + last, STREAM)
    assert isinstance(result, AttemptError) and result.kind is ErrorKind.MALFORMED_RESPONSE


def test_a_secret_in_what_is_quoted_is_not_shown() -> None:
    """Of a body that is malformed, and of the error of an answer that failed."""
    for body in (b"CANARY", json.dumps(failed("server_error", "for CANARY")).encode()):
        with pytest.raises(AttemptError) as caught:
            read_response(body, lambda text: text.replace("CANARY", "***"))
        assert "***" in str(caught.value) and "CANARY" not in str(caught.value)
