"""Parser of chat completions, plain or streamed."""

from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Response, ToolCall, Usage
from pytest_llmeval.models.chat.chunks import merged
from pytest_llmeval.models.http.event_stream import is_event_stream, read_events
from pytest_llmeval.models.http.wire import (
    Redact,
    UnexpectedError,
    json_object,
    malformed,
    named_call,
    spoken,
    token_count,
)

__all__ = ["read_completion"]

_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource", "network_error", "function_call_filter"})
"""Finish reasons of answers that broke off: OpenRouter's (https://openrouter.ai/docs/api-reference/errors), vLLM's
(vllm/v1/engine/__init__.py, FinishReason), DeepSeek's, GLM's and Gemini's."""
_FILTERED = frozenset({"content_filter", "sensitive"})
"""Finish reasons of answers that a filter ended. Gemini adds the cause after a colon; ``sensitive`` is GLM's."""
_CUT = frozenset({"model_length", "model_context_window_exceeded"})
"""Finish reasons of Mistral and GLM for answers that filled the context; other servers say ``length``."""
_COUNTS = {"prompt_tokens", "completion_tokens", "total_tokens"}
_NAMED = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio"})
"""Keys of a message that become fields of a response; of audio only the transcript, as sound may take megabytes."""
_NAMED_IN_CALL = frozenset({"id", "index", "type", "function", "custom"})


def read_completion(body: bytes, redact: Redact, *, content_type: str = "") -> Response:
    """Return the first choice of a chat completion, which may be a stream of events.

    Raises:
        AttemptError: of kind ``filtered`` if a content filter ended the answer, ``server_error`` if the server says
            that it broke off the answer, ``truncated_stream`` if a stream ended before the answer did, else
            ``malformed_response``.
    """
    data: dict[str, Any] = {}
    try:
        data = _streamed(body) if is_event_stream(content_type) else json_object(body)
        return _response(data)
    except UnexpectedError as problem:
        raise malformed("no chat completion", problem, body, _usage(data.get("usage")), redact) from None


def _streamed(body: bytes) -> dict[str, Any]:
    """Return the completion merged from the events in ``body``."""
    data = merged([_chunk(name, event) for name, event in read_events(body)])
    if not data["choices"][0]["finish_reason"]:
        message = "the stream ended without a finish_reason"
        raise AttemptError(ErrorKind.TRUNCATED_STREAM, message, retryable=True, usage=_usage(data.get("usage")))
    return data


def _chunk(name: str, event: bytes) -> dict[str, Any]:
    """Return the JSON object of one event; an error beside a choice ends an answer that has begun, and is accepted."""
    if name == "error":
        raise UnexpectedError("an error under status 200", event)
    return json_object(event, may_be_error=lambda data: bool(data.get("choices")))


def _response(data: dict[str, Any]) -> Response:
    """Return the response in ``data``; the caller adds latency, attempts and cost."""
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise UnexpectedError("no choices[0].message")
    message, finish_reason = choice.get("message"), spoken(choice.get("finish_reason"))
    ended = (finish_reason or "").partition(":")[0].strip()
    if ended in _FILTERED:
        told = "the provider's content filter ended the answer"
        raise AttemptError(ErrorKind.FILTERED, told, usage=_usage(data.get("usage")))
    if not isinstance(message, dict):
        raise UnexpectedError("no choices[0].message")
    if choice.get("error") or ended in _BROKEN_OFF:
        told = f"the server broke off its answer (finish_reason {finish_reason!r})"
        raise AttemptError(ErrorKind.SERVER_ERROR, told, retryable=True, usage=_usage(data.get("usage")))
    finish_reason = "length" if finish_reason in _CUT else finish_reason
    refusal, calls = spoken(message.get("refusal")), _calls_in(message)
    tool_calls = _tool_calls(calls)
    return Response(
        text=_text(message, may_be_empty=bool(refusal or tool_calls) or finish_reason == "length"),
        tool_calls=tool_calls,
        finish_reason=finish_reason,
        usage=_usage(data.get("usage")),
        model=spoken(data.get("model")),
        system_fingerprint=spoken(data.get("system_fingerprint")),
        refusal=refusal,
        extra=_extra(message, calls),
    )


