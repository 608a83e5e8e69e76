"""Servers that a session runs itself: how a model is asked there, and how one ended."""

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
"""Returns why a server of this session is there no more, in one line; None while it runs."""


class OwnServer(Protocol):
    """One that runs."""

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT/v1``."""

    @property
    def api_key(self) -> str:
        """Without which it answers nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How a model is asked that a server of this session has."""

    account: Account
    revision: str
    """What identifies the model, in place of its address."""
    params: Mapping[str, object] = field(default_factory=dict)
    """What it is sent where neither models.yaml nor the call says otherwise."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of each request beside its own: where on its server the model is."""
    why_gone: WhyGone = lambda: None


def own_account(server: OwnServer | None, where: str) -> Account:
    """Return the account of a server; where none runs, no call is to be made."""
    base_url, key = ("http://127.0.0.1/v1", None) if server is None else (server.base_url, server.api_key)
    return account_with_key(parse_base_url(base_url, where=where), key)


def end_in_words(status: int) -> str:
    """Return how a process ended, by its status as ``subprocess`` tells it."""
    return f"it ended with status {status}" if status >= 0 else f"it was ended by {signal.Signals(-status).name}"


class WatchedTransport:
    """Asks a server of this session; implements ``transport.Transport``. One that has ended is not asked again."""

    def __init__(self, transport: Transport, why_gone: WhyGone) -> None:
        self._transport = transport
        self._why_gone = why_gone

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError where no whole one came."""
        self._check()
        try:
            return await self._transport.post(body)
        except AttemptError:
            self._check()
            raise

    async def aclose(self) -> None:
        """Close its connections."""
        await self._transport.aclose()

    def _check(self) -> None:
        """Raise the fault that no other attempt mends where the server has ended."""
        why = self._why_gone()
        if why is not None:
            raise AttemptError(ErrorKind.CONNECTION, why) from None
