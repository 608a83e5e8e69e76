"""What an application asks of Anthropic's API comes there as it was, though a chat completion stands between."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.types import Request
from pytest_llmeval.models.application.messages_request import read_request
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from tests.support.anthropic_server import AnthropicServer, message
from tests.support.asking import FAST

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
CACHED = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": None}])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=2)
DATA = st.sampled_from(["aGk=", "", "eA=="])


def block(type_: str, *beside: Any, **keys: Any) -> Any:
    """Return blocks of a type."""
    whole = st.fixed_dictionaries({"type": st.just(type_), **keys})
    return st.builds(lambda block, *more: {**block, **{k: v for each in more for k, v in each.items()}}, whole, *beside)


def base64(*media_types: str) -> Any:
    return st.fixed_dictionaries({"type": st.just("base64"), "media_type": st.sampled_from(media_types), "data": DATA})


CITED = st.sampled_from([{}, {"citations": [{"type": "char_location", "cited_text": "x"}]}])
URL = st.sampled_from(["https://example.com/a.png", "data:image/png;base64,aGk="])
SOURCE = st.fixed_dictionaries({"type": st.just("url"), "url": URL}) | st.just({"type": "file", "file_id": "f"})
TITLED = st.sampled_from([{}, {"title": "A"}, {"title": "document.pdf"}, {"citations": {"enabled": True}}])
TEXTS = block("text", CACHED, CITED, text=TEXT)
IMAGES = block("image", CACHED, source=base64("image/png", "image/svg+xml", "odd;x") | SOURCE)
DOCUMENTS = block("document", CACHED, TITLED, source=base64("application/pdf", "text/plain") | SOURCE)
SHOWN = st.lists(TEXTS | IMAGES | DOCUMENTS, min_size=1, max_size=3)
FLAGS = st.sampled_from([{}, {"is_error": True}, {"is_error": False}, {"toolset_name": "t"}])
RESULTS = block("tool_result", CACHED, FLAGS, tool_use_id=TEXT, content=TEXT | SHOWN)
THOUGHTS = block("thinking", thinking=TEXT, signature=TEXT) | block("redacted_thinking", data=TEXT)
CALLERS = st.sampled_from([{}, {"caller": {"type": "direct"}}])
CALLS = block("tool_use", CACHED, CALLERS, id=TEXT, name=TEXT, input=OBJECT)
SERVERS = block("server_tool_use", id=TEXT, name=st.just("web_search"), input=OBJECT)
ASKED = st.fixed_dictionaries({"role": st.just("user"), "content": TEXT | SHOWN})
GIVEN = st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(RESULTS | TEXTS, min_size=1, max_size=4)})
NOTED = st.fixed_dictionaries({"role": st.just("system"), "content": TEXT | st.lists(TEXTS, min_size=1, max_size=2)})
ANSWER = st.lists(THOUGHTS | TEXTS | CALLS | SERVERS, min_size=1, max_size=4) | TEXT
ANSWERED = st.fixed_dictionaries({"role": st.just("assistant"), "content": ANSWER})
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXT, "input_schema": OBJECT},
        optional={
            "description": TEXT,
            "strict": st.booleans(),
            "cache_control": st.just({"type": "ephemeral"}),
            "input_examples": st.lists(OBJECT, max_size=1),
        },
    )
    | st.just({"type": "web_search_20250305", "name": "web_search", "max_uses": 1})
    | st.just({"type": "bash_20250124", "name": "bash"}),
    max_size=2,
)
CHOICE = st.fixed_dictionaries(
    {"type": st.sampled_from(["auto", "any", "none"])}, optional={"disable_parallel_tool_use": st.booleans()}
) | st.fixed_dictionaries({"type": st.just("tool"), "name": TEXT})
OUTPUT = st.fixed_dictionaries(
    {},
    optional={
        "effort": st.sampled_from(["low", "max"]),
        "format": st.fixed_dictionaries({"type": st.just("json_schema"), "schema": OBJECT}),
        "task_budget": st.just({"type": "tokens", "total": 9}),
    },
).filter(bool)
REQUEST = st.fixed_dictionaries(
    {"messages": st.lists(ASKED | GIVEN | ANSWERED | NOTED, min_size=1, max_size=4), "max_tokens": st.integers(1, 9)},
    optional={
        "system": TEXT | st.lists(TEXTS, min_size=1, max_size=2),
        "tools": TOOLS,
        "tool_choice": CHOICE,
        "stop_sequences": st.lists(TEXT, max_size=2),
        "temperature": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "metadata": st.just({"user_id": "u"}) | st.just({"user_id": None}),
        "thinking": st.just({"type": "enabled", "budget_tokens": 1024}),
        "output_config": OUTPUT,
        "service_tier": st.just("auto"),
    },
)


def through(server: AnthropicServer, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body that the server of an ``anthropic:`` model is sent for one of an application."""
    asked = read_request({**json.loads(json.dumps(body)), "model": "any"})
    backend = open_model(resolve_model(server.spec("echo"), {}), environ={}, policy=FAST)

    async def call() -> None:
        try:
            await backend.complete(Request(messages=tuple(asked.messages), params=asked.params))
        finally:
            await backend.aclose()

    asyncio.run(call())
    return {key: value for key, value in server.ledger[-1].body.items() if key != "model"}


def usual(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in the one of its forms that the API takes for the same.

    https://docs.anthropic.com/en/api/messages: a text is short for one block of it, and what a user says in messages
    that follow each other is one. What is None, or ``is_error: false``, is not there.
    """
    messages: list[dict[str, Any]] = []
    for each in body["messages"]:
        if messages and messages[-1]["role"] == each["role"] == "user":
            messages[-1]["content"] += usual_blocks(each["content"])
        else:
            messages.append({"role": each["role"], "content": usual_blocks(each["content"])})
    system = {"system": usual_blocks(body["system"])} if "system" in body else {}
    return {**body, "messages": messages, **system}


def usual_blocks(content: Any) -> list[Any]:
    """Return the blocks of a content."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = [{key: value for key, value in block.items() if value is not None} for block in content]
    return [usual_result(block) if block["type"] == "tool_result" else block for block in blocks]


def usual_result(block: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in block.items() if (key, value) != ("is_error", False)}
    return {**kept, "content": usual_blocks(block["content"])}


def test_a_request_comes_through_as_it_was() -> None:
    with AnthropicServer() as server:
        server.reply = lambda messages: message("Yes.")

        @given(REQUEST)
        def law(body: dict[str, Any]) -> None:
            assert usual(through(server, body)) == usual(body)

        law()
        assert len(server.ledger) >= 100
