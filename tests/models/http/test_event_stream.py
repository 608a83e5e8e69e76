"""Streamed answers: whole ones read as unstreamed ones do, and no piece of an answer passes for a whole."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Response, ToolCall, Usage
from pytest_llmeval.models.chat.wire import read_completion
from pytest_llmeval.models.http.event_stream import has_ended
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import parse_spec
from tests.support.asking import Ask, Fail
from tests.support.chat_bodies import chunks, completion, event
from tests.support.fault_server import FaultServer

SSE = "text/event-stream; charset=utf-8"


def read(body: bytes, content_type: str = SSE) -> Response:
    return read_completion(body, str, content_type=content_type)


def stream(*pieces: dict[str, Any]) -> bytes:
    """Return events with a choice each."""
    return b"".join(event(json.dumps({"choices": [{"index": 0, **piece}]}).encode()) for piece in pieces)


def test_a_stream_nobody_asked_for_is_read(server: FaultServer, ask: Ask) -> None:
    """The Content-Type decides."""
    response = ask(server.spec("fault-sse-ok"), "two words")
    assert (response.text, response.finish_reason, response.model) == ("two words", "stop", "fault-sse-ok")
    assert (response.usage, response.attempts) == (Usage(input_tokens=7, output_tokens=2), 1)
    assert response.system_fingerprint == "fp_test"


def test_a_stream_can_be_asked_for(server: FaultServer, ask: Ask) -> None:
    """By the model's parameters, for servers that serve nothing else."""
    params = {"stream": True, "stream_options": {"include_usage": True}}
    model = NamedModel(name="m", spec=parse_spec(server.spec("echo")), params=params)
    assert ask(model, " two\n words ").text == " two\n words "
    assert server.ledger[0].body["stream"] is True and server.ledger[0].body["stream_options"]["include_usage"]


@pytest.mark.parametrize(
    ("fault", "kind", "requests"),
    [
        ("cut", ErrorKind.CONNECTION, 6),
        ("nodone", ErrorKind.TRUNCATED_STREAM, 2),
        ("bad", ErrorKind.MALFORMED_RESPONSE, 2),
        ("errmid", ErrorKind.MALFORMED_RESPONSE, 2),
    ],
)
def test_a_broken_stream_is_an_error(
    server: FaultServer, fail: Fail, fault: str, kind: ErrorKind, requests: int
) -> None:
    """Never the words that came before it broke."""
    error = fail(server.spec(f"fault-sse-{fault}"))
    assert (error.kind, error.attempts, len(server.ledger)) == (kind, requests, requests)
    assert str(error).isprintable()
    assert fault != "errmid" or "an error under status 200: " in str(error) and "model overloaded" in str(error)


def test_a_whole_stream_in_a_body_without_its_end_is_an_answer(server: FaultServer, ask: Ask) -> None:
    """It is paid for; some servers and proxies close the connection in place of the last, empty chunk."""
    response = ask(server.spec("fault-sse-noend"), "two words")
    assert (response.text, response.finish_reason, response.attempts) == ("two words", "stop", 1)
    assert response.usage == Usage(input_tokens=7, output_tokens=2)


@given(st.text(st.characters()), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.floats(0, 1))
def test_a_stream_has_ended_with_its_last_event(text: str, newline: bytes, share: float) -> None:
    """Whatever it says before."""
    body = b"".join(chunks(completion(text))).replace(b"\n", newline)
    end = body.rindex(b"[DONE]") + len(b"[DONE]")
    length = round(share * len(body))
    assert has_ended(body[:length]) == (length >= end)
    assert has_ended(body[:end]) and not has_ended(body[: end - 1])


def test_a_stream_that_stalls_ends_with_the_calls_time(server: FaultServer, fail: Fail) -> None:
    error = fail(server.spec("fault-sse-stall"), policy=RetryPolicy(timeout_s=0.5))
    assert (error.kind, error.attempts) == (ErrorKind.TIMEOUT, 1)


