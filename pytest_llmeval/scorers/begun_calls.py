"""Tracking of calls in progress on a score book or a model, so that a forgotten ``await`` is reported."""

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
    """Record every call of an async method, so that a forgotten ``await`` is reported.

    The object that has the method must have a ``BegunCalls`` as ``_begun``.
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
    """A bound method. ``inspect`` sees a coroutine function, which a plain wrapper function would hide."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine = super().__call__(*args, **kwargs)
        self.args[0]._begun.add(self.func.__name__, coroutine)
        return coroutine


class BegunCalls:
    """The calls that one case has started, under the name of the method or scorer."""

    def __init__(self) -> None:
        self._coroutines: list[tuple[str, Coroutine[Any, Any, Any]]] = []
        self._running: list[str] = []
        """The names of the synchronous calls in progress, in any thread."""

    def add(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Record the coroutine of an async call."""
        self._coroutines.append((name, coroutine))

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Count a synchronous call as in progress while the context is open."""
        self._running.append(name)
        try:
            yield
        finally:
            self._running.remove(name)

    def close_unbegun(self) -> tuple[str, ...]:
        """Close the coroutines that were never awaited, and return their names."""
        found = [each for each in self._coroutines if inspect.getcoroutinestate(each[1]) == inspect.CORO_CREATED]
        for _, coroutine in found:
            coroutine.close()
        return tuple(name for name, _ in found)

    def in_tasks(self) -> tuple[str, ...]:
        """Return the names of the async calls that tasks of the running loop are awaiting.

        A task that is being cancelled was given up and does not count.
        """
        left = {coroutine for _, coroutine in self._coroutines if not _has_ended(coroutine)}
        found = set[Any]()
        for task in asyncio.all_tasks() if left else ():
            if not task.cancelling():
                found |= left.intersection(_awaited(task))
        return tuple(name for name, coroutine in self._coroutines if coroutine in found)

    def left(self) -> tuple[str, ...]:
        """Return the names of all calls, async or not, that have not ended."""
        return (*(name for name, coroutine in self._coroutines if not _has_ended(coroutine)), *self._running)


def _has_ended(coroutine: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def _awaited(task: "asyncio.Task[Any]") -> Iterator[Any]:
    """Yield the coroutine of a task, then the one that it awaits, and so on to the innermost."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        yield awaited
        awaited = getattr(awaited, "cr_await", None)
