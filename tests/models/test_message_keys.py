"""Keys of the Messages API that servers of OpenAI's protocol know nothing of."""

import asyncio
from typing import Any

from pytest_llmeval.core.types import Request
from pytest_llmeval.models.message_keys import without_foreign_keys
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from tests.support.asking import FAST
from tests.support.fault_server import FaultServer

BESIDE = {"is_error": True, "in_place": True, "content_blocks": [{"type": "text", "text": "no"}], "reasoning_items": []}
MARK = {"cache_control": {"type": "ephemeral"}}


def request(mark: dict[str, Any], **beside: Any) -> dict[str, Any]:
    """Return what is asked with ``mark`` wherever it may stand."""
    function = {"name": "f", "arguments": '{"cache_control": 1}'}
    return {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x", **mark}, "y"]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": function, **mark}]},
            {"role": "tool", "tool_call_id": "a", "content": "no", **mark, **beside},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"cache_control": {}}}, **mark}],
        **mark,
    }


def test_what_only_anthropics_api_is_told_is_not_sent() -> None:
    """The text of a result says that it is an error. What gateways hand on to Anthropic is sent."""
    asked = request(MARK, **BESIDE)
    with FaultServer() as server:
        backend = open_model(resolve_model(server.spec("echo"), {}), environ={}, policy=FAST)

        async def call() -> None:
            try:
                await backend.complete(Request(messages=tuple(asked.pop("messages")), params=asked))
            finally:
                await backend.aclose()

        asyncio.run(call())
        assert server.ledger[0].body == {"model": "echo", **request(MARK)}


def test_openais_chat_completions_are_told_of_no_phase() -> None:
    """They refuse it; a gateway hands it on to OpenAI's own models, and so the Responses API is told."""
    said = {"role": "assistant", "content": "x"}
    message = {**said, "phase": "commentary"}
    assert without_foreign_keys([message], {}, is_openai=True) == {"messages": [said]}
    assert without_foreign_keys([message], {}, is_openai=False) == {"messages": [message]}
    assert without_foreign_keys([message], {}, is_openai=True, own=frozenset({"phase"})) == {"messages": [message]}


def test_openai_is_told_of_no_cache() -> None:
    """It refuses a request that marks something for it, and caches without."""
    asked = request(MARK, **BESIDE)
    assert without_foreign_keys(asked.pop("messages"), asked, is_openai=True) == request({})
    assert without_foreign_keys([], {"tools": "x"}, is_openai=True) == {"messages": [], "tools": "x"}