@pytest.mark.parametrize("fault", ["cut", "nodone", "bad", "errmid"])
def test_a_stream_that_breaks_once_is_asked_again(server: FaultServer, ask: Ask, fault: str) -> None:
    assert (response := ask(server.spec(f"fault-sse-{fault}-1"), "fine")).text == "fine" and response.attempts == 2


@given(st.text(st.characters()), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans())
def test_a_streamed_answer_is_the_unstreamed_one(text: str, newline: bytes, with_comments: bool) -> None:
    """Whatever the text, the line ends, the byte order mark and the comments of a proxy that keeps a line open."""
    whole = completion(text)
    body = b"".join(chunks(whole)).replace(b"\n", newline)
    if with_comments:
        body = b"\xef\xbb\xbf: ping" + newline * 2 + b"retry: 10" + newline + b"id" + newline + body
    assert read(body) == read(json.dumps(whole).encode(), "application/json")


@given(st.integers(0, 400))
def test_a_beginning_is_never_an_answer(length: int) -> None:
    """Cut anywhere before its finish_reason, a stream is truncated."""
    body = b"".join(chunks(completion("one two three")))
    beginning = body[: min(length, body.index(b'"stop"'))]
    with pytest.raises(AttemptError) as caught:
        read(beginning)
    assert caught.value.kind is ErrorKind.TRUNCATED_STREAM


@given(st.binary(max_size=200) | st.binary(max_size=200).map(event))
def test_any_bytes_are_a_fault(body: bytes) -> None:
    with pytest.raises(AttemptError) as caught:
        read(body)
    assert caught.value.kind in {ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(["choices", "usage", "model", "delta", "content", "tool_calls", "finish_reason", "index"]), JSON)
def test_any_value_anywhere_gives_a_sound_response_or_a_fault(key: str, value: object) -> None:
    """One part of a good event replaced by anything."""
    chunk: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    holder = chunk["choices"][0]["delta"] if key in {"content", "tool_calls"} else chunk["choices"][0]
    (chunk if key in {"choices", "usage", "model"} else holder)[key] = value
    try:
        response = read(event(json.dumps(chunk).encode()))
    except AttemptError as error:
        assert error.kind in {ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM, ErrorKind.FILTERED}
    else:
        assert isinstance(response.text, str)
        assert response.finish_reason is None or isinstance(response.finish_reason, str)


def test_the_end_is_what_the_finish_reason_says() -> None:
    """``[DONE]`` alone ends nothing, and an answer that ended needs none."""
    words: dict[str, Any] = {"delta": {"content": "ok"}}
    end: dict[str, Any] = {"delta": {}, "finish_reason": "length"}
    assert read(stream(words, end)).finish_reason == "length"
    with pytest.raises(AttemptError, match="without a finish_reason"):
        read(stream(words) + event(b"[DONE]"))


