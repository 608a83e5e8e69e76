"""The calls of a score book that take their time, so that one that nobody waits for is told."""

import asyncio
import inspect
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["BegunCalls"]


class BegunCalls:
    """The calls of one case that were begun, by the names of methods or scorers."""

    def __init__(self) -> None:
        self._coroutines: list[tuple[str, Coroutine[Any, Any, Any]]] = []
        self._running: list[str] = []
        """Of calls that are not async: those that run now, in whatever thread."""

    def add(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Take an async call."""
        self._coroutines.append((name, coroutine))

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Count a call that is not async as one that runs within."""
        self._running.append(name)
        try:
            yield
        finally:
            self._running.remove(name)

    def close_unbegun(self) -> tuple[str, ...]:
        """Close the async calls that nobody began to await, and return their names."""
        found = [each for each in self._coroutines if inspect.getcoroutinestate(each[1]) == inspect.CORO_CREATED]
        for _, coroutine in found:
            coroutine.close()
        return tuple(name for name, _ in found)

    def in_tasks(self) -> tuple[str, ...]:
        """Return the names of the async calls that tasks of the running loop are in.

        One that is being cancelled was given up, and is none of them.
        """
        left = {coroutine for _, coroutine in self._coroutines if not _has_ended(coroutine)}
        found = set[Any]()
        for task in asyncio.all_tasks() if left else ():
            if not task.cancelling():
                found |= left.intersection(_awaited(task))
        return tuple(name for name, coroutine in self._coroutines if coroutine in found)

    def left(self) -> tuple[str, ...]:
        """Return the names of the calls that have not ended."""
        return (*(name for name, coroutine in self._coroutines if not _has_ended(coroutine)), *self._running)


def _has_ended(coroutine: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def _awaited(task: "asyncio.Task[Any]") -> Iterator[Any]:
    """Yield the coroutine of a task, and what that awaits, down to the innermost."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        yield awaited
        awaited = getattr(awaited, "cr_await", None)
