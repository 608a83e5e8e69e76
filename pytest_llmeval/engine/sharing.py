"""Sharing of calls in flight: several cases that ask for the same answer wait for one call."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.loop import retrieved
from pytest_llmeval.core.types import Response
from pytest_llmeval.engine.account_limit import Priority

__all__ = ["Sharing", "foreseen", "outcome"]

_WAITED_FOR = 2
"""Largest number of other cases' calls that an ask waits for in turn before it makes its own.

While a server is down, each of them takes the whole time limit.
"""


class Sharing:
    """The calls in flight whose answers may serve other asks, by cache key."""

    def __init__(self) -> None:
        self._in_flight: dict[str, tuple[asyncio.Task[Response], Priority]] = {}

    async def answer(
        self,
        key: str,
        priority: Priority,
        *,
        known: Callable[[], Response | None],
        call: Callable[[], Coroutine[Any, Any, Response]],
        join: Callable[[Priority], None],
    ) -> Response:
        """Return an answer under ``key``, marked ``cached`` if it comes from another call.

        If the call in flight fails, the first of the waiting asks makes the next one and the others wait for that.
        If that fails too, or if the answer must not be shared, each makes its own call.

        Args:
            key: cache key of the answer.
            priority: priority of the call, if one is made.
            known: returns the answer of an earlier call; None if there is none.
            call: makes the call.
            join: called with the priority of each call in flight that this ask waits for.

        Raises:
            CallError: there is no answer.
        """
        for _ in range(_WAITED_FOR):
            first = self._in_flight.get(key)
            if first is None:
                return known() or await self._made(key, priority, call)
            task, its_priority = first
            join(its_priority)
            try:
                response = await asyncio.shield(task)
            except CallError:
                continue
            if response.cache_key is None:
                break
            return replace(response, cached=True, cost_usd=0.0, lost=())
        return await call()

    async def _made(self, key: str, priority: Priority, call: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        first = asyncio.get_running_loop().create_task(call())
        first.add_done_callback(retrieved)
        self._in_flight[key] = first, priority
        try:
            return await first
        finally:
            del self._in_flight[key]


async def outcome(task: "asyncio.Task[Response]") -> Response:
    """Return the result of a call; raise CallError if the call is cancelled. It goes on if only the waiter is."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
        raise CallError("given up: the session ends", kind=ErrorKind.INTERRUPTED) from None


async def foreseen(answer: Awaitable[Response], redact: Callable[[str], str]) -> Response:
    """Return the answer; report an unexpected exception to the event loop and turn it into a CallError.

    Args:
        answer: answer of a call.
        redact: removes secrets from the message of such an exception.

    Raises:
        CallError: there is no answer.
    """
    try:
        return await answer
    except CallError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug must leave nobody waiting
        asyncio.get_running_loop().call_exception_handler({"message": "the engine broke", "exception": error})
        said = redact(f"{type(error).__name__}: {error}").rstrip(": ")
        raise CallError(f"the engine broke: {said}", kind=ErrorKind.CODE) from None