def test_only_the_first_choice_is_read() -> None:
    """Choices of a request for several come interleaved."""
    second: dict[str, Any] = {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}
    pieces = [{"delta": {"content": "a"}}, second, {"delta": {"content": "c"}, "finish_reason": "stop"}]
    assert read(stream(*pieces)).text == "ac"


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([{"delta": {"content": 3}, "finish_reason": "stop"}], "content is int"),
        ([{"delta": {"tool_calls": [{}]}, "finish_reason": "tool_calls"}], "a tool call that names no function"),
        ([{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": 3}}]}, "finish_reason": "x"}], "arguments"),
        ([{"delta": {}, "finish_reason": "stop"}], "content is null"),
    ],
)
def test_what_is_no_answer_unstreamed_is_none_streamed(pieces: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(AttemptError, match=problem):
        read(stream(*pieces))


def piece(index: object = ..., **function: object) -> dict[str, Any]:
    """Return an event's choice with a piece of a tool call."""
    return {"delta": {"tool_calls": [{**({} if index is ... else {"index": index}), "function": function}]}}


@pytest.mark.parametrize("indexes", [(0, 1), (1, 7), (..., ...)], ids=["from 0", "with gaps", "without"])
def test_tool_calls_are_joined_by_their_index(indexes: tuple[object, object]) -> None:
    """Where a server sends none, a name begins a call."""
    first, second = indexes
    pieces = [
        piece(first, name="look", arguments=""),
        *(piece(first, arguments=bit) for bit in ('{"city": ', '"Bonn"}')),
        *(piece(second, name="add", arguments='{"a"'), piece(second, arguments=": 1}")),
        {"delta": {}, "finish_reason": "tool_calls"},
    ]
    response = read(stream(*pieces))
    assert response.tool_calls == (
        ToolCall(name="look", arguments='{"city": "Bonn"}'),
        ToolCall(name="add", arguments='{"a": 1}'),
    )
    assert (response.text, response.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize("later", [(None, None), ("1", "2"), ("3", "4")], ids=["no id", "its id", "another id"])
def test_parallel_calls_under_one_index_are_told_apart_by_their_ids(later: tuple[str | None, str | None]) -> None:
    """Some servers number them all 0, and some draw a new id for each piece of one call."""

    def part(call_id: str | None, **function: object) -> dict[str, Any]:
        return {"delta": {"tool_calls": [{"index": 0, "id": call_id, "function": function}]}}

    pieces = [
        *(part("1", name="look", arguments=""), part(later[0], arguments='{"city": "Bonn"}')),
        *(part("2", name="look", arguments='{"city"'), part(later[1], arguments=': "Rome"}')),
        {"delta": {}, "finish_reason": "tool_calls"},
    ]
    assert [call.arguments for call in read(stream(*pieces)).tool_calls] == ['{"city": "Bonn"}', '{"city": "Rome"}']


def test_a_call_whose_name_comes_in_each_piece_is_one() -> None:
    pieces = [piece(0, name="look", arguments=bit) for bit in ('{"a"', ": 1}")]
    (call,) = read(stream(*pieces, {"delta": {}, "finish_reason": "tool_calls"})).tool_calls
    assert call == ToolCall(name="look", arguments='{"a": 1}')


def test_refusals_and_filters() -> None:
    """A refusal is joined as the text is; a filter ends the answer."""
    refusal: list[dict[str, Any]] = [
        {"delta": {"refusal": "I can"}},
        {"delta": {"refusal": "not."}, "finish_reason": "stop"},
    ]
    assert (read(stream(*refusal)).refusal, read(stream(*refusal)).text) == ("I cannot.", "")
    with pytest.raises(AttemptError) as caught:
        read(stream({"delta": {"content": "half"}, "finish_reason": "content_filter"}))
    assert caught.value.kind is ErrorKind.FILTERED


@pytest.mark.parametrize(
    ("delta", "read_back"),
    [
        (lambda bit: {"content": bit}, lambda response: response.text),
        (lambda bit: {"refusal": bit}, lambda response: response.refusal),
        (lambda bit: {"audio": {"transcript": bit}}, lambda response: response.text),
        (lambda bit: piece(0, name="f", arguments=bit)["delta"], lambda response: response.tool_calls[0].arguments),
        (lambda bit: {"function_call": {"name": "f", "arguments": bit}}, lambda got: got.tool_calls[0].arguments),
    ],
    ids=["text", "refusal", "transcript", "arguments", "function_call"],
)
def test_a_character_cut_in_two_by_chunks_is_whole(
    delta: Callable[[str], dict[str, Any]], read_back: Callable[[Response], str]
) -> None:
    """Servers that count UTF-16 units send each half as an escape of its own; a half without the other stays one."""
    bits = ["\ufeff\ud83d", "\ude00 ", "\ud83d", " \ude00"]
    pieces: list[dict[str, Any]] = [{"delta": delta(bit)} for bit in bits]
    pieces.append({"delta": {}, "finish_reason": "stop"})
    assert read_back(read(stream(*pieces))) == "\ufeff\U0001f600 \ud83d \ude00"


def test_an_event_named_error_is_one() -> None:
    """Some servers say it in the event's name only, and the message quotes that event."""
    with pytest.raises(AttemptError, match="an error under status 200.*overloaded"):
        read(stream({"delta": {"content": "x"}}) + event(b'{"message": "overloaded"}', "error"))
