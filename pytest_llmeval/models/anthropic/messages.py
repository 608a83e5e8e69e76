"""Translation of messages from OpenAI's format into that of Anthropic's Messages API.

Parts that are already in the API's own format are sent unchanged.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from json import loads
from typing import Any

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.message_keys import IN_PLACE, PHASE, WHOLE

__all__ = ["OF_CALLS", "OF_MESSAGES", "PDF", "UNNAMED", "translated_messages"]

OF_MESSAGES = ("container", "context_management", "stop_sequence")
"""Keys of this API's answers that it does not accept within a message."""
OF_CALLS = ("cache_control", "caller", "toolset_name")
"""Keys of a tool call that only this API has; in OpenAI's format they are kept beside the call's own."""
_OF_RESULTS = ("cache_control", "is_error", "toolset_name")
"""Keys of a tool's result that only this API has."""
PDF = "application/pdf"
UNNAMED = "document.pdf"
"""Name for a file without one, as servers of OpenAI's protocol require a name."""
_DATA_URL = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)
_UNTOLD = frozenset({"refusal", "annotations", PHASE, WHOLE, IN_PLACE, *OF_MESSAGES})
"""Keys of answers, of this API and of OpenAI's, that a message sent to this API must not have."""


def translated_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return ``messages`` with tool calls and their results in the format of the Messages API.

    In that API a call is a content block of the assistant's message, and the results of successive calls are blocks of
    one user message: https://docs.anthropic.com/en/api/messages

    Raises:
        ValueError: the arguments of a call are not a JSON object, which that API requires.
    """
    turns: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in messages:
        if message["role"] != "tool":
            turns.append(_message(message))
            results = None
            continue
        if results is None:
            results = []
            turns.append({"role": "user", "content": results})
        beside = {key: value for key, value in message.items() if key in _OF_RESULTS}
        whole = _whole(message, [])
        content = _blocks_of(message["content"]) if whole is None else whole
        given = {"tool_use_id": message.get("tool_call_id"), "content": content}
        results.append({"type": "tool_result", **given, **beside})
    return turns


def _message(message: Message) -> dict[str, Any]:
    """Return a translated message; the content of an assistant's is its reasoning, then its text, then its tool calls.

    The API requires the reasoning to come first if tool calls follow. Keys that are None in OpenAI's objects are left
    out, as the API would refuse them. A refusal becomes the text.
    """
    fields: dict[str, Any] = {key: value for key, value in message.items() if value is not None and key not in _UNTOLD}
    said: Any = message.get("refusal") if message["content"] is None else _blocks_of(message["content"])
    thoughts, calls = _list_of(fields, "thinking_blocks"), _list_of(fields, "tool_calls")
    uses = [_tool_use(call) for call in calls or ()]
    whole = _whole(message, uses)
    if whole is not None:
        said = whole
    elif thoughts is not None or calls is not None:
        blocks = [{"type": "text", "text": said}] if said and isinstance(said, str) else list(said or ())
        said = [*(thoughts or ()), *blocks, *uses]
    return {**fields, "content": said}


def _whole(message: Mapping[str, Any], uses: list[Any]) -> list[Any] | None:
    """Return the original blocks of a message, with ``uses`` as its calls; None if they are missing or do not fit."""
    blocks = message.get(WHOLE)
    if not isinstance(blocks, list | tuple) or not all(isinstance(block, Mapping) for block in blocks):
        return None
    if sum(block.get("type") == "tool_use" for block in blocks) != len(uses):
        return None
    left = iter(uses)
    return [next(left) if block.get("type") == "tool_use" else block for block in blocks]


def _list_of(message: dict[str, Any], key: str) -> Sequence[Any] | None:
    """Remove a list from a message and return it; None if the message has none."""
    return message.pop(key) if isinstance(message.get(key), list | tuple) else None


def _tool_use(call: Any) -> Any:
    """Return a tool call as a block; anything that is not a call in OpenAI's format is returned unchanged."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    name, arguments = function.get("name"), function.get("arguments") or "{}"  # empty if there are no parameters
    try:
        given = loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        given = None
    if not isinstance(given, Mapping):
        raise ValueError(f"the arguments of the call of {name!r} are not a JSON object: {arguments!r}")
    beside = {key: value for key, value in call.items() if key in OF_CALLS}
    return {"type": "tool_use", "id": call.get("id"), "name": name, "input": given, **beside}


def _blocks_of(content: Any) -> Any:
    """Return a content with its images and PDFs as blocks; texts and existing blocks stay unchanged."""
    return [_block(part) for part in content] if isinstance(content, list | tuple) else content


def _block(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    kind = part.get("type")
    found = {"image_url": _image, "file": _document}.get(kind, _none)(part) if isinstance(kind, str) else None
    if found is None:
        return part
    return {**{key: value for key, value in part.items() if key not in ("type", kind)}, **found}


def _none(part: Mapping[str, Any]) -> None:
    """Return None for a part that has no translation."""


def _image(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the block of an image; the API has no counterpart of ``detail``."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        return None
    data = _DATA_URL.fullmatch(url)
    source = {"type": "url", "url": url} if data is None else _base64(data[1], data[2])
    return {"type": "image", "source": source}


def _document(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the block of a PDF whose data the part holds; None for any other file."""
    file = part.get("file")
    data = _DATA_URL.fullmatch(str(file.get("file_data"))) if isinstance(file, Mapping) else None
    if data is None or data[1] != PDF or not isinstance(file, Mapping):
        return None
    name = file.get("filename")
    title = {} if name in (None, UNNAMED) else {"title": name}
    return {"type": "document", "source": _base64(PDF, data[2]), **title}


def _base64(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": data}
