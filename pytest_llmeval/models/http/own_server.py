"""Servers that a session runs itself: how to reach their models, and what to report once a server has ended."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.base_url import parse_base_url
from pytest_llmeval.models.http.transport import Answer, Transport
from pytest_llmeval.models.keys import Account, account_with_key

__all__ = ["Served", "WatchedTransport", "end_in_words", "own_account"]

WhyGone = Callable[[], str | None]
"""Returns why a server of this session has ended, in one line; None while it runs."""


class OwnServer(Protocol):
    """A running server."""

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT/v1``."""

    @property
    def api_key(self) -> str:
        """The key that every request needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How to reach a model on a server of this session."""

    account: Account
    revision: str
    """Versions and digests that identify the model, in place of its address."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Default parameters; those of models.yaml and of the call override them."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of each request, which select the model on its server."""
    why_gone: WhyGone = lambda: None


def own_account(server: OwnServer | None, where: str) -> Account:
    """Return the account of a server; for None, one that must not be called."""
    base_url, key = ("http://127.0.0.1/v1", None) if server is None else (server.base_url, server.api_key)
    return account_with_key(parse_base_url(base_url, where=where), key)


def end_in_words(status: int) -> str:
    """Return how a process ended, in words, for its return code from ``subprocess``."""
    return f"it ended with status {status}" if status >= 0 else f"it was ended by {signal.Signals(-status).name}"


class WatchedTransport:
    """Sends requests to a server of this session until it has ended; implements ``transport.Transport``."""

    def __init__(self, transport: Transport, why_gone: WhyGone) -> None:
        self._transport = transport
        self._why_gone = why_gone

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError if no complete one came."""
        self._check()
        try:
            return await self._transport.post(body)
        except AttemptError:
            self._check()
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _check(self) -> None:
        """Raise an AttemptError that forbids retries if the server has ended."""
        why = self._why_gone()
        if why is not None:
            raise AttemptError(ErrorKind.CONNECTION, why) from None
