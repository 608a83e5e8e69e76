"""Parser of messages of Anthropic's Messages API.

Finish reasons are translated into those of OpenAI's protocol, so that a test reads the same with every vendor.
"""

from typing import Any

from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Response, ToolCall, Usage
from pytest_llmeval.models.anthropic.messages import OF_CALLS, OF_MESSAGES
from pytest_llmeval.models.http.wire import (
    Redact,
    UnexpectedError,
    arguments_text,
    json_object,
    malformed,
    spoken,
    token_count,
)
from pytest_llmeval.models.message_keys import WHOLE

__all__ = ["read_message"]

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")


def read_message(body: bytes, redact: Redact) -> Response:
    """Return the message in ``body`` as a response; the caller adds latency, attempts and cost.

    Raises:
        AttemptError: of kind ``malformed_response``; the body is not a message.
    """
    data: dict[str, Any] = {}
    try:
        data = json_object(body)
        return _response(data, _blocks(data))
    except UnexpectedError as problem:
        raise malformed("no message", problem, body, _usage(data.get("usage")), redact) from None


def _blocks(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content blocks of a message; the list may be empty."""
    content = data.get("content")
    if not isinstance(content, list):
        raise UnexpectedError("no list of content blocks")
    if not all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in content):
        raise UnexpectedError("a content block without a type")
    return content


def _response(data: dict[str, Any], content: list[dict[str, Any]]) -> Response:
    """Return the response in ``data``."""
    stop_reason = spoken(data.get("stop_reason"))
    text = _text(content)
    return Response(
        text=text,
        tool_calls=tuple(_tool_call(block) for block in content if block["type"] == "tool_use"),
        finish_reason=_FINISH_REASONS.get(stop_reason, stop_reason) if stop_reason else None,
        usage=_usage(data.get("usage")),
        model=spoken(data.get("model")),
        refusal=_refusal(data, text) if stop_reason == "refusal" else None,
        extra=_extra(data, content),
    )


def _extra(data: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parts of a message for which a response has no fields."""
    extra: dict[str, Any] = {key: data[key] for key in OF_MESSAGES if data.get(key) is not None}
    thoughts = [block for block in content if block["type"] in _THOUGHTS]
    if thoughts:
        extra["thinking_blocks"] = thoughts
    calls = [block for block in content if block["type"] == "tool_use"]
    besides = [{key: call[key] for key in OF_CALLS if call.get(key) is not None} for call in calls]
    if any(besides):
        extra["tool_calls"] = besides
    texts = [block for block in content if block["type"] == "text" and not block.get("citations")]
    if content != [*thoughts, *texts, *calls]:
        extra[WHOLE] = content
    told: dict[str, Any] = plain(extra)
    return told


def _text(content: list[dict[str, Any]]) -> str:
    """Return the text blocks joined; blocks of other types, such as thinking or cited sources, do not count."""
    texts = [block.get("text") for block in content if block["type"] == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise UnexpectedError("a text block whose text is not a string")
    return "".join(text for text in texts if isinstance(text, str))


def _tool_call(block: dict[str, Any]) -> ToolCall:
    name = spoken(block.get("name"))
    if name is None:
        raise UnexpectedError("a tool call without a name")
    return ToolCall(name=name, arguments=arguments_text(block.get("input")), id=spoken(block.get("id")))


def _refusal(data: dict[str, Any], text: str) -> str:
    """Return why the answer was refused: the server's explanation, else the text of the answer."""
    details = data.get("stop_details")
    explanation = spoken(details.get("explanation")) if isinstance(details, dict) else None
    return explanation or text or "refused without an explanation"


def _usage(value: object) -> Usage:
    """Return the token counts, cached input included; None for each that is missing or invalid."""
    if not isinstance(value, dict):
        return Usage()
    counts = [token_count(value.get("input_tokens"))]
    counts += [token_count(value[key]) for key in _CACHED if value.get(key) is not None]
    known = [count for count in counts if count is not None]
    total = token_count(sum(known)) if len(known) == len(counts) else None
    return Usage(input_tokens=total, output_tokens=token_count(value.get("output_tokens")))
