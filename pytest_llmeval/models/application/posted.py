"""Requests of an application and their answers, independent of how they are transported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.strict_json import NotJsonError, parse

__all__ = ["Posted", "Sent", "as_event", "is_retry", "json_body"]

_RETRIES = "x-stainless-retry-count"
"""Header in which the vendors' clients send the number of earlier attempts at a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A request of an application's client."""

    method: str
    path: str
    """Path of the URL."""
    body: bytes
    is_retry: bool
    """Whether the client says that it has sent the request before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The answer to a request, with status 200."""

    text: str
    """Body, in ASCII."""
    content_type: str = "application/json"

    @classmethod
    def events(cls, events: Iterator[str]) -> "Sent":
        """Return an answer that is a stream of server-sent events, all sent at once."""
        return cls(text="".join(events), content_type="text/event-stream")


def is_retry(headers: Mapping[str, str]) -> bool:
    """Return whether the headers of a request say that the client has sent it before."""
    return headers.get(_RETRIES, "0") != "0"


def json_body(posted: Posted) -> dict[str, Any]:
    """Return the JSON object in the body of a request; raise CaseError if there is none."""
    try:
        body = parse(posted.body)
    except NotJsonError as error:
        raise CaseError(f"{posted.method} {posted.path}: the body is not JSON: {error}", kind=ErrorKind.CODE) from None
    if not isinstance(body, dict):
        raise CaseError(f"{posted.method} {posted.path}: the body is not a JSON object", kind=ErrorKind.CODE)
    return body


def as_event(text: str, name: str | None = None) -> str:
    """Return a server-sent event with this data and, optionally, name."""
    return f"data: {text}\n\n" if name is None else f"event: {name}\ndata: {text}\n\n"
