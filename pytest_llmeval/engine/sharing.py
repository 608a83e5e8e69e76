"""One call for all who ask for the same while it is in flight, also in other cases; what a call comes to."""

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
"""Calls of others that one who asks waits for at most: where a server is down, each takes the whole time limit."""


class Sharing:
    """The calls in flight whose answers may serve others, by their cache keys."""

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
        """Return an answer under ``key``, ``cached`` where it is that of another call.

        Where the call in flight fails, the first of those who wait makes the next one, and the others wait for that;
        where it fails too, or the answer is for one alone, each makes its own.

        Args:
            key: of the answer.
            priority: of the call, if it is made.
            known: returns what was answered before; None where nothing was.
            call: makes the call.
            join: told the priority of the call in flight that is waited for.

        Raises:
            CallError: there is none.
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
    """Return what a call comes to, which goes on where this is cancelled; raise CallError where it is given up."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
        raise CallError("given up: the session ends", kind=ErrorKind.INTERRUPTED) from None


async def foreseen(answer: Awaitable[Response], redact: Callable[[str], str]) -> Response:
    """Return what is answered; an error that nobody foresaw shows here, and is a CallError for who asked.

    Args:
        answer: of a call.
        redact: takes secrets out of what the error says.

    Raises:
        CallError: there is none.
    """
    try:
        return await answer
    except CallError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug, which must leave nobody waiting
        asyncio.get_running_loop().call_exception_handler({"message": "the engine broke", "exception": error})
        said = redact(f"{type(error).__name__}: {error}").rstrip(": ")
        raise CallError(f"the engine broke: {said}", kind=ErrorKind.CODE) from None
