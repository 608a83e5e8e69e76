"""Keys of a chat message that one API alone knows: they go from its answers back to it, and to no other."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["IN_PLACE", "PHASE", "REASONING_ITEMS", "WHOLE", "without_foreign_keys"]

WHOLE = "content_blocks"
"""Key of a message of Anthropic that is more than thoughts, then a text, then calls: all of its blocks."""
IN_PLACE = "in_place"
"""Key of a system message that stands among the others in that API, too, and is not part of its system prompt."""
REASONING_ITEMS = "reasoning_items"
"""The key of an assistant's message under which it has its reasoning, and what the vendor's tools did in its course, as
the server said it: the API refuses the one without the other."""
PHASE = "phase"
"""The key of an assistant's message that says whether it is the final answer, or a comment on the way there."""
_OF_OTHERS = frozenset({"is_error", IN_PLACE, WHOLE, REASONING_ITEMS})
"""What the APIs of messages and of responses alone are told: a tool says in its text that something went wrong."""
_OF_GATEWAYS = frozenset({"cache_control"})
"""Marks that gateways hand on to Anthropic, and that OpenAI, which caches by itself, refuses."""
_OF_RESPONSES = frozenset({PHASE})
"""What gateways hand on to OpenAI's own models, whose chat completions refuse it."""


def without_foreign_keys(
    messages: Iterable[Mapping[str, Any]],
    params: Mapping[str, Any],
    *,
    is_openai: bool,
    own: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return messages and parameters as they are sent, in one object.

    Args:
        messages: in the words of the OpenAI protocol.
        params: the same.
        is_openai: whether OpenAI itself is asked, and no other server of its protocol.
        own: keys of an API beside chat completions that is asked.
    """
    keys = (_OF_OTHERS | _OF_GATEWAYS | _OF_RESPONSES if is_openai else _OF_OTHERS) - own
    told = {**params, "messages": [_without(message, keys) for message in messages]}
    if not is_openai:
        return told
    kept = _without(told, _OF_GATEWAYS)
    return {**kept, "tools": _all_without(kept["tools"], _OF_GATEWAYS)} if "tools" in kept else kept


def _without(value: Any, keys: frozenset[str]) -> Any:
    """Return an object without ``keys``, of its own and of the parts and calls in it."""
    if not isinstance(value, Mapping):
        return value
    told = {key: each for key, each in value.items() if key not in keys}
    for name in ("content", "tool_calls"):
        if name in told:
            told[name] = _all_without(told[name], keys)
    return told


def _all_without(values: Any, keys: frozenset[str]) -> Any:
    return [_without(value, keys) for value in values] if isinstance(values, list | tuple) else values
