"""The calls of a score book or a model that take their time, so that one that nobody waits for is told."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, TypeVar, cast

__all__ = ["BegunCalls", "watched"]

M = TypeVar("M", bound=Callable[..., Coroutine[Any, Any, Any]])


def watched(method: M) -> M:
    """Have the calls of an async method be known, so that a forgotten ``await`` is told.

    An object of its class has them in ``_begun``, which is a ``BegunCalls``.
    """
    return cast(M, _Watched(method))


class _Watched:
    def __init__(self, method: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self._method = method

    def __get__(self, owner: Any, kind: type | None = None) -> Callable[..., Coroutine[Any, Any, Any]]:
        if owner is None:
            return self._method
        return functools.update_wrapper(_Bound(self._method, owner), MethodType(self._method, owner))


class _Bound(functools.partial[Coroutine[Any, Any, Any]]):
    """A method of an object; ``inspect`` finds a coroutine function, as in no plain function around one."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine = super().__call__(*args, **kwargs)
        self.args[0]._begun.add(self.func.__name__, coroutine)
        return coroutine


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
