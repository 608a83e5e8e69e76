"""The Transport protocol, its Answer, and the errors that all transports share."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Usage
from pytest_llmeval.models.http.event_stream import has_ended, is_event_stream
from pytest_llmeval.models.http.wire import Redact, excerpt
from pytest_llmeval.models.keys import Account

__all__ = [
    "CHAT_PATH",
    "CONNECT_TIMEOUT_S",
    "MAX_BODY_BYTES",
    "MESSAGES_PATH",
    "RESPONSES_PATH",
    "Answer",
    "Transport",
    "TransportName",
    "address_fault",
    "blocked_fault",
    "body_cap",
    "connection_fault",
    "is_success",
    "is_whole",
    "request_headers",
    "unconnected_fault",
    "undecodable_fault",
    "unreadable_fault",
]

TransportName = Literal["auto", "lean", "sdk"]

CHAT_PATH = "/chat/completions"
RESPONSES_PATH = "/responses"
MESSAGES_PATH = "/v1/messages"
"""Request paths of the protocols, appended to a server's base URL; an Anthropic base URL ends before ``/v1``."""

CONNECT_TIMEOUT_S = 15.0
MAX_BODY_BYTES = 8 * 1024 * 1024
ERROR_BODY_BYTES = 64 * 1024
# The issuer of the certificate is missing, unknown or self-signed: X509_V_ERR_… in
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A server's response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Headers, looked up in lower case."""
    body: bytes
    """Decoded body, up to ``body_cap`` bytes; empty if the body of an error could not be decoded."""
    is_cut: bool = False
    """Whether the body has more bytes than ``body`` holds."""


class Transport(Protocol):
    """Sends requests to one account, over connections of its own.

    It follows no redirects, keeps no cookies, and sends only ``request_headers`` and the headers of HTTP itself. Its
    only time limit is ``CONNECT_TIMEOUT_S``; the caller sets the deadline.
    """

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError if no complete one came."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def request_headers(account: Account, client: str, protocol: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the headers of every request; the account's headers override ours, whatever their case.

    Args:
        account: the account that receives the request.
        client: name and version of the HTTP client, for User-Agent.
        protocol: further headers that the server's protocol requires.
    """
    ours = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"pytest-llmeval ({client})",
        **(protocol or {}),
    }
    headers = {name.lower(): (name, value) for name, value in (*ours.items(), *account.headers)}
    return dict(headers.values())


def is_success(status: int) -> bool:
    """Return whether ``status`` is one of 200-299."""
    return 200 <= status < 300


def body_cap(status: int) -> int:
    """Return how many decoded bytes of a body are read; for an error, the beginning of the body suffices."""
    return MAX_BODY_BYTES if is_success(status) else ERROR_BODY_BYTES


def is_whole(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a broken-off body is complete after all: an event stream with its last event.

    Some servers and proxies close the connection instead of sending the final empty chunk.
    """
    is_stream = is_success(status) and is_event_stream(headers.get("content-type", ""))
    return is_stream and not headers.get("content-encoding") and has_ended(body)


def unconnected_fault() -> AttemptError:
    """Return the error for a connection that was not made within ``CONNECT_TIMEOUT_S``."""
    return AttemptError(ErrorKind.TIMEOUT, "no connection in time", retryable=True, is_unsent=True)


def blocked_fault(error: Exception, redact: Redact) -> AttemptError:
    """Return the error for a connection that this process is forbidden to open, perhaps only during one test.

    Args:
        error: exception of pytest-socket or the like; a group if the client tried several addresses at once.
        redact: removes secrets from its message.
    """
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    told = "connections seem forbidden, by a test or an option (--disable-socket)"
    message = f"{told}: {_line(f'{type(error).__name__}: {error}', redact)}"
    return AttemptError(ErrorKind.CONNECTION, message, retryable=True, is_unsent=True)


def connection_fault(
    error: BaseException, text: str, redact: Redact, *, has_begun: bool, is_unsent: bool
) -> AttemptError:
    """Return the error for a connection that was refused, cut or reset, or for an answer that is not HTTP.

    A certificate that is not trusted now will not be trusted at the next attempt, so that error is not retried. An
    answer that ``has_begun`` may be billed in full; a request that ``is_unsent`` reached nobody.
    """
    refusals = [each for each in _causes(error) if isinstance(each, ssl.SSLCertVerificationError)]
    if not refusals:
        message = _unmade(error) or _line(f"{type(error).__name__}: {text}", redact)
        usage = Usage() if has_begun else None
        return AttemptError(ErrorKind.CONNECTION, message, retryable=True, usage=usage, is_unsent=is_unsent)
    first = refusals[-1]  # the others are aiohttp's, without OpenSSL's message
    message = _line(f"the certificate of the server is not trusted: {first.verify_message}", redact)
    if first.verify_code in _UNKNOWN_ISSUER:
        message += "; put that of its issuer into a file and name the file in SSL_CERT_FILE"
    return AttemptError(ErrorKind.CONNECTION, message)


def _unmade(error: BaseException) -> str | None:
    """Return why no connection was made, in plain words; None if only the client's own message is left."""
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused (is the server running?)"
        if isinstance(cause, socket.gaierror):
            return f"the host name cannot be resolved: {cause.strerror}"
    return None


def unreadable_fault(text: str, redact: Redact) -> AttemptError:
    """Return the error for an answer whose headers aiohttp cannot parse as HTTP; it may be billed in full.

    Args:
        text: aiohttp's message, followed by lines with the offending bytes and a marker under their place.
        redact: removes secrets from it.
    """
    told = " ".join(line.strip() for line in text.splitlines() if line.strip(" ^"))
    message = _line(f"the head of the answer is not valid HTTP: {told}", redact)
    todo = "fix the server or the proxy in front of it, or try --llmeval-transport sdk, which is less strict"
    return AttemptError(ErrorKind.CONNECTION, f"{message}; {todo}", retryable=True, usage=Usage())


def address_fault(text: str, redact: Redact) -> AttemptError:
    """Return the error for a host that the client rejects."""
    return AttemptError(ErrorKind.BAD_REQUEST, _line(f"the address cannot be used: {text}", redact))


def undecodable_fault(text: str, redact: Redact) -> AttemptError:
    """Return the error for a body that does not match its Content-Encoding."""
    return AttemptError(
        ErrorKind.MALFORMED_RESPONSE, _line(f"undecodable body: {text}", redact), retryable=True, usage=Usage()
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and the chain of exceptions that caused it, from last to first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _line(text: str, redact: Redact) -> str:
    """Return ``text`` as one short line: a client's message may quote what the server sent."""
    return excerpt(text.encode("utf-8", "backslashreplace"), redact).rstrip(": ")
