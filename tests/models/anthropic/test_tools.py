"""A conversation in which tools were called, as an ``anthropic:`` model is sent it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageFunctionToolCall

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Request
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from tests.support.anthropic_server import AnthropicServer, message
from tests.support.asking import FAST

ASKED = {"role": "user", "content": "How warm is it in Rome and in Oslo?"}


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        running.reply = lambda messages: message("Warm.")  # which is no matter
        yield running


def ask(server: AnthropicServer, *messages: Any) -> None:
    backend = open_model(resolve_model(server.spec("echo"), {}), environ={}, policy=FAST)

    async def call() -> None:
        try:
            await backend.complete(Request(messages=messages))
        finally:
            await backend.aclose()

    asyncio.run(call())


def tool_call(id_: str, arguments: str) -> dict[str, object]:
    return {"id": id_, "type": "function", "function": {"name": "warmth", "arguments": arguments}}


@pytest.mark.parametrize("said", ["Let me look.", None])
def test_calls_and_results_of_tools_are_told_in_the_words_of_the_api(server: AnthropicServer, said: str | None) -> None:
    """The results of one turn in one message, as that API has it; some servers leave empty what has no parameters."""
    calls = [tool_call("a", '{"city": "Rome"}'), tool_call("b", "")]
    results = [{"role": "tool", "tool_call_id": each, "content": f"{each}: 20"} for each in ("a", "b")]
    ask(server, ASKED, {"role": "assistant", "content": said, "tool_calls": calls}, *results, ASKED)
    assert server.ledger[0].body["messages"] == [
        ASKED,
        {
            "role": "assistant",
            "content": [
                *([{"type": "text", "text": said}] if said else []),
                {"type": "tool_use", "id": "a", "name": "warmth", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "b", "name": "warmth", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "a: 20"},
                {"type": "tool_result", "tool_use_id": "b", "content": "b: 20"},
            ],
        },
        ASKED,
    ]


def test_what_a_message_of_openai_does_not_say_is_left_out(server: AnthropicServer) -> None:
    """An application goes on with a dump of the last one, which has a key for whatever it could have said."""
    function = ChatCompletionMessageFunctionToolCall.model_validate(tool_call("a", "{}"))
    calling, plain, refusing = (
        ChatCompletionMessage(role="assistant", **said).model_dump()
        for said in ({"tool_calls": [function]}, {"content": "Warm.", "annotations": []}, {"refusal": "No."})
    )
    ask(server, ASKED, calling, {"role": "tool", "tool_call_id": "a", "content": "20"}, plain, ASKED, refusing, ASKED)
    assert server.ledger[0].body["messages"] == [
        ASKED,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "warmth", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "20"}]},
        {"role": "assistant", "content": "Warm."},
        ASKED,
        {"role": "assistant", "content": "No."},
        ASKED,
    ]


def test_what_is_in_the_words_of_the_api_goes_out_as_it_is(server: AnthropicServer) -> None:
    own = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]}
    ask(server, ASKED, own, result)
    assert server.ledger[0].body["messages"] == [ASKED, own, result]


SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}


@pytest.mark.parametrize("count", [1, 2, 0])
def test_all_blocks_of_an_answer_stand_in_their_places(server: AnthropicServer, count: int) -> None:
    """Its calls as the application has them, unless it has other ones."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "warmth", "input": {}}
    text = {"type": "text", "text": "20"}
    extra = {"content_blocks": [SEARCH, thought, use, text], "thinking_blocks": [thought], "stop_sequence": "END"}
    calls = {"tool_calls": [tool_call(id_, "{}") for id_ in "ab"[:count]]} if count else {}
    ask(server, ASKED, {"role": "assistant", "content": "20", **calls, **extra}, ASKED)
    told = {"role": "assistant", "content": [SEARCH, thought, {**use, "id": "a"}, text]}
    uses = [{**use, "id": id_} for id_ in "ab"[:count]]
    other = {"role": "assistant", "content": [thought, text, *uses]}
    assert server.ledger[0].body["messages"] == [ASKED, told if count == 1 else other, ASKED]


@pytest.mark.parametrize("blocks", ["x", ["x"]])
def test_what_are_no_blocks_are_left_out(server: AnthropicServer, blocks: object) -> None:
    ask(server, ASKED, {"role": "assistant", "content": "20", "content_blocks": blocks}, ASKED)
    assert server.ledger[0].body["messages"] == [ASKED, {"role": "assistant", "content": "20"}, ASKED]


URL = "https://example.com/a.png"


def data(media_type: str) -> dict[str, str]:
    return {"type": "base64", "media_type": media_type, "data": "aGk="}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, {"source": {"type": "url", "url": URL}}),
        ({"type": "image_url", "image_url": URL}, {"source": {"type": "url", "url": URL}}),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}, {"source": data("image/png")}),
        ({"type": "image_url", "image_url": {}}, None),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk="}},
            {"source": data("application/pdf")},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "A"}},
            {"source": data("application/pdf"), "title": "A"},
        ),
        ({"type": "file", "file": {"file_data": "data:text/csv;base64,aGk="}}, None),
        ({"type": "file", "file": {"file_id": "f"}}, None),
        ({"type": "file"}, None),
        ({"type": "input_audio", "input_audio": {}}, None),
        ({"type": ["image_url"]}, None),
        ("text", None),
    ],
)
def test_pictures_and_pdfs_are_told_in_the_words_of_the_api(server: AnthropicServer, part: Any, block: Any) -> None:
    """Of a user and of a tool; what has no word there goes out as it is."""
    ask(server, {"role": "user", "content": [part]}, {"role": "tool", "tool_call_id": "a", "content": [part]})
    asked, given = server.ledger[0].body["messages"]
    kind = {"type": "image" if isinstance(part, dict) and part["type"] == "image_url" else "document"}
    told = part if block is None else {**kind, **block}
    assert asked["content"] == [told]
    assert given["content"] == [{"type": "tool_result", "tool_use_id": "a", "content": [told]}]


@pytest.mark.parametrize("arguments", ["{", "[1]"])
def test_arguments_that_are_no_object_are_refused_before_anything_is_sent(
    server: AnthropicServer, arguments: str
) -> None:
    with pytest.raises(CallError, match="^echo: the arguments of the call of 'warmth' are not a JSON object") as caught:
        ask(server, ASKED, {"role": "assistant", "content": None, "tool_calls": [tool_call("a", arguments)]})
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert server.ledger == []
