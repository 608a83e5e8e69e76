"""Messages of the Messages API, told in the words of the OpenAI protocol.

What ``anthropic_tools`` makes of them again is what they were. Blocks that other vendors have no word for stay as they
are, among the parts of a content.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, repeat
from typing import Any

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.anthropic_parts import PDF, UNNAMED
from pytest_llmeval.models.application.messages_extra import is_packed, unpacked

__all__ = ["chat_messages"]

_PARAGRAPHS = "\n\n"
"""Between the texts of one content; what a model said in several ones is one text."""
_CALL = frozenset({"type", "id", "name", "input"})
_RESULT = frozenset({"type", "tool_use_id", "content"})
_THOUGHTS = ("thinking", "redacted_thinking")


def chat_messages(messages: Iterable[Mapping[str, Any]], system: Any = None) -> list[Message]:
    """Return the messages of a chat, the system's first.

    Args:
        messages: with a text or blocks as their content.
        system: the same; None or empty without.

    Raises:
        CaseError: a block that ``messages_extra`` made is whole no more.
    """
    told: list[Any] = [] if not system else [{"role": "system", "content": _content(system)}]
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if not isinstance(content, list):
            told.append({"role": role, "content": content})
        elif role == "assistant":
            told.append(_answer([_without_nulls(block) for block in content]))
        else:
            told += _said(role, [_without_nulls(block) for block in content])
    return told


def _without_nulls(block: Any) -> Any:
    """Return a block without the keys that say nothing."""
    return {key: value for key, value in block.items() if value is not None} if isinstance(block, dict) else block


def _said(role: Any, blocks: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what a user said, and what tools gave, each as a message of its own."""
    told: list[dict[str, Any]] = []
    for are_results, group in groupby(blocks, lambda block: _is(block, "tool_result")):
        run = list(group)
        told += map(_result, run) if are_results else [{"role": role, "content": _content(run)}]
    return told or [{"role": role, "content": ""}]


def _result(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tool gave; that it was no error goes without saying."""
    beside = {key: value for key, value in block.items() if key not in _RESULT and (key, value) != ("is_error", False)}
    content = _content(block.get("content") or "")
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content, **beside}


def _answer(blocks: list[Any]) -> dict[str, Any]:
    """Return what the model said: what it thought, a text, and calls, in this order, each under a key of its own.

    Where they stand in another order, all blocks are its content, as they are.
    """
    extra = unpacked(block for block in blocks if _is_thought(block) and is_packed(block))
    kept = [block for block in blocks if not (_is_thought(block) and is_packed(block))]
    first = next((n for n, block in enumerate(kept) if not _is_thought(block)), len(kept))
    last = next((n for n in range(len(kept), first, -1) if not _is(kept[n - 1], "tool_use")), first)
    thoughts, said, uses = kept[:first], kept[first:last], kept[last:]
    if any(_is_thought(block) or _is(block, "tool_use") for block in said):
        return {"role": "assistant", "content": kept, **extra}
    message = {"role": "assistant", "content": _content(said, "") or (None if uses else ""), **extra}
    if thoughts:
        message["thinking_blocks"] = thoughts
    if uses:
        besides = chain(message.pop("tool_calls", ()), repeat({}))
        message["tool_calls"] = [{**_call(use), **beside} for use, beside in zip(uses, besides, strict=False)]
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
    """Return a content as one text, or as parts where it is more than texts."""
    if not isinstance(content, list):
        return content
    blocks = [_without_nulls(block) for block in content]
    if all(_is(block, "text") and block.keys() == {"type", "text"} for block in blocks):
        return between.join(str(block["text"]) for block in blocks)
    return [_part(block) for block in blocks]


def _part(block: Any) -> Any:
    """Return a picture, or a PDF, as OpenAI has it; all else as it is."""
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
    """Return where a picture or PDF is, or its data as a URL; None where no URL says all that the source does."""
    if source.get("type") == "base64" and source.keys() == {"type", "media_type", "data"}:
        media_type = str(source["media_type"])
        return f"data:{media_type};base64,{source['data']}" if not {*media_type} & {";", ","} else None
    is_url = source.get("type") == "url" and source.keys() == {"type", "url"}
    return str(source["url"]) if is_url and not str(source["url"]).startswith("data:") else None
