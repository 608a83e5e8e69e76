"""Translate a response into the Messages API's format: a message, or the events of a stream."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import NotJsonError, canonical, parse
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Response, ToolCall
from pytest_llmeval.models.anthropic.messages import OF_CALLS, OF_MESSAGES
from pytest_llmeval.models.application.assistant_message import call_ids
from pytest_llmeval.models.application.carried_extra import thinking_block
from pytest_llmeval.models.application.messages_request import MessageRequest
from pytest_llmeval.models.message_keys import WHOLE

__all__ = ["message_events", "message_of"]

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use"}
_UNTOLD = frozenset({"annotations"})
"""Keys of ``extra`` for which alone no block is made, as no server needs them back."""


def message_of(asked: MessageRequest, response: Response, name: str) -> dict[str, Any]:
    """Return the message that answers a request, from a model with this name.

    Raises:
        CaseError: of kind ``malformed_response``; the arguments of a tool call are not a JSON object, which a message
            cannot represent.
    """
    refusal, content = response.refusal, _content(asked, response)
    return {
        "id": "msg_" + digest(canonical([asked.messages, asked.params, content]))[:24],
        "type": "message",
        "role": "assistant",
        "model": response.model or name,
        "content": content,
        "stop_reason": _stop_reason(response),
        "stop_sequence": None,
        "stop_details": refusal and {"type": "refusal", "category": None, "explanation": refusal},
        **{key: response.extra[key] for key in OF_MESSAGES if key in response.extra},
        "usage": {"input_tokens": response.usage.input_tokens or 0, "output_tokens": response.usage.output_tokens or 0},
    }


def _stop_reason(response: Response) -> str:
    """Return why the answer ended; ``tool_use`` if tools are called, though some servers say ``stop``.

    Agents rely on that.
    """
    reason = response.finish_reason
    if response.extra.get("stop_sequence") is not None:
        return "stop_sequence"
    if response.refusal is not None:
        return "refusal"
    if response.tool_calls and reason in (None, "stop"):
        return "tool_use"
    return _STOP_REASONS.get(reason, reason) if reason else "end_turn"


def _content(asked: MessageRequest, response: Response) -> list[dict[str, Any]]:
    """Return the content blocks: reasoning, text and tool calls."""
    extra = {key: value for key, value in response.extra.items() if key not in OF_MESSAGES}
    whole, thoughts, besides = (extra.pop(key, None) or () for key in (WHOLE, "thinking_blocks", "tool_calls"))
    uses = list(map(_tool_use, response.tool_calls, call_ids(asked.messages, response.tool_calls)))
    for use, beside in zip(uses, besides, strict=False):
        use.update({key: beside[key] for key in OF_CALLS if key in beside})
    foreign = [{key: value for key, value in beside.items() if key not in OF_CALLS} for beside in besides]
    if any(foreign):
        extra["tool_calls"] = foreign
    if whole:
        left = iter(uses)
        return [next(left) if block["type"] == "tool_use" else block for block in whole]
    text = response.text or (response.refusal if response.finish_reason != "refusal" else None)
    said = [{"type": "text", "text": text}] if text else []
    is_told = extra.keys() - _UNTOLD and (uses or asked.thinks_aloud)
    return [*([thinking_block(extra)] if is_told else ()), *thoughts, *said, *uses]


def _tool_use(call: ToolCall, id_: str) -> dict[str, Any]:
    try:
        given = parse(call.arguments or "{}")  # empty if there are no parameters
    except NotJsonError:
        given = None
    if not isinstance(given, dict):
        shown = one_line(repr(call.arguments), 200)
        message = (
            f"the model called {call.name!r} with arguments that are not a JSON object: {shown}; Anthropic's client"
        )
        raise CaseError(f"{message} cannot represent that", kind=ErrorKind.MALFORMED_RESPONSE)
    return {"type": "tool_use", "id": id_, "name": call.name, "input": given}


def message_events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream that makes up ``message``; each block is sent whole."""
    ended = {
        key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details", "container") if key in message
    }
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None}}
    for index, block in enumerate(message["content"]):
        start, deltas = _begun(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": ended, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _begun(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as it starts in a stream, and the deltas that complete it."""
    kind = block["type"]
    if kind == "text":
        quoted = [{"type": "citations_delta", "citation": each} for each in block.get("citations") or ()]
        start = {**block, "text": "", **({"citations": []} if quoted else {})}
        return start, [*quoted, {"type": "text_delta", "text": block["text"]}]
    if kind == "thinking":
        signed = [{"type": "signature_delta", "signature": block["signature"]}] if block.get("signature") else []
        thought = {"type": "thinking_delta", "thinking": block.get("thinking", "")}
        return {**block, "thinking": "", "signature": ""}, [thought, *signed]
    if kind in ("tool_use", "server_tool_use"):
        whole = json.dumps(block.get("input", {}))
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": whole}]
    return dict(block), []
