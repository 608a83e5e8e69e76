"""What a model said, as a message of a chat: given to an application, and sent back by it."""

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
    """Return the message; what was not said is left out, as servers differ in what they take back.

    Args:
        content: a text or its parts.
        refusal: the text of one; None without.
        calls: of tools, in OpenAI's form.
        extra: what else the message of the server held, as ``core.types.Response.extra`` has it.
    """
    message: dict[str, Any] = {"role": "assistant", "content": content, **extra}
    besides = message.pop("tool_calls", [])
    if refusal is not None:
        message["refusal"] = refusal
    told = [{**call, **beside} for call, beside in zip(calls, chain(besides, repeat({})), strict=False)]
    if told:
        message["tool_calls"] = told
    if not message["content"] and message.keys() & {"refusal", "tool_calls"}:
        message["content"] = None
    return message


def call_ids(messages: Sequence[Message], calls: Sequence[ToolCall]) -> list[str]:
    """Return the ids of the tool calls of an answer to ``messages``, which the application sends back.

    They are the server's, as some templates know a call by them. One that the server gave none, or gave to two, also in
    an earlier answer, gets one of these messages alone, and the same whenever they are answered again: nine letters and
    digits, as Mistral's models demand (https://docs.vllm.ai/en/latest/features/tool_calling.html).
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
