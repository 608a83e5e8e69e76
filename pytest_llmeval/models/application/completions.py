"""Chat completions: read an application's request, and form the answer as OpenAI would send it.

https://platform.openai.com/docs/api-reference/chat
"""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.types import Message, Response, ToolCall
from pytest_llmeval.models.application.assistant_message import assistant_message, call_ids
from pytest_llmeval.models.application.posted import Sent, as_event
from pytest_llmeval.models.application.responses_params import custom_names

__all__ = ["CompletionRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """An application's request for a chat completion."""

    messages: list[Message]
    params: dict[str, Any]
    is_streamed: bool
    wants_usage: bool
    """Whether the token counts are to be sent at the end of the stream."""

    @classmethod
    def read(cls, body: dict[str, Any]) -> "CompletionRequest":
        """Return the request in a body; raise CaseError if it asks for several choices."""
        params = {key: value for key, value in body.items() if key not in _ELSEWHERE}
        choices = body.get("n")  # dropped, as 1 is the default and some servers refuse it
        if choices not in (None, 1):
            told = f"n={choices!r}: the case's model gives one answer to a request; let the application ask once for"
            raise CaseError(f"{told} each", kind=ErrorKind.CODE)
        return cls(
            messages=[_with_content(message) for message in body.get("messages") or ()],
            params=params,
            is_streamed=bool(body.get("stream")),
            wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def answer(self, response: Response, name: str) -> Sent:
        """Return a response, of a model with this name, in the form in which OpenAI would send it."""
        message = _message(self, response)
        whole = {
            "id": "chatcmpl-llmeval",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": response.model or name,
            "system_fingerprint": response.system_fingerprint,
            "choices": [{"index": 0, "message": message, "finish_reason": response.finish_reason}],
            "usage": _usage(response),
        }
        if not self.is_streamed:
            return Sent(text=json.dumps(whole))
        chunks = [json.dumps(chunk) for chunk in _chunks(whole, message, wants_usage=self.wants_usage)]
        return Sent.events(map(as_event, [*chunks, "[DONE]"]))


_ELSEWHERE = frozenset({"messages", "model", "n", "stream", "stream_options"})
"""Keys of a body that are not parameters of the case's call."""
_IN_PLACE_OF_CONTENT = frozenset({"audio", "function_call", "refusal", "tool_calls"})
"""Keys with which OpenAI accepts a message without ``content``."""


def _with_content(message: Any) -> Any:
    """Return a message with the ``content`` key that ``Message`` requires: None if other keys replace it."""
    is_without = isinstance(message, dict) and message.keys() & _IN_PLACE_OF_CONTENT
    return {"content": None, **message} if is_without else message


def _chunks(whole: dict[str, Any], message: dict[str, Any], *, wants_usage: bool) -> list[dict[str, Any]]:
    """Return the events of a stream: one with the whole answer and, if requested, one with the token counts."""
    delta = dict(message)
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(delta["tool_calls"])]
    choice = {"index": 0, "delta": delta, "finish_reason": whole["choices"][0]["finish_reason"]}
    chunk = {**whole, "object": "chat.completion.chunk", "choices": [choice], "usage": None}
    return [chunk, {**chunk, "choices": [], "usage": whole["usage"]}] if wants_usage else [chunk]


def _message(asked: CompletionRequest, response: Response) -> dict[str, Any]:
    """Return the assistant's message with the model's answer."""
    custom = custom_names(asked.params)
    ids = call_ids(asked.messages, response.tool_calls)
    calls = [_tool_call(call, id_, custom) for call, id_ in zip(response.tool_calls, ids, strict=True)]
    return assistant_message(response.text, refusal=response.refusal, calls=calls, extra=response.extra)


def _tool_call(call: ToolCall, id_: str, custom: Collection[str]) -> dict[str, Any]:
    if call.name in custom:
        return {"id": id_, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(response: Response) -> dict[str, int] | None:
    """Return the token counts; None if one of them is not known."""
    asked, said = response.usage.input_tokens, response.usage.output_tokens
    if asked is None or said is None:
        return None
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
