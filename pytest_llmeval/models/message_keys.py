"""Keys of chat messages that only one API knows: they are sent back to that API and removed for all others."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["IN_PLACE", "PHASE", "REASONING_ITEMS", "WHOLE", "without_foreign_keys"]

WHOLE = "content_blocks"
"""All blocks of an Anthropic message whose content is not just reasoning, then a text, then tool calls."""
IN_PLACE = "in_place"
"""Marks a system message that Anthropic's API takes among the other messages, not as part of the system prompt."""
REASONING_ITEMS = "reasoning_items"
"""Reasoning of an assistant's message and the calls of the vendor's tools during it, as the server returned them.

The API refuses either of them without the other.
"""
PHASE = "phase"
"""Says whether an assistant's message is the final answer or a comment before it."""
_OF_OTHERS = frozenset({"is_error", IN_PLACE, WHOLE, REASONING_ITEMS})
"""Keys that only the Messages and Responses APIs get; in chat completions a tool reports an error in its text."""
_OF_GATEWAYS = frozenset({"cache_control"})
"""Keys that gateways pass on to Anthropic, and that OpenAI, which caches by itself, refuses."""
_OF_RESPONSES = frozenset({PHASE})
"""Keys that gateways pass on to OpenAI's own models, and that OpenAI's chat completions refuse."""


def without_foreign_keys(
    messages: Iterable[Mapping[str, Any]],
    params: Mapping[str, Any],
    *,
    is_openai: bool,
    own: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return messages and parameters in one object, as they are sent.

    Args:
        messages: chat messages in the format of OpenAI's protocol.
        params: parameters in that format.
        is_openai: whether the request goes to OpenAI itself, not to another server of its protocol.
        own: keys to keep because the API that is called knows them.
    """
    keys = (_OF_OTHERS | _OF_GATEWAYS | _OF_RESPONSES if is_openai else _OF_OTHERS) - own
    fields = {**params, "messages": [_without(message, keys) for message in messages]}
    if not is_openai:
        return fields
    kept = _without(fields, _OF_GATEWAYS)
    return {**kept, "tools": _all_without(kept["tools"], _OF_GATEWAYS)} if "tools" in kept else kept


def _without(value: Any, keys: frozenset[str]) -> Any:
    """Return an object without ``keys``, also in its content parts and tool calls; return other values unchanged."""
    if not isinstance(value, Mapping):
        return value
    fields = {key: each for key, each in value.items() if key not in keys}
    for name in ("content", "tool_calls"):
        if name in fields:
            fields[name] = _all_without(fields[name], keys)
    return fields


def _all_without(values: Any, keys: frozenset[str]) -> Any:
    return [_without(value, keys) for value in values] if isinstance(values, list | tuple) else values
