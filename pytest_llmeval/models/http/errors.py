"""Turn HTTP responses outside 200-299 into errors: their kind, whether and when to retry, and what to do."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import loads
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.http.transport import CHAT_PATH
from pytest_llmeval.models.http.wire import Redact, excerpt

__all__ = ["advise", "read_failure", "retry_after_s"]

_KINDS = {
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.AUTH,
    408: ErrorKind.TIMEOUT,
    409: ErrorKind.SERVER_ERROR,
    429: ErrorKind.RATE_LIMITED,
}
# The parameter at fault for statuses whose error need not name one.
_PARAMS = {404: "model", 405: "model", 410: "model", 413: "messages"}
# OpenAI's message under status 429 for a single request larger than the limit of tokens per minute; it never passes.
_TOO_LARGE_MESSAGE = "request too large"
_REFUSED = frozenset({401, 403})
_QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "exceeded_current_quota_error"}
)
# Codes of Azure and DashScope for a prompt refused by a filter. OpenAI and Anthropic say so only in the message, under
# a code that also stands for other faults of a prompt.
_FILTER_CODES = frozenset({"content_filter", "data_inspection_failed"})
_FILTER_MESSAGES = {"invalid_prompt": "flagged", "invalid_request_error": "blocked by content filtering policy"}
# Anthropic's messages under status 400, with the code of any other bad request.
_QUOTA_MESSAGES = ("credit balance is too low", "reached your specified api usage limits")

_OF_FORMS = frozenset({"response_format", "tools", "tool_choice"})
"""Parameters that a judge adds itself, and leaves out if a server refuses them."""
_VERSION = re.compile(r"/v\d")
# Words of a 404 or 405 that concerns the model and not the address; Azure calls a model "deployment".
_MODEL = re.compile("model|deployment", re.IGNORECASE)
# OpenAI's words for a model (status 404) or a parameter (400) that only its Responses API knows.
_OTHER_API = re.compile("not a chat model|v1/responses", re.IGNORECASE)
_ASK_BY_IT = "; if the Responses API is to be asked, name the model in models.yaml, with 'api: responses'"


def read_failure(
    status: int, headers: Mapping[str, str], body: bytes, redact: Redact, now: datetime, *, url: str = ""
) -> AttemptError:
    """Return the error for a response with a status outside 200-299.

    Args:
        status: the HTTP status.
        headers: headers of the response, looked up in lower case.
        body: the decoded body, or its beginning.
        redact: replaces secrets in the part of the body that is quoted.
        now: the current time, with its time zone; a Retry-After date counts from it if the response has no Date.
        url: the requested URL, without secrets; shown if it may be the mistake.
    """
    if status < 400:
        location = headers.get("location", "") if status >= 300 else ""
        if not location:
            return AttemptError(
                ErrorKind.BAD_REQUEST, f"HTTP {status}: no answer; is this the address of a model server?"
            )
        target = excerpt(location.encode("utf-8", "backslashreplace"), redact)
        told = f"redirect to {target} is not followed; if the server has moved, name its own base URL"
        return AttemptError(ErrorKind.REDIRECT, f"HTTP {status}: {told}")
    error = _error(body)
    said = error.get("message", "").strip()
    meant = 413 if status == 429 and _TOO_LARGE_MESSAGE in said.lower() else status
    kind = _kind(meant, error)
    retryable = kind in {ErrorKind.SERVER_ERROR, ErrorKind.RATE_LIMITED, ErrorKind.TIMEOUT}
    told = excerpt(said.encode("utf-8", "surrogatepass") if said else body, redact)
    message = f"HTTP {status}: {told}"
    is_about_model = _is_about_model(error)
    if status in (404, 405) and url and not (is_about_model or _MODEL.search(told)):
        advice = "" if _VERSION.search(url) else "; does the address end in /v1?"
        message = f"HTTP {status} of {url}: {told}{advice}"
    if status in (400, 404) and url.endswith(CHAT_PATH) and _OTHER_API.search(said):
        message += _ASK_BY_IT
    return AttemptError(
        kind,
        message,
        retryable=retryable,
        retry_after_s=retry_after_s(headers.get("retry-after"), _moment(headers.get("date", "")) or now),
        param="model" if is_about_model else error.get("param") or _PARAMS.get(meant),
        may_be_own=status == 403 and kind == ErrorKind.AUTH,
    )


def advise(error: AttemptError, params: Mapping[str, Any]) -> None:
    """Add advice to the message of an error if the server refused one of the user's ``params``."""
    name = error.param
    if error.kind == ErrorKind.BAD_REQUEST and name in params and name not in _OF_FORMS:
        error.message += f"; take {name!r} out of the params of models.yaml, the marker or the call, or change it"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds from ``now`` that a Retry-After header asks for; None if it is missing or invalid."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        moment = _moment(value)
        seconds = (moment - now).total_seconds() if moment is not None else math.nan
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _moment(date: str) -> datetime | None:
    """Return a parsed HTTP date; None if it is invalid."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _kind(status: int, error: dict[str, str]) -> ErrorKind:
    """Return the kind of error for a status of at least 400 and the texts of the error in its body."""
    codes = {error.get("code"), error.get("type")}
    if status < 500 and codes & _QUOTA_CODES:
        return ErrorKind.QUOTA
    message = error.get("message", "").lower()
    if status == 400 and (
        codes & _FILTER_CODES or any(code in codes and told in message for code, told in _FILTER_MESSAGES.items())
    ):
        return ErrorKind.FILTERED
    if status in _REFUSED and _is_about_model(error):
        return ErrorKind.BAD_REQUEST
    if status == 403 and "flagged_input" in error:
        return ErrorKind.FILTERED
    if status == 400 and any(phrase in message for phrase in _QUOTA_MESSAGES):
        return ErrorKind.QUOTA
    return _KINDS.get(status, ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.BAD_REQUEST)


def _is_about_model(error: dict[str, str]) -> bool:
    """Return whether the error concerns this model only: the key may have access to others.

    LiteLLM's proxy uses codes such as ``key_model_access_denied`` and ``team_model_access_denied``.
    """
    codes = (error.get("code", ""), error.get("type", ""))
    return error.get("param") == "model" or any("model_not_found" in each or "model_access" in each for each in codes)


def _error(body: bytes) -> dict[str, str]:
    """Return ``code``, ``type``, ``param`` and ``message`` of the error in ``body``, those of them that are strings.

    If OpenRouter's moderation refused the input, ``flagged_input`` holds the part that it flagged:
    https://openrouter.ai/docs/api-reference/errors
    """
    try:
        data: Any = loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(data, list) and len(data) == 1:  # Gemini's endpoint
        data = data[0]
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return {}
    metadata = error.get("metadata")
    known = {**error, "flagged_input": metadata.get("flagged_input") if isinstance(metadata, dict) else None}
    keys = ("code", "type", "param", "message", "flagged_input")
    return {key: value for key in keys if isinstance(value := known.get(key), str)}