def _text(message: dict[str, Any], *, may_be_empty: bool) -> str:
    """Return the text of ``message``, or the transcript of its audio.

    The text may be missing from a refusal, from a tool call, or from an answer cut off before its first word.
    """
    content, audio = message.get("content"), message.get("audio")
    transcript = spoken(audio.get("transcript")) if isinstance(audio, dict) else None
    if not content and transcript is not None:
        return transcript
    if isinstance(content, str):
        return content
    if content is None and may_be_empty:
        return ""
    said = _said(content) if isinstance(content, list) else None
    if said or (said == "" and may_be_empty):
        return said
    raise UnexpectedError(f"content is {'null' if content is None else type(content).__name__}, not a string")


def _said(parts: list[Any]) -> str | None:
    """Return the joined text parts of a content that also has thinking parts; None if it has no thinking part.

    Mistral's thinking models answer like this: https://docs.mistral.ai/capabilities/reasoning/native
    """
    blocks = [part for part in parts if isinstance(part, dict)]
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    if all(block.get("type") != "thinking" for block in blocks):
        return None
    return "".join(text for text in texts if isinstance(text, str))


def _calls_in(message: dict[str, Any]) -> object:
    """Return the tool calls of ``message``, or the call in the older ``function_call`` if it has none.

    Some servers send an empty ``function_call`` with each answer. One without a function's name counts as a broken
    call only if it has arguments or is not an object, and the message has no other content.
    """
    if message.get("tool_calls"):
        return message["tool_calls"]
    called = message.get("function_call")
    said = called if isinstance(called, dict) else {"arguments": called}
    is_broken = said.get("arguments") and not any(message.get(key) for key in ("content", "refusal", "audio"))
    return [{"function": called}] if spoken(said.get("name")) or is_broken else []


def _extra(message: dict[str, Any], calls: object) -> dict[str, Any]:
    """Return the parts of ``message`` and of its tool calls for which a response has no fields."""
    extra = {key: value for key, value in message.items() if key not in _NAMED and value not in (None, [], {})}
    if isinstance(message.get("content"), list):
        extra["content"] = message["content"]
    dicts = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    besides = [{key: value for key, value in call.items() if key not in _NAMED_IN_CALL} for call in dicts]
    if any(besides):
        extra["tool_calls"] = besides
    told: dict[str, Any] = plain(extra)
    return told


def _tool_calls(calls: object) -> tuple[ToolCall, ...]:
    """Return the calls of functions and custom tools in a message."""
    if not isinstance(calls, list):
        raise UnexpectedError("tool_calls is not a list")
    return tuple(map(_tool_call, calls))


def _tool_call(call: object) -> ToolCall:
    said = call if isinstance(call, dict) else {}
    is_custom = said.get("type") == "custom"
    found = said.get("custom" if is_custom else "function")
    tool = found if isinstance(found, dict) else {}
    return named_call(tool, said.get("id"), is_custom=is_custom)


def _usage(value: object) -> Usage:
    """Return the token counts; None for each that is missing or invalid."""
    if not isinstance(value, dict):
        return Usage()
    asked, said = token_count(value.get("prompt_tokens")), token_count(value.get("completion_tokens"))
    if asked is not None and said is not None:
        said += _thought_beside(value, asked + said)
    return Usage(input_tokens=asked, output_tokens=said)


def _thought_beside(usage: dict[str, Any], told: int) -> int:
    """Return the reasoning tokens that ``usage`` counts in its total but not in prompt and completion (``told``).

    xAI also reports their number; Gemini's endpoint in OpenAI's format reports only the three counts. Other tokens
    that a total may include, such as a gateway's cached input, are not output of the model.
    """
    total, details = token_count(usage.get("total_tokens")), usage.get("completion_tokens_details")
    beside = 0 if total is None else max(0, total - told)
    thought = token_count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    is_all = {key for key, count in usage.items() if count is not None} == _COUNTS
    return beside if is_all or thought == beside else 0
