"""A request of an application's client, and what comes back, whatever the way in which they travel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.strict_json import NotJsonError, parse

__all__ = ["Posted", "Sent", "as_event", "is_retry", "json_body"]

_RETRIES = "x-stainless-retry-count"
"""The header in which vendors' clients say how often they have tried a request before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A request, as an application's client makes it."""

    method: str
    path: str
    """Of its URL."""
    body: bytes
    is_retry: bool
    """Whether the client says that it has made it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What comes back, under status 200."""

    text: str
    """In ASCII."""
    content_type: str = "application/json"

    @classmethod
    def events(cls, events: Iterator[str]) -> "Sent":
        """Return a stream of events, all of them at once."""
        return cls(text="".join(events), content_type="text/event-stream")


def is_retry(headers: Mapping[str, str]) -> bool:
    """Return whether a client says that it has made a request with such headers before."""
    return headers.get(_RETRIES, "0") != "0"


def json_body(posted: Posted) -> dict[str, Any]:
    """Return the JSON object that a request holds; raise CaseError where it holds none."""
    try:
        body = parse(posted.body)
    except NotJsonError as error:
        raise CaseError(f"{posted.method} {posted.path}: the body is no JSON: {error}", kind=ErrorKind.CODE) from None
    if not isinstance(body, dict):
        raise CaseError(f"{posted.method} {posted.path}: the body is no JSON object", kind=ErrorKind.CODE)
    return body


def as_event(text: str, name: str | None = None) -> str:
    """Return one event of a stream."""
    return f"data: {text}\n\n" if name is None else f"event: {name}\ndata: {text}\n\n"
