"""Laws of reading a message: whatever comes, a response or a fault."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.http.wire import EXCERPT_CHARS
from tests.support.anthropic_server import message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes) -> Response | AttemptError:
    try:
        return read_message(body, lambda text: text)
    except AttemptError as error:
        assert str(error).isprintable() and len(str(error)) < 4 * EXCERPT_CHARS
        assert error.kind is ErrorKind.MALFORMED_RESPONSE and error.retryable
        return error


@given(st.binary(max_size=200))
def test_any_bytes_are_malformed(body: bytes) -> None:
    """Random bytes are no message, and no other error escapes."""
    assert isinstance(read(body), AttemptError)


@given(st.data())
def test_any_value_anywhere_gives_a_sound_response_or_a_fault(data: st.DataObject) -> None:
    """One part of a good message replaced by anything: what is returned keeps its types and ranges."""
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}
    body: dict[str, Any] = message("fine", call, stop_details=None)
    block, usage = body["content"][0], {**body["usage"], "cache_read_input_tokens": 1}
    body["usage"] = usage
    places = [(holder, key) for holder in (body, block, call, usage) for key in holder]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)
    result = read(json.dumps(body).encode())
    if isinstance(result, AttemptError):
        return
    assert isinstance(result.text, str)
    assert result.finish_reason is None or isinstance(result.finish_reason, str)
    for made in result.tool_calls:
        assert made.name and isinstance(json.loads(made.arguments), dict)
    for count in (result.usage.input_tokens, result.usage.output_tokens):
        assert count is None or (type(count) is int and 0 <= count < 2**53)


@pytest.mark.parametrize("content", [None, [{"type": "text"}]])
def test_a_message_that_is_none_to_use_keeps_the_tokens_that_its_server_told(content: object) -> None:
    """It is paid for by them."""
    result = read(json.dumps(message("Well, well.", content=content)).encode())
    assert isinstance(result, AttemptError) and result.usage == Usage(input_tokens=7, output_tokens=2)


@given(st.lists(st.text(st.characters()), max_size=4))
def test_texts_read_back_joined(texts: list[str]) -> None:
    """Every text, lone surrogates included, in its order."""
    result = read(json.dumps(message(*texts)).encode())
    assert isinstance(result, Response) and result.text == "".join(texts)


def test_a_secret_in_a_malformed_body_is_not_quoted() -> None:
    """What is quoted goes through the redaction."""
    try:
        read_message(b"CANARY", lambda text: text.replace("CANARY", "***"))
    except AttemptError as error:
        assert "***" in str(error) and "CANARY" not in str(error)
    else:
        raise AssertionError("no fault")
