"""A row as a judge reads it: its input, what a right answer says, and what the model said.

A judge's ``TEMPLATE_VERSION`` is raised where one of them changes.
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
"""In the types of parts of a content that are no text, in the words of OpenAI, Anthropic and vLLM."""


def shown_answer(response: Response) -> str:
    """Return what a model said, as ``shown_reply`` does."""
    calls, stop = plain(response.tool_calls), response.finish_reason
    return shown_reply(response.text, {"refusal": response.refusal, "tool_calls": calls, "finish_reason": stop})


def shown_reply(text: str, detail: Mapping[str, Any]) -> str:
    """Return a reply as text: its text and its calls of tools; where it has neither, a refusal, or how it ended.

    Args:
        text: of the reply.
        detail: its ``tool_calls``, ``refusal`` and ``finish_reason``, if there.
    """
    said = _shown_message(text, detail)
    return said if said.strip() else f"(no text; finish_reason {detail.get('finish_reason') or 'unknown'})"


def _shown_message(text: str | None, detail: Mapping[str, Any]) -> str:
    """Return a message of a chat as text: what ``text`` says, and the calls of tools or the refusal of ``detail``."""
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
    """Return the names and arguments of called tools; ``told`` has them as they are stored or in OpenAI's form."""
    found = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    wanted = [each.get("function") or each.get("custom") or each for each in found]
    return [
        (str(each.get("name", "?")), _text(each.get("arguments", each.get("input", "")), indent=None))
        for each in wanted
        if isinstance(each, Mapping)
    ]


def shown_input(value: Any) -> str:
    """Return a row's input as text: a string as it is, a chat by roles, an object by its keys, all else as JSON.

    Of a picture or a file in a chat it says only that it is there.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n\n".join(f"{key}:\n{_text(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and all(isinstance(each, Mapping) and "role" in each for each in value):
        return "\n\n".join(f"{each['role']}:\n{shown_in_chat(each)}" for each in value)
    return _text(value)


def shown_reference(target: Any) -> str | None:
    """Return what a right answer says, as text; None where the row has no target.

    Of a list of texts, and of an object with ``answer`` and perhaps ``aliases`` alone, each is as right as the others;
    any other target is shown whole, as JSON.
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
    """Return a message of a chat as text; of a picture or a file in it no more than that it is there."""
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
