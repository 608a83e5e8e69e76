"""Messages on the line between processes: what is sent arrives."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.verdict import Wanted
from pytest_llmeval.core.types import Ask, CaseKey, Request, Response, ToolCall
from pytest_llmeval.engine import frames
from tests.core.judge.rubrics import RUBRIC
from tests.support.engine_parts import broken
from tests.support.offices import run
from tests.support.records import finite, responses, texts

keys = st.builds(CaseKey, nodeid=texts, suite=texts, sample_id=texts, model=texts, epoch=st.integers(1, 99))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
asks = st.builds(
    Ask,
    case=keys,
    role=st.sampled_from(["model", "judge"]),
    model=texts,
    request=st.builds(
        Request,
        messages=st.lists(st.dictionaries(texts, json_values, max_size=3), max_size=3).map(tuple),
        params=st.dictionaries(texts, json_values, max_size=3),
    ),
    nth=st.integers(1, 99),
    draw=st.integers(1, 99),
    position=st.none() | st.integers(0, 10**6),
    wanted=st.none()
    | st.builds(Wanted, rubric=st.just(RUBRIC), nonce=texts, again=st.booleans(), only_known=st.booleans()),
)
errors = st.builds(
    CallError,
    texts,
    kind=st.sampled_from(ErrorKind),
    attempts=st.integers(0, 9),
    latency_s=st.none() | finite,
    cached=st.booleans(),
)


async def over_the_wire(frame: frames.Frame) -> frames.Frame:
    """Return what is read where ``frame`` was written."""
    reader = asyncio.StreamReader()

    class Feed:
        def write(self, data: bytes) -> None:
            reader.feed_data(data)

    frames.write(Feed(), frame)  # type: ignore[arg-type]  # all that is used of a StreamWriter
    found = await frames.read(reader)
    assert found is not None
    return found


def joined(value: Any) -> Any:
    """Return ``value`` with two lone surrogates side by side as the one character that JSON makes of them."""
    return json.loads(json.dumps(value))


@given(one=asks)
@settings(deadline=None)
def test_an_ask_arrives_as_it_was_sent(one: Ask) -> None:
    arrived = frames.to_ask(asyncio.run(over_the_wire(frames.from_ask(one))))
    request = {"messages": arrived.request.messages, "params": joined(one.request.params)}
    assert frames.from_ask(arrived) == {**joined(frames.from_ask(one)), "request": request}
    assert joined(arrived.request.messages) == joined(one.request.messages)
    assert repr(arrived.request.params) == repr(joined(one.request.params))
    assert isinstance(arrived.request.messages, tuple)
    assert arrived.wanted == (one.wanted and replace(one.wanted, nonce=joined(one.wanted.nonce)))


@given(one=responses)
@settings(deadline=None)
def test_a_response_arrives_as_it_was_sent(one: Response) -> None:
    arrived = frames.to_response(asyncio.run(over_the_wire(frames.from_response(one))))
    names = ("text", "finish_reason", "model", "system_fingerprint", "refusal", "cache_key")
    joint = {name: joined(getattr(one, name)) for name in names}
    calls = tuple(ToolCall(name=joined(each.name), arguments=joined(each.arguments)) for each in one.tool_calls)
    assert arrived == replace(one, **joint, tool_calls=calls)
    assert [each.id for each in arrived.tool_calls] == [joined(each.id) for each in one.tool_calls]
    assert arrived.lost == one.lost


@given(one=errors)
@settings(deadline=None)
def test_an_error_arrives_as_it_was_sent(one: CallError) -> None:
    arrived = frames.to_error(asyncio.run(over_the_wire(frames.from_error(one))))
    facts = [(str(each), each.kind, each.attempts, each.latency_s, each.cached) for each in (one, arrived)]
    assert joined(facts[0]) == joined(facts[1])


@pytest.mark.parametrize("cut", [0, 3, 4, 10])
def test_a_connection_that_ends_within_a_message_has_ended(cut: int) -> None:
    async def body() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data((100).to_bytes(4)[:cut] + b"{" * max(0, cut - 4))
        reader.feed_eof()
        assert await frames.read(reader) is None

    run(body())


def test_a_connection_that_breaks_has_ended() -> None:
    async def body() -> None:
        reader = asyncio.StreamReader()
        reader.set_exception(ConnectionResetError())
        assert await frames.read(reader) is None

    run(body())


def test_an_error_of_a_call_is_told_with_its_attempts() -> None:
    assert frames.from_error(broken()) == {
        "message": "it broke",
        "kind": "server_error",
        "attempts": 3,
        "latency_s": None,
        "param": None,
        "cost_usd": None,
        "cached": False,
    }
