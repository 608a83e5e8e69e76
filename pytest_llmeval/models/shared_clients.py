"""HTTP clients shared by all models of one server."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.attempt_error import AttemptError

__all__ = ["SharedClients"]

K = TypeVar("K", bound=Hashable)
C = TypeVar("C")


class SharedClients(Generic[K, C]):
    """One client per key and event loop, closed when the key's last user has gone."""

    def __init__(self, make: Callable[[K], C], close: Callable[[C], Awaitable[object]]) -> None:
        """Share what ``make`` returns, in a running event loop, for a key; ``close`` ends it."""
        self._make = make
        self._close = close
        # Connections belong to the event loop that opened them, and keep it alive.
        self._clients: dict[asyncio.AbstractEventLoop, dict[K, C]] = {}
        self._users: Counter[K] = Counter()

    def hold(self, key: K) -> None:
        """Count one more user of ``key``."""
        self._users[key] += 1

    async def get(self, key: K) -> C:
        """Return the client of ``key`` in the running event loop.

        Raises:
            AttemptError: the last user has gone; a call that is still under way must open no connections again.
        """
        if self._users[key] <= 0:
            raise AttemptError(ErrorKind.CONNECTION, "the model was closed while the call was under way")
        clients = self._clients.get(asyncio.get_running_loop())
        if clients is None:
            await self._forget_closed_loops()
            clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        if key not in clients:
            clients[key] = self._make(key)
        return clients[key]

    async def release(self, key: K) -> None:
        """Count one user less; close the running loop's client after the last one."""
        self._users[key] = max(self._users[key] - 1, 0)
        if self._users[key] > 0:
            return
        loop = asyncio.get_running_loop()
        clients = self._clients.get(loop, {})
        client = clients.pop(key, None)
        if not clients:
            self._clients.pop(loop, None)
        if client is not None:
            await self._close(client)

    async def _forget_closed_loops(self) -> None:
        """Drop the clients of loops that ended before their users called ``release``."""
        for loop in [loop for loop in self._clients if loop.is_closed()]:
            for client in self._clients.pop(loop).values():
                with suppress(RuntimeError):  # their connections went with the loop
                    await self._close(client)
