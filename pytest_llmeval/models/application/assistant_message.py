"""What a model said, as a message of a chat: given to an application, and sent back by it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Message

__all__ = ["assistant_message", "call_id"]


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


def call_id(messages: Sequence[Message], index: int) -> str:
    """Return the id of a tool call: one of these messages alone, and the same whenever they are answered again.

    The application sends it back, so that a cached or resumed answer is found by it. Nine letters and digits, as
    Mistral's models demand: https://docs.vllm.ai/en/latest/features/tool_calling.html
    """
    return digest(canonical([messages, index]))[:9]
