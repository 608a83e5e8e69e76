"""Translation of chat messages into input items of the Responses API.

In that API tool calls and their results are items beside the assistant's messages. Reasoning is an item too, and is
sent back before the items it led to: https://platform.openai.com/docs/guides/reasoning. A message without a role is
already such an item and is sent unchanged, as are content parts in the API's own format.
"""

from collections.abc import Iterable, Iterator, Mapping
from json import dumps
from typing import Any

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.message_keys import REASONING_ITEMS

__all__ = ["input_items"]

_UNTOLD = frozenset({"annotations", "content", "refusal", "role", "tool_call_id", "tool_calls", REASONING_ITEMS})
"""Keys of a message that its item has in another form, or that this API does not accept."""


def input_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the input items for ``messages``, in their order."""
    items: list[dict[str, Any]] = []
    for message in messages:
        told: Mapping[str, Any] = message
        role = told.get("role")
        if role is None:
            items.append(dict(told))
        elif role == "tool":
            items.append(_result(told, items))
        elif role == "assistant":
            items += _of_assistant(told)
        else:
            items.append(_message(told, _content(told.get("content"))))
    return items


def _message(message: Mapping[str, Any], content: Any) -> dict[str, Any]:
    """Return a message item with ``content``, without keys that are None, as the API would refuse those.

    The type is optional, except for llama.cpp in an assistant's message.
    """
    rest = {key: value for key, value in message.items() if value is not None and key not in _UNTOLD}
    return {"type": "message", **rest, "role": message["role"], "content": content}


def _result(message: Mapping[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the result of a tool as an item; the call among the items ``before`` decides the item's type."""
    id_, output = message.get("tool_call_id"), _content(message.get("content"))
    calls = [item.get("type") for item in before if isinstance(item, Mapping) and item.get("call_id") == id_]
    kind = "custom_tool_call_output" if "custom_tool_call" in calls else "function_call_output"
    return {"type": kind, "call_id": id_, "output": "" if output is None else output}


def _of_assistant(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the items of an assistant's message: its reasoning, its text and its tool calls."""
    yield from _listed(message.get(REASONING_ITEMS))
    calls = _listed(message.get("tool_calls"))
    content, refusal = message.get("content"), message.get("refusal")
    if refusal:
        said = [{"type": "output_text", "text": content}] if content and isinstance(content, str) else _listed(content)
        content = [*map(_said, said), {"type": "refusal", "refusal": refusal}]
    elif isinstance(content, list | tuple):
        content = [_said(part) for part in content]
    if content or not calls:
        yield _message(message, "" if content is None else content)
    yield from map(_call, calls)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _said(part: Any) -> Any:
    """Return a translated content part of an assistant's message."""
    is_text = isinstance(part, Mapping) and part.get("type") == "text"
    return {**part, "type": "output_text"} if is_text else part


def _call(call: Any) -> Any:
    """Return a tool call as an item; anything that is not a call in chat completions is returned unchanged."""
    kind = call.get("type", "function") if isinstance(call, Mapping) else None
    tool = call.get(kind) if kind in ("custom", "function") else None
    if not isinstance(tool, Mapping):
        return call
    named = {"call_id": call.get("id"), "name": tool.get("name")}
    if kind == "custom":
        return {"type": "custom_tool_call", **named, "input": tool.get("input")}
    arguments = tool.get("arguments") or "{}"  # empty if there are no parameters
    text = arguments if isinstance(arguments, str) else dumps(arguments, allow_nan=False)
    return {"type": "function_call", **named, "arguments": text}


def _content(content: Any) -> Any:
    """Return the translated content of a message that is not the assistant's."""
    return [_part(part) for part in content] if isinstance(content, list | tuple) else content


def _part(part: Any) -> Any:
    """Return a translated part: a text, an image or a file; audio has the same form in both APIs."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text":
        return {**part, "type": "input_text"}
    if kind == "file" and isinstance(part.get("file"), Mapping):
        return {**_but(part, "file"), "type": "input_file", **part["file"]}
    if kind == "image_url":
        image = part.get("image_url")
        named = {"image_url": image.get("url"), **_but(image, "url")} if isinstance(image, Mapping) else {}
        return {"detail": "auto", **part, "type": "input_image", **named}
    return part


def _but(part: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != key}
