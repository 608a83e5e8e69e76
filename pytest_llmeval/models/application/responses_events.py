"""Translate a complete Response object into the events of a stream, in the order in which OpenAI sends them.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["events"]

_PARTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}
"""Types of content parts of messages and reasoning, each with the key of its text."""
_CALLS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}
"""Types of tool calls, each with the key of its arguments and the stem of its events' names."""
_NOT_YET: dict[str, Any] = {
    "completed_at": None,
    "incomplete_details": None,
    "output": [],
    "status": "in_progress",
    "usage": None,
}
"""Values of a response before any of its output has been sent."""


def events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events that make up a response; each text is sent in a single delta."""
    for number, event in enumerate(_events(whole)):
        yield {**event, "sequence_number": number}


def _events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**whole, **_NOT_YET}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        where = {"item_id": item.get("id"), "output_index": index}
        yield {"type": "response.output_item.added", "output_index": index, "item": _begun(item)}
        for event in _of_item(item):
            yield {**event, **where}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _begun(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without content, as at its start in a stream."""
    empty: dict[str, Any] = {"status": "in_progress"} if "status" in item else {}
    empty |= {key: [] for key in ("content", "summary") if item.get(key)}
    if item["type"] in _CALLS:
        empty[_CALLS[item["type"]][0]] = ""
    return {**item, **empty}


def _of_item(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of one item's content."""
    for index, part in enumerate(item.get("summary") or ()):
        for event in _of_summary(part):
            yield {**event, "summary_index": index}
    for index, part in enumerate(item.get("content") or ()):
        for event in _of_part(part):
            yield {**event, "content_index": index}
    if item["type"] in _CALLS:
        key, name = _CALLS[item["type"]]
        if item[key]:
            yield {"type": f"response.{name}.delta", "delta": item[key]}
        yield {"type": f"response.{name}.done", key: item[key], "name": item["name"]}


def _of_part(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = part["type"]
    if kind not in _PARTS:  # a server's own items may have other parts
        return
    key = _PARTS[kind]
    further: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
    yield {"type": "response.content_part.added", "part": {**part, key: ""}}
    if part[key]:
        yield {"type": f"response.{kind}.delta", "delta": part[key], **further}
    yield {"type": f"response.{kind}.done", key: part[key], **further}
    yield {"type": "response.content_part.done", "part": part}


def _of_summary(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of one part of a reasoning summary."""
    yield {"type": "response.reasoning_summary_part.added", "part": {**part, "text": ""}}
    yield {"type": "response.reasoning_summary_text.delta", "delta": part["text"]}
    yield {"type": "response.reasoning_summary_text.done", "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", "part": part}
