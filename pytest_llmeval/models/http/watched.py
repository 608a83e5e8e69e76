"""A transport that knows how its server ended."""

import signal
from collections.abc import Callable

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.http.transport import Answer, Transport

__all__ = ["WatchedTransport", "WhyGone", "end_in_words"]

WhyGone = Callable[[], str | None]
"""Returns why a server of this session is there no more, in one line; None while it runs."""


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
