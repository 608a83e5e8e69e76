"""HTTP clients shared by all models of one server."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind

__all__ = ["Lease", "SharedClients"]

K = TypeVar("K", bound=Hashable)
C = TypeVar("C")


@dataclass(slots=True)
class _Shared(Generic[C]):
    """A client, and those in its event loop who would ask it again."""

    client: C
    users: "set[Lease[Any, C]]" = field(default_factory=set)


class SharedClients(Generic[K, C]):
    """One client per key and event loop, closed when the last of its users there has gone."""

    def __init__(self, make: Callable[[K], C], close: Callable[[C], Awaitable[object]]) -> None:
        """Share what ``make`` returns, in a running event loop, for a key; ``close`` ends it."""
        self._make = make
        self._close = close
        # Connections belong to the event loop that opened them, and keep it alive. So do their users: one who never
        # said that he is done must keep nothing open in a later loop.
        self._shared: dict[tuple[asyncio.AbstractEventLoop, K], _Shared[C]] = {}

    def lease(self, key: K) -> "Lease[K, C]":
        """Return what one user takes the client of ``key`` from."""
        return Lease(self, key)

    async def take(self, key: K, lease: "Lease[K, C]") -> C:
        """Return the running loop's client, which ``lease`` keeps open from now on."""
        place = asyncio.get_running_loop(), key
        if place not in self._shared:
            await self._forget_closed_loops()
        if place not in self._shared:  # nobody has made it meanwhile
            self._shared[place] = _Shared(self._make(key))
        self._shared[place].users.add(lease)
        return self._shared[place].client

    async def give_back(self, key: K, lease: "Lease[K, C]") -> None:
        """Close the running loop's client where no other lease keeps it open."""
        place = asyncio.get_running_loop(), key
        shared = self._shared.get(place)
        if shared is None or lease not in shared.users:
            return
        shared.users.remove(lease)
        if not shared.users:
            del self._shared[place]
            await self._close(shared.client)

    async def _forget_closed_loops(self) -> None:
        """Drop the clients of loops that ended before their users gave them back."""
        for shared in [self._shared.pop(place) for place in list(self._shared) if place[0].is_closed()]:
            with suppress(RuntimeError):  # their connections went with the loop
                await self._close(shared.client)


class Lease(Generic[K, C]):
    """One user's way to a client that others use too."""

    def __init__(self, clients: SharedClients[K, C], key: K) -> None:
        """Stand for one user of the client of ``key``."""
        self._clients = clients
        self._key = key
        self._is_over = False

    async def client(self) -> C:
        """Return the client for the running event loop.

        Raises:
            AttemptError: the lease is over; a call that is still under way must open no connections again.
        """
        if self._is_over:
            raise AttemptError(ErrorKind.CONNECTION, "the model was closed while the call was under way")
        return await self._clients.take(self._key, self)

    async def aclose(self) -> None:
        """End the lease; the running loop's client is closed with the last one."""
        self._is_over = True
        await self._clients.give_back(self._key, self)
