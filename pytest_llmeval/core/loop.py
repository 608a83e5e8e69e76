"""One event loop in one daemon thread: where model calls and the bodies of async evals run."""

import asyncio
import concurrent.futures.thread
import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, ParamSpec, TypeVar

from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, ErrorKind

__all__ = ["LoopThread", "pause", "retrieved", "task_here"]

P = ParamSpec("P")
T = TypeVar("T")
_STOP_TIMEOUT_S = 5.0
"""For the thread of a loop and those that its bodies began, together."""
_WAITED_FOR: MutableMapping[Any, object] = getattr(concurrent.futures.thread, "_threads_queues", {})
"""The threads of all executors, for whose end Python waits before its own."""
_HELD_S = 0.2
"""For which a task runs without a pause before it is said to hold its loop."""
_ROUNDS = 8
"""Of cancelling what there is: tasks may begin others as they end, some of them without end."""


_HERE = threading.local()
"""Of each thread of a loop of ours, the task that gave it what it runs: ``task``."""


class _Serving(threading.Thread):
    """A thread that runs a loop of ours, which it must not block."""


class _InContext(concurrent.futures.ThreadPoolExecutor):
    """Runs what it is given in the context of who gave it, as ``asyncio.to_thread`` does.

    Its threads are daemons, as the one that runs the loop is, and Python waits at its end for none of them: a client
    without a timeout would hold the process for ever, and its status with it. ``LoopThread.close`` waits a little.
    """

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """Those that were started."""
        return tuple(self._threads)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """Return a future for what ``fn`` returns."""
        run = functools.partial(contextvars.copy_context().run, fn, *args, **kwargs)
        future = super().submit(_run_for, task_here(), run)
        for thread in self._threads:
            _WAITED_FOR.pop(thread, None)
        return future


def task_here() -> "asyncio.Task[Any] | None":
    """Return the task that runs here, or gave this thread of our loop what it runs; None where there is none."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs here
        return getattr(_HERE, "task", None)


def _run_for(task: "asyncio.Task[Any] | None", run: Callable[[], T]) -> T:
    """Run what ``task`` gave to this thread."""
    _HERE.task = task
    try:
        return run()
    finally:
        _HERE.task = None


async def pause(seconds: float) -> None:
    """Wait, whatever a test puts in the place of ``asyncio.sleep``."""
    ended = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, ended.set)
    try:
        await ended.wait()
    finally:
        timer.cancel()


def retrieved(ended: "asyncio.Future[Any]") -> None:
    """Look at the exception of what nobody waits for, so that asyncio does not complain of it."""
    if not ended.cancelled():
        ended.exception()


class LoopThread:
    """Runs coroutines for threads that are not async themselves. The thread starts with the first of them.

    It belongs to the process that made it: a forked child has neither the thread nor what is served there.
    """

    def __init__(self, name: str = "llmeval-loop", *, threads: int = 0) -> None:
        """Prepare; ``threads`` are the most of its default executor, never fewer than Python's own has."""
        self._name = name
        self._threads = max(threads, min(32, (os.cpu_count() or 1) + 4))
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._executor: _InContext | None = None
        self._lock = threading.Lock()

    def is_current(self) -> bool:
        """Whether the caller runs on this loop."""
        return threading.current_thread() is self._thread

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Return a future for the result of ``coroutine``, which starts at once on the loop.

        Raises:
            CallError: this is a forked child process.
        """
        if self._is_forked:
            coroutine.close()
            told = "the model cannot be asked in a forked child process; ask in the test's own process, or use a thread"
            raise CallError(told, kind=ErrorKind.CODE, attempts=0)
        with self._lock:  # until it is handed over: a loop that has ended looks for the last time at what it was given
            return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Run ``callback`` on the loop, where that is running, without waiting for it."""
        if self._is_forked:
            return
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)

    def held_by(self) -> str:
        """Return the name of the task that keeps the loop from all others; an empty text where none does.

        It is one where it ran before and after a while in which the loop came to nothing else.
        """
        loop, is_free = self._loop, threading.Event()
        if loop is None:
            return ""
        self.call_soon(is_free.set)
        task = asyncio.current_task(loop)
        if task is None or is_free.wait(_HELD_S) or task is not asyncio.current_task(loop):
            return ""
        return task.get_name()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``coroutine``; an interrupt of the waiting thread cancels it.

        A thread that runs a loop of somebody else's may wait: nothing here waits for that one.

        Raises:
            CallError: this is a forked child process.
            RuntimeError: the calling thread runs a loop of this kind.
        """
        if isinstance(threading.current_thread(), _Serving) and not self._is_forked:
            coroutine.close()
            raise RuntimeError(
                "a sync call was made from async code; use `await model.generate()`, `await score.judge()`,"
                " `async_anthropic_client(model)` or `async_openai_client(model)` there, or"
                " `await asyncio.to_thread(...)` for code that is not async"
            )
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs, end the thread; what runs in other threads has some seconds to come to its end.

        Calling it again does nothing, as it does in a forked child.
        """
        if self._is_forked:
            return
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # a task of somebody else's ended it
            loop.call_soon_threadsafe(loop.stop)
        until = now() + _STOP_TIMEOUT_S
        thread.join(_STOP_TIMEOUT_S)
        for each in self._executor.threads if self._executor is not None else ():
            each.join(max(0.0, until - now()))

    @property
    def _is_forked(self) -> bool:
        """Whether this is a forked child; looked at before the lock, which may be held there for ever."""
        return os.getpid() != self._pid

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the loop, under the lock."""
        if self._loop is None:
            loop = asyncio.new_event_loop()
            loop.time = now  # type: ignore[method-assign]  # by which timeouts and pauses end
            self._executor = _InContext(self._threads, thread_name_prefix="asyncio")  # it starts no thread yet
            loop.set_default_executor(self._executor)
            self._thread = _Serving(target=self._serve, args=(loop,), name=self._name, daemon=True)
            self._thread.start()
            self._loop = loop  # now: an interrupt above must leave no loop that nobody runs
        return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            with self._lock:
                if self._loop is loop:  # a task of somebody else's raised SystemExit: what comes now goes to another
                    self._loop = None
            _drain(loop)
            loop.close()


def _drain(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what runs, and what was handed over and is no task yet, so that nobody waits for it for ever."""
    _cancel_all(loop)
    _run(loop, loop.shutdown_asyncgens())
    _cancel_all(loop)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for _ in range(_ROUNDS):
        _run(loop, pause(0))
        pending = asyncio.all_tasks(loop)
        if not pending:
            break
        for task in pending:
            task.cancel()
        _run(loop, asyncio.gather(*pending, return_exceptions=True))


def _run(loop: asyncio.AbstractEventLoop, work: Awaitable[object]) -> None:
    """Run ``work`` to its end, or until a task raises what ends the loop."""
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        loop.run_until_complete(work)
