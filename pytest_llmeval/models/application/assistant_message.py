"""Assistant messages of a chat, as given to an application and sent back by it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Message, ToolCall

__all__ = ["assistant_message", "call_ids"]


def assistant_message(
    content: Any, *, refusal: str | None, calls: Iterable[Mapping[str, Any]], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the message, without keys for which there is no value, as servers differ in what they accept.

    Args:
        content: the text, or its parts.
        refusal: the text of a refusal; None if it is none.
        calls: tool calls in OpenAI's format.
        extra: further content of the server's message, as in ``core.types.Response.extra``.
    """
    message: dict[str, Any] = {"role": "assistant", "content": content, **extra}
    besides = message.pop("tool_calls", [])
    if refusal is not None:
        message["refusal"] = refusal
    parts = [{**call, **beside} for call, beside in zip(calls, chain(besides, repeat({})), strict=False)]
    if parts:
        message["tool_calls"] = parts
    if not message["content"] and message.keys() & {"refusal", "tool_calls"}:
        message["content"] = None
    return message


def call_ids(messages: Sequence[Message], calls: Sequence[ToolCall]) -> list[str]:
    """Return the ids of the tool calls of an answer to ``messages``, which the application sends back.

    The server's ids are kept, as some templates identify a call by its id. A call whose id is missing, or not unique in
    the answer and ``messages``, gets an id derived from ``messages``, which is the same each time they are answered:
    nine letters and digits, as Mistral's models require (https://docs.vllm.ai/en/latest/features/tool_calling.html).
    """
    taken = Counter([*_told_ids(messages), *(call.id for call in calls)])
    return [
        call.id if call.id and taken[call.id] == 1 else digest(canonical([messages, index]))[:9]
        for index, call in enumerate(calls)
    ]


def _told_ids(messages: Sequence[Message]) -> Iterator[object]:
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list | tuple) else ():
            yield call.get("id") if isinstance(call, Mapping) else None
