"""One call for all who ask for the same while it is in flight, also in other cases."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Response

__all__ = ["Sharing", "retrieved"]

_WAITED_FOR = 2
"""Calls of others that one who asks waits for at most: where a server is down, each takes the whole time limit."""


class Sharing:
    """The calls in flight whose answers may serve others, by their cache keys."""

    def __init__(self) -> None:
        self._in_flight: dict[str, asyncio.Task[Response]] = {}

    async def answer(
        self, key: str, *, known: Callable[[], Response | None], call: Callable[[], Coroutine[Any, Any, Response]]
    ) -> Response:
        """Return an answer under ``key``, ``cached`` where it is that of another call.

        Where the call in flight fails, the first of those who wait makes the next one, and the others wait for that;
        where it fails too, or the answer is for one alone, each makes its own.

        Args:
            key: of the answer.
            known: returns what was answered before; None where nothing was.
            call: makes the call.

        Raises:
            CallError: there is none.
        """
        for _ in range(_WAITED_FOR):
            first = self._in_flight.get(key)
            if first is None:
                return known() or await self._made(key, call)
            try:
                response = await asyncio.shield(first)
            except CallError:
                continue
            if response.cache_key is None:
                break
            return replace(response, cached=True, cost_usd=0.0, lost=())
        return await call()

    async def _made(self, key: str, call: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        first = asyncio.get_running_loop().create_task(call())
        first.add_done_callback(retrieved)
        self._in_flight[key] = first
        try:
            return await first
        finally:
            del self._in_flight[key]


def retrieved(task: "asyncio.Task[Response]") -> None:
    """Look at the exception of a call that nobody waits for, so that asyncio does not complain of it."""
    if not task.cancelled():
        task.exception()
