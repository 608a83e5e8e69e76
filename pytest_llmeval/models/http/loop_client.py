"""Holder of a transport's HTTP client: one client per event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind

__all__ = ["LoopClient"]

C = TypeVar("C")


class LoopClient(Generic[C]):
    """A client that is created on its first use, and again on a use in another event loop.

    Connections belong to the event loop that opened them, and keep it alive.
    """

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[object]]) -> None:
        """Prepare; ``make`` creates a client in a running event loop, and ``close`` closes it."""
        self._make = make
        self._close = close
        self._made: tuple[asyncio.AbstractEventLoop, C] | None = None
        self._is_over = False

    async def get(self) -> C:
        """Return the client for the running event loop.

        Raises:
            AttemptError: the client was closed; a call that is still under way must not open new connections.
        """
        if self._is_over:
            raise AttemptError(ErrorKind.CONNECTION, "the model was closed while the call was under way")
        loop = asyncio.get_running_loop()
        if self._made is not None and self._made[0] is not loop:
            await self._end()
        if self._made is None:
            self._made = loop, self._make()
        return self._made[1]

    async def aclose(self) -> None:
        """Close it for good."""
        self._is_over = True
        await self._end()

    async def _end(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            with suppress(RuntimeError):  # a closed loop has already taken its connections with it
                await self._close(made[1])
