"""Translation of messages from the Messages API's format into OpenAI's.

``models.anthropic.messages`` restores the original messages from the result. Where OpenAI's format cannot express a
message completely, the original blocks are kept beside it for that purpose. Blocks without a counterpart in OpenAI's
format become content parts unchanged.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, repeat
from typing import Any

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.anthropic.messages import PDF, UNNAMED
from pytest_llmeval.models.application.carried_extra import extra_in_blocks, is_extra_block
from pytest_llmeval.models.message_keys import IN_PLACE, WHOLE

__all__ = ["chat_messages"]

_PARAGRAPHS = "\n\n"
"""Separator of the texts in one content; the text blocks of an answer are joined without one."""
_CALL = frozenset({"type", "id", "name", "input"})
_RESULT = frozenset({"type", "tool_use_id", "content"})
_THOUGHTS = ("thinking", "redacted_thinking")


def chat_messages(messages: Iterable[Mapping[str, Any]], system: Any = None) -> list[Message]:
    """Return the messages as a chat that begins with the system message, if there is one.

    Args:
        messages: messages with a text or blocks as their content.
        system: content of the system prompt, a text or blocks; None or empty without one.

    Raises:
        CaseError: a block made by ``carried_extra`` was changed.
    """
    told: list[Any] = [] if not system else [_message("system", system)]
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role == "assistant" and isinstance(content, list):
            told.append(_answer([_without_nulls(block) for block in content]))
        elif role == "system":
            told.append({**_message(role, content), IN_PLACE: True})
        else:
            told += _said(role, content) if isinstance(content, list) else [_message(role, content)]
    return told


def _message(role: Any, content: Any, **keys: Any) -> dict[str, Any]:
    """Return a message; several texts are joined into one, with the original blocks kept beside it."""
    text = _content(content)
    whole = {WHOLE: content} if isinstance(text, str) and isinstance(content, list) and len(content) > 1 else {}
    return {"role": role, **keys, "content": text, **whole}


def _without_nulls(block: Any) -> Any:
    """Return a block without keys that are None."""
    return {key: value for key, value in block.items() if value is not None} if isinstance(block, dict) else block


def _said(role: Any, blocks: Sequence[Any]) -> list[dict[str, Any]]:
    """Return messages for the blocks of a user's message: one for each tool result and each run of other blocks."""
    told: list[dict[str, Any]] = []
    for are_results, group in groupby(blocks, lambda block: _is(block, "tool_result")):
        run = list(group)
        told += map(_result, run) if are_results else [_message(role, run)]
    return told or [_message(role, "")]


def _result(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message with a tool's result; ``is_error`` is dropped if False, which is the default."""
    beside = {key: value for key, value in block.items() if key not in _RESULT and (key, value) != ("is_error", False)}
    return _message("tool", block.get("content") or "", tool_call_id=block.get("tool_use_id"), **beside)


def _answer(blocks: list[Any]) -> dict[str, Any]:
    """Return an assistant's message with reasoning, text and tool calls, each under a key of its own.

    If the blocks have another order, or there are several texts, all blocks are kept beside them.
    """
    extra = extra_in_blocks(block for block in blocks if _is_thought(block) and is_extra_block(block))
    kept = [block for block in blocks if not (_is_thought(block) and is_extra_block(block))]
    thoughts = [block for block in kept if _is_thought(block)]
    uses = [block for block in kept if _is(block, "tool_use")]
    said = [block for block in kept if not _is_thought(block) and not _is(block, "tool_use")]
    text = _content(said, "")
    message = {"role": "assistant", "content": text or (None if uses else ""), **extra}
    if thoughts:
        message["thinking_blocks"] = thoughts
    if uses:
        besides = chain(message.pop("tool_calls", ()), repeat({}))
        message["tool_calls"] = [{**_call(use), **beside} for use, beside in zip(uses, besides, strict=False)]
    if kept != [*thoughts, *said, *uses] or (isinstance(text, str) and len(said) > 1):
        message[WHOLE] = kept
    return message


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name"), "arguments": json.dumps(block.get("input", {}))}
    beside = {key: value for key, value in block.items() if key not in _CALL}
    return {"id": block.get("id"), "type": "function", "function": function, **beside}


def _is(block: Any, type_: str) -> bool:
    return isinstance(block, Mapping) and block.get("type") == type_


def _is_thought(block: Any) -> bool:
    return any(_is(block, type_) for type_ in _THOUGHTS)


def _content(content: Any, between: str = _PARAGRAPHS) -> Any:
    """Return a content as one text, or as parts if it has other blocks than plain texts."""
    if not isinstance(content, list):
        return content
    blocks = [_without_nulls(block) for block in content]
    if all(_is(block, "text") and block.keys() == {"type", "text"} for block in blocks):
        return between.join(str(block["text"]) for block in blocks)
    return [_part(block) for block in blocks]


def _part(block: Any) -> Any:
    """Return an image or a PDF in OpenAI's format, and any other block unchanged."""
    source = block.get("source") if isinstance(block, Mapping) else None
    if not isinstance(source, Mapping):
        return block
    url, beside = _url(source), {key: value for key, value in block.items() if key not in ("type", "source")}
    if url is not None and _is(block, "image"):
        return {"type": "image_url", "image_url": {"url": url}, **beside}
    if url is not None and _is(block, "document") and source.get("media_type") == PDF:
        title = beside.pop("title", None)
        if title != UNNAMED:
            return {"type": "file", "file": {"filename": title or UNNAMED, "file_data": url}, **beside}
    return block


def _url(source: Mapping[str, Any]) -> str | None:
    """Return the URL of an image or PDF, or its data as a data URL; None if a URL cannot express the whole source."""
    if source.get("type") == "base64" and source.keys() == {"type", "media_type", "data"}:
        media_type = str(source["media_type"])
        return f"data:{media_type};base64,{source['data']}" if not {*media_type} & {";", ","} else None
    is_url = source.get("type") == "url" and source.keys() == {"type", "url"}
    return str(source["url"]) if is_url and not str(source["url"]).startswith("data:") else None
