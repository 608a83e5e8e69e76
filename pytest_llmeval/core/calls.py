"""Conversion of asks and responses into stored call records, and of a stored record back into a response."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import one_line, storable
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Ask, Call, Response, ToolCall, Usage

__all__ = ["answered", "ask_name", "failed", "response_of"]

_NAME_LENGTH = 16
_LONGEST_ERROR = 2000


def ask_name(ask: Ask) -> str:
    """Return a call's name, unique within its case and the same in every process and session.

    The name is a digest of role, model and request, followed by the number of the call among equal ones (``nth``). A
    case that runs again therefore uses the same names, in whatever order its calls finish.

    Raises:
        CallError: the request contains something that JSON cannot represent.
    """
    try:
        text = canonical([ask.role, ask.model, ask.request.messages, ask.request.params])
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{ask.model}: messages or params cannot be sent as JSON: {error}{_instead(ask.request.params)}"
        raise CallError(message, kind=ErrorKind.BAD_REQUEST, attempts=0) from None
    return f"{digest(text)[:_NAME_LENGTH]}-{ask.nth}"


def _instead(params: Mapping[str, Any]) -> str:
    """Return advice on a parameter that is a class, whose JSON Schema a vendor's own client would send; else ``""``."""
    found = next((name for name, value in params.items() if isinstance(value, type)), None)
    if found is None:
        return ""
    return (
        f"; {found} is the class {params[found].__name__}: pass its JSON Schema, or ask through openai_client(model)"
        " (in an async test async_openai_client(model))"
    )


def answered(ask: Ask, response: Response, name: str) -> Call:
    """Return the record of an answered call."""
    said: dict[str, Any] = {
        "finish_reason": response.finish_reason,
        "model": response.model,
        "system_fingerprint": response.system_fingerprint,
        "refusal": response.refusal,
        "tool_calls": [_tool_call(each) for each in response.tool_calls] or None,
        "extra": plain(response.extra) or None,
    }
    if storable(response.text) != response.text:  # the table holds an escaped text; ``response_of`` needs the original
        said["text"] = response.text
    return Call(
        name=name,
        role=ask.role,
        model=ask.model,
        request=plain(ask.request),
        response=response.text,
        status="ok",
        attempts=response.attempts,
        latency_s=response.latency_s,
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        cost_usd=response.cost_usd,
        cached=response.cached,
        cache_key=response.cache_key,
        detail={key: value for key, value in said.items() if value is not None},
    )


def _tool_call(call: ToolCall) -> dict[str, str]:
    named = {} if call.id is None else {"id": call.id}
    return {**named, "name": call.name, "arguments": call.arguments}


def failed(ask: Ask, error: CallError, name: str) -> Call:
    """Return the record of a failed call."""
    return Call(
        name=name,
        role=ask.role,
        model=ask.model,
        request=plain(ask.request),
        response=None,
        status=str(error.kind),
        attempts=error.attempts,
        latency_s=error.latency_s,
        input_tokens=None,
        output_tokens=None,
        cost_usd=error.cost_usd if error.attempts else 0.0,
        cached=error.cached,
        detail={"error": one_line(str(error), _LONGEST_ERROR)},
    )


def response_of(call: Call) -> Response:
    """Return the response that an answered call holds."""
    return Response(
        text=call.detail.get("text") or call.response or "",
        tool_calls=tuple(ToolCall(**each) for each in call.detail.get("tool_calls", ())),
        finish_reason=call.detail.get("finish_reason"),
        usage=Usage(input_tokens=call.input_tokens, output_tokens=call.output_tokens),
        latency_s=call.latency_s,
        model=call.detail.get("model"),
        system_fingerprint=call.detail.get("system_fingerprint"),
        attempts=call.attempts,
        cost_usd=call.cost_usd,
        cached=call.cached,
        refusal=call.detail.get("refusal"),
        extra=call.detail.get("extra", {}),
        cache_key=call.cache_key,
    )
