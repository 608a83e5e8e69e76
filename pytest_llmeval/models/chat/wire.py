"""The bytes of a chat completion."""

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
"""Finish reasons of answers that came to no end, of OpenRouter (https://openrouter.ai/docs/api-reference/errors), vLLM
(vllm/v1/engine/__init__.py, FinishReason), DeepSeek, GLM and Gemini."""
_FILTERED = frozenset({"content_filter", "sensitive"})
"""Those of answers that a filter ended; Gemini says why behind a colon, GLM says the latter."""
_CUT = frozenset({"model_length", "model_context_window_exceeded"})
"""Those of answers that ended where the context did, of Mistral and GLM: others say ``length``."""
_COUNTS = {"prompt_tokens", "completion_tokens", "total_tokens"}
_NAMED = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio"})
"""Keys of a message that a response has fields for; of audio it keeps what is said, as the sound may be megabytes."""
_NAMED_IN_CALL = frozenset({"id", "index", "type", "function", "custom"})


def read_completion(body: bytes, redact: Redact, *, content_type: str = "") -> Response:
    """Return the first choice of a chat completion, which may have come as a stream of events.

    Raises:
        AttemptError: of kind ``filtered`` where a content filter ended the answer, ``server_error`` where the server
            says that it broke it off, ``truncated_stream`` where a stream ended before the answer did, else
            ``malformed_response``.
    """
    data: dict[str, Any] = {}
    try:
        data = _streamed(body) if is_event_stream(content_type) else json_object(body)
        return _response(data)
    except UnexpectedError as problem:
        raise malformed("no chat completion", problem, body, _usage(data.get("usage")), redact) from None


def _streamed(body: bytes) -> dict[str, Any]:
    """Return the completion that the events in ``body`` make up."""
    data = merged([_chunk(name, event) for name, event in read_events(body)])
    if not data["choices"][0]["finish_reason"]:
        message = "the stream ended without a finish_reason"
        raise AttemptError(ErrorKind.TRUNCATED_STREAM, message, retryable=True, usage=_usage(data.get("usage")))
    return data


def _chunk(name: str, event: bytes) -> dict[str, Any]:
    """Return the JSON object of one event; where an error ends an answer that has begun, it stands beside a choice."""
    if name == "error":
        raise UnexpectedError("an error under status 200", event)
    return json_object(event, may_be_error=lambda data: bool(data.get("choices")))


def _response(data: dict[str, Any]) -> Response:
    """Return the response in ``data``; latency, attempts and cost are the caller's."""
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
    """Return the text of ``message``, or the transcript of one that is spoken.

    A refusal, or an answer cut off before its first word, may lack it.
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
    """Return what the parts of a content say beside what they think; None where no thought is among them.

    Mistral's thinking models answer so: https://docs.mistral.ai/capabilities/reasoning/native
    """
    blocks = [part for part in parts if isinstance(part, dict)]
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    if all(block.get("type") != "thinking" for block in blocks):
        return None
    return "".join(text for text in texts if isinstance(text, str))


def _calls_in(message: dict[str, Any]) -> object:
    """Return the tool calls of ``message``; where it has none, the one of the older ``function_call``.

    Some servers send that with each answer, and it then names no function; it is one that is broken only where it has
    arguments, or is no object, and the message says nothing else.
    """
    if message.get("tool_calls"):
        return message["tool_calls"]
    called = message.get("function_call")
    said = called if isinstance(called, dict) else {"arguments": called}
    is_broken = said.get("arguments") and not any(message.get(key) for key in ("content", "refusal", "audio"))
    return [{"function": called}] if spoken(said.get("name")) or is_broken else []


def _extra(message: dict[str, Any], calls: object) -> dict[str, Any]:
    """Return what ``message`` and its tool calls hold beside that which a response has fields for."""
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
    """Return the calls of functions, and of custom tools, that a message holds."""
    if not isinstance(calls, list):
        raise UnexpectedError("tool_calls is no list")
    return tuple(map(_tool_call, calls))


def _tool_call(call: object) -> ToolCall:
    said = call if isinstance(call, dict) else {}
    is_custom = said.get("type") == "custom"
    found = said.get("custom" if is_custom else "function")
    tool = found if isinstance(found, dict) else {}
    return named_call(tool, said.get("id"), is_custom=is_custom)


def _usage(value: object) -> Usage:
    """Return the token counts; None in place of whatever is no count."""
    if not isinstance(value, dict):
        return Usage()
    asked, said = token_count(value.get("prompt_tokens")), token_count(value.get("completion_tokens"))
    if asked is not None and said is not None:
        said += _thought_beside(value, asked + said)
    return Usage(input_tokens=asked, output_tokens=said)


def _thought_beside(usage: dict[str, Any], told: int) -> int:
    """Return the tokens of thinking that ``usage`` has in its total and not among those that it has ``told``.

    xAI states their number, too; Gemini's endpoint in OpenAI's format states nothing but three counts. What else a
    total may have in it (a gateway's cached input, say) was not said by the model.
    """
    total, details = token_count(usage.get("total_tokens")), usage.get("completion_tokens_details")
    beside = 0 if total is None else max(0, total - told)
    thought = token_count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    is_all = {key for key, count in usage.items() if count is not None} == _COUNTS
    return beside if is_all or thought == beside else 0
