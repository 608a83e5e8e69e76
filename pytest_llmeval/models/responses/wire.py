"""Parser of answers of the Responses API, plain or streamed.

Finish reasons are translated into those of chat completions, so that a test reads the same with either API. The calls
of the vendor's own tools (``web_search_call`` and the like) are in the response's ``extra``, in order with the
reasoning around them, and so are the citations of the text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.http.event_stream import is_event_stream, read_events
from pytest_llmeval.models.http.wire import (
    Redact,
    UnexpectedError,
    excerpt,
    json_object,
    malformed,
    named_call,
    spoken,
    token_count,
)
from pytest_llmeval.models.message_keys import PHASE, REASONING_ITEMS

__all__ = ["read_response"]

_CALLS = frozenset({"custom_tool_call", "function_call"})
_NOT_GIVEN_BACK = frozenset({"image_generation_call", "message", *_CALLS})
"""Types of items that become fields of a response, and of images, which may take megabytes."""
_LAST_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete"})
_INCOMPLETE = {"max_output_tokens": "length"}
"""Reasons for an early end, with the finish reason of chat completions if there is one."""
_FAILED = {
    "insufficient_quota": ErrorKind.QUOTA,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "bio_policy": ErrorKind.FILTERED,
    "content_filter": ErrorKind.FILTERED,
    "image_content_policy_violation": ErrorKind.FILTERED,
    "misalignment_policy_violation": ErrorKind.FILTERED,
    "data_residency_mismatch": ErrorKind.BAD_REQUEST,
    "invalid_prompt": ErrorKind.BAD_REQUEST,
}
"""Kinds of error by code of a failed answer; other codes, except those about images, count as errors of the server."""
_OF_IMAGES = "image"
"""Part of the codes of answers that failed because an image of the request is invalid."""
_FLAGGED = "flagged"
"""Word in the message under the code ``invalid_prompt`` if a filter refused the prompt."""
_RETRYABLE = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.SERVER_ERROR})


def read_response(body: bytes, redact: Redact, *, content_type: str = "") -> Response:
    """Return the answer in ``body``, which may be a stream of events; the caller adds latency, attempts and cost.

    Raises:
        AttemptError: of kind ``filtered`` if a content filter ended the answer, of the kind that the error's code
            stands for if the answer failed, ``truncated_stream`` if a stream ended before the answer did, else
            ``malformed_response``.
    """
    data: dict[str, Any] = {}
    try:
        data = _streamed(body) if is_event_stream(content_type) else json_object(body, may_be_error=_has_failed)
        return _response(data, redact)
    except UnexpectedError as problem:
        raise malformed("none of the Responses API", problem, body, _usage(data.get("usage")), redact) from None


def _has_failed(data: Mapping[str, Any]) -> bool:
    """Return whether an answer has the status ``failed``; ``_failure`` reads its error."""
    return data.get("status") == "failed"


def _streamed(body: bytes) -> dict[str, Any]:
    """Return the complete answer, which the last of the events in ``body`` holds."""
    for name, event in read_events(body):
        data = json_object(event)
        kind = spoken(data.get("type")) or name
        if kind == "error":
            raise UnexpectedError("an error among the events", event)
        answer = data.get("response")
        if kind in _LAST_EVENTS and isinstance(answer, dict):
            return answer
    message = "the stream ended without the event of an answer that is complete"
    raise AttemptError(ErrorKind.TRUNCATED_STREAM, message, retryable=True, usage=Usage())


def _response(data: dict[str, Any], redact: Redact) -> Response:
    """Return the response in ``data``."""
    finish_reason = _finish_reason(data, redact)
    items = _items(data.get("output"), "output")
    messages = [item for item in items if item["type"] == "message"]
    parts = [part for item in messages for part in _items(item.get("content"), "content")]
    called = [item for item in items if item["type"] in _CALLS]
    calls = tuple(
        named_call(item, item.get("call_id"), is_custom=item["type"] == "custom_tool_call") for item in called
    )
    return Response(
        text=_joined(parts, "output_text", "text"),
        tool_calls=calls,
        finish_reason="tool_calls" if calls and finish_reason in (None, "stop") else finish_reason,
        usage=_usage(data.get("usage")),
        model=spoken(data.get("model")),
        refusal=_joined(parts, "refusal", "refusal") or None,
        extra=_extra(items, messages, parts),
    )


def _finish_reason(data: dict[str, Any], redact: Redact) -> str | None:
    """Return why the answer ended; None if the server does not say. Raise if the answer failed or is not usable."""
    status = data.get("status")
    if _has_failed(data):
        raise _failure(data, redact)
    if status == "incomplete":
        details = data.get("incomplete_details")
        reason = spoken(details.get("reason")) if isinstance(details, dict) else None
        if reason == "content_filter":
            message = "the provider's content filter ended the answer"
            raise AttemptError(ErrorKind.FILTERED, message, usage=_usage(data.get("usage")))
        return _INCOMPLETE.get(reason or "", reason or "incomplete")
    if status not in ("completed", None):
        raise UnexpectedError("an answer that is not complete")
    return "stop" if status else None


def _failure(data: dict[str, Any], redact: Redact) -> AttemptError:
    """Return the error for an answer with the status ``failed``."""
    error = data.get("error")
    told = error if isinstance(error, dict) else {}
    code, message = spoken(told.get("code")) or "no code", spoken(told.get("message")) or ""
    kind = _FAILED.get(code, ErrorKind.BAD_REQUEST if _OF_IMAGES in code else ErrorKind.SERVER_ERROR)
    if code == "invalid_prompt" and _FLAGGED in message.lower():
        kind = ErrorKind.FILTERED
    shown = excerpt(f"{code}: {message}".encode("utf-8", "surrogatepass"), redact)
    is_told = isinstance(data.get("usage"), dict)
    return AttemptError(
        kind,
        f"the server made no answer: {shown}",
        retryable=kind in _RETRYABLE,
        param="messages" if kind is ErrorKind.BAD_REQUEST else None,
        # After an error of the server it is not known how many tokens were generated before it.
        usage=_usage(data.get("usage")) if is_told or kind is ErrorKind.SERVER_ERROR else None,
    )


def _items(value: object, what: str) -> list[dict[str, Any]]:
    """Return a checked list of items or of content parts, each with a type; the list may be empty."""
    if not isinstance(value, list):
        raise UnexpectedError(f"{what} is not a list")
    if not all(isinstance(each, dict) and isinstance(each.get("type"), str) for each in value):
        raise UnexpectedError(f"a part of {what} without a type")
    return value


def _joined(parts: Iterable[Mapping[str, Any]], kind: str, key: str) -> str:
    """Return the joined texts under ``key`` of the parts of type ``kind``."""
    texts = [part.get(key) for part in parts if part["type"] == kind]
    if not all(isinstance(text, str) for text in texts):
        raise UnexpectedError(f"a part of type {kind} whose {key} is not a string")
    return "".join(text for text in texts if isinstance(text, str))


def _extra(items: list[dict[str, Any]], messages: list[dict[str, Any]], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parts of the answer for which a response has no fields.

    These are its reasoning with the calls of the vendor's tools; ``phase``, which says whether it is the final answer
    or a comment before it, if all of its messages agree; and the citations of its text, in the format of chat
    completions.
    """
    reasoning = [item for item in items if item["type"] not in _NOT_GIVEN_BACK]
    phases = [item.get(PHASE) for item in messages]
    lists = [part["annotations"] for part in parts if isinstance(part.get("annotations"), list)]
    annotations = [_annotation(each) for listed in lists for each in listed]
    extra = {
        REASONING_ITEMS: reasoning,
        PHASE: phases[0] if phases and all(phase == phases[0] for phase in phases) else None,
        "annotations": annotations,
    }
    told: dict[str, Any] = plain({key: value for key, value in extra.items() if value})
    return told


def _annotation(annotation: Any) -> Any:
    """Return a citation in the format of chat completions, where that of a URL has its fields in a nested object."""
    if not isinstance(annotation, dict) or annotation.get("type") != "url_citation":
        return annotation
    cited = {key: value for key, value in annotation.items() if key != "type"}
    return {"type": "url_citation", "url_citation": cited}


def _usage(value: object) -> Usage:
    """Return the token counts, reasoning included; None for each that is missing or invalid."""
    if not isinstance(value, dict):
        return Usage()
    return Usage(
        input_tokens=token_count(value.get("input_tokens")), output_tokens=token_count(value.get("output_tokens"))
    )
