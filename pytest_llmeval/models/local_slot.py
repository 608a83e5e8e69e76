"""One request at a time to the embedded model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from pytest_llmeval.models.retry import Slot

__all__ = ["one_at_a_time"]

_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def one_at_a_time(slot: Slot) -> Slot:
    """Return ``slot`` behind a queue that all local models of this process share.

    The server works on one request at a time. Requests that waited inside it would use up their time limit
    there, and their latency would be that of the queue.
    """

    @asynccontextmanager
    async def turn() -> AsyncIterator[None]:
        async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(1)), slot():
            yield

    return turn
