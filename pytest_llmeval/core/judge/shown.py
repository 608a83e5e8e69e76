"""Rendering of a row for a judge as text: its input, the reference answer and the model's reply.

If one of these changes, the judge's ``TEMPLATE_VERSION`` must be increased.
"""

import re
from collections.abc import Mapping, Sequence
from json import dumps
from typing import Any

from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Response

__all__ = [
    "called_tools",
    "shown_answer",
    "shown_in_chat",
    "shown_input",
    "shown_reference",
    "shown_reply",
]

_MEDIUM = re.compile("image|audio|video|file|document")
"""Words in the types of content parts that are not text, as OpenAI, Anthropic and vLLM name them."""


def shown_answer(response: Response) -> str:
    """Return a model's response as text, see ``shown_reply``."""
    calls, stop = plain(response.tool_calls), response.finish_reason
    return shown_reply(response.text, {"refusal": response.refusal, "tool_calls": calls, "finish_reason": stop})


def shown_reply(text: str, detail: Mapping[str, Any]) -> str:
    """Return a reply as text: its text and tool calls; if it has no text, also a refusal, or else how it ended.

    Args:
        text: text of the reply.
        detail: the reply's ``tool_calls``, ``refusal`` and ``finish_reason``, where present.
    """
    said = _shown_message(text, detail)
    return said if said.strip() else f"(no text; finish_reason {detail.get('finish_reason') or 'unknown'})"


def _shown_message(text: str | None, detail: Mapping[str, Any]) -> str:
    """Return a chat message as text: ``text``, and the tool calls or the refusal in ``detail``."""
    refusal = detail.get("refusal")
    calls = "\n".join(f"{name}({arguments})" for name, arguments in called_tools(detail.get("tool_calls")))
    if text is not None and text.strip():
        return f"{text}\n\n(calls of tools:)\n{calls}" if calls else text
    parts = [
        *([f"(no text; a refusal:)\n{refusal}"] if refusal else []),
        *([f"(no text; calls of tools:)\n{calls}"] if calls else []),
    ]
    return "\n\n".join(parts) or ("null" if text is None else text)


def called_tools(told: Any) -> list[tuple[str, str]]:
    """Return the names and arguments of tool calls, given in the stored format or in OpenAI's."""
    found = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    wanted = [each.get("function") or each.get("custom") or each for each in found]
    return [
        (str(each.get("name", "?")), _text(each.get("arguments", each.get("input", "")), indent=None))
        for each in wanted
        if isinstance(each, Mapping)
    ]


def shown_input(value: Any) -> str:
    """Return a row's input as text: a string unchanged, a chat by roles, an object by keys, anything else as JSON.

    Images and files in a chat are only mentioned.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n\n".join(f"{key}:\n{_text(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and all(isinstance(each, Mapping) and "role" in each for each in value):
        return "\n\n".join(f"{each['role']}:\n{shown_in_chat(each)}" for each in value)
    return _text(value)


def shown_reference(target: Any) -> str | None:
    """Return the reference answer as text; None if the row has no target.

    The strings of a list, or of an object with just ``answer`` and perhaps ``aliases``, are shown as alternatives. Any
    other target is shown as JSON.
    """
    if target is None or isinstance(target, str):
        return target
    texts = target
    if isinstance(target, Mapping) and {"answer"} <= {*target} <= {"answer", "aliases"}:
        aliases = target.get("aliases", [])
        texts = [target["answer"], *aliases] if isinstance(aliases, list) else target
    if isinstance(texts, list) and texts and all(isinstance(each, str) for each in texts):
        return "\nor: ".join(texts)
    return _text(target)


def shown_in_chat(message: Mapping[str, Any]) -> str:
    """Return a chat message as text; images and files in it are only mentioned."""
    content = message.get("content")
    said = "\n".join(map(_part, content)) if isinstance(content, list) else content
    return _shown_message(None if said is None else _text(said), message)


def _part(part: Any) -> str:
    if isinstance(part, Mapping):
        kind = str(part.get("type"))
        return str(part["text"]) if "text" in part else f"({kind})" if _MEDIUM.search(kind) else _text(part)
    return _text(part)


def _text(value: Any, *, indent: int | None = 1) -> str:
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False, indent=indent, default=str)
