"""A row as a judge reads it: its input, what a right answer says, and what the model said."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmeval.core.types import Response

__all__ = ["shown_answer", "shown_input", "shown_reference"]


def shown_answer(response: Response) -> str:
    """Return the text of a response; of one without text what it is: a refusal, calls of tools, or how it ended."""
    if response.text.strip():
        return response.text
    calls = [{"name": call.name, "arguments": call.arguments} for call in response.tool_calls]
    parts = [
        *([f"(no text; a refusal:)\n{response.refusal}"] if response.refusal else []),
        *([f"(no text; calls of tools:)\n{_text(calls)}"] if calls else []),
    ]
    return "\n\n".join(parts) or f"(no text; finish_reason {response.finish_reason or 'unknown'})"


def shown_input(value: Any) -> str:
    """Return a row's input as text: a string as it is, a chat by roles, an object by its keys, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n\n".join(f"{key}:\n{_text(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and all(isinstance(each, Mapping) and "role" in each for each in value):
        return "\n\n".join(f"{each['role']}:\n{_text(each.get('content'))}" for each in value)
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
