"""An event loop in a daemon thread, in which model calls and the bodies of async evals run."""

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

__all__ = ["LoopThread", "pause", "refuse_to_block", "retrieved", "task_here"]

P = ParamSpec("P")
T = TypeVar("T")
_STOP_TIMEOUT_S = 5.0
"""Seconds that ``close`` waits for the loop's thread and its executor's threads, together."""
_WAITED_FOR: MutableMapping[Any, object] = getattr(concurrent.futures.thread, "_threads_queues", {})
"""Threads of all executors that Python joins before it exits."""
_HELD_S = 0.2
"""Seconds that a task must run without yielding before ``blocked_by`` reports that it holds the loop."""
_ROUNDS = 8
"""Most rounds of cancelling all tasks: tasks may start others as they end, some of them endlessly."""


_HERE = threading.local()
"""``_HERE.task`` in an executor's thread: the task that submitted the function which runs there."""


class _Serving(threading.Thread):
    """A thread that runs one of our loops and must not be blocked."""


class _InContext(concurrent.futures.ThreadPoolExecutor):
    """An executor that runs each function in its submitter's context, as ``asyncio.to_thread`` does.

    Its threads are daemons, like the thread of the loop, and Python joins none of them at exit: a client without a
    timeout would otherwise keep the process, and its exit status, waiting forever. ``LoopThread.close`` gives them a
    few seconds.
    """

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """Threads started so far."""
        return tuple(self._threads)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """Return a future for the result of ``fn``."""
        run = functools.partial(contextvars.copy_context().run, fn, *args, **kwargs)
        future = super().submit(_run_for, task_here(), run)
        for thread in self._threads:
            _WAITED_FOR.pop(thread, None)
        return future


def task_here() -> "asyncio.Task[Any] | None":
    """Return the current task, or in a thread of our executor the task that submitted the work; None without either."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs here
        return getattr(_HERE, "task", None)


def _run_for(task: "asyncio.Task[Any] | None", run: Callable[[], T]) -> T:
    """Run a function that ``task`` submitted to this thread."""
    _HERE.task = task
    try:
        return run()
    finally:
        _HERE.task = None


async def pause(seconds: float) -> None:
    """Sleep, even if a test has patched ``asyncio.sleep``."""
    ended = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, ended.set)
    try:
        await ended.wait()
    finally:
        timer.cancel()


def refuse_to_block() -> None:
    """Raise RuntimeError if the calling thread runs one of our loops, which a call that waits would block."""
    if isinstance(threading.current_thread(), _Serving):
        raise RuntimeError(
            "a sync call was made from async code; use `await model.generate()`, `await score.judge()`,"
            " `async_anthropic_client(model)` or `async_openai_client(model)` there, or"
            " `await asyncio.to_thread(...)` for code that is not async"
        )


def retrieved(ended: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of a future that nobody awaits, so that asyncio does not log it as never retrieved."""
    if not ended.cancelled():
        ended.exception()


class LoopThread:
    """Runs coroutines on behalf of threads that are not async. Its thread starts with the first coroutine.

    It works only in the process that created it: a forked child inherits neither the thread nor its tasks.
    """

    def __init__(self, name: str = "llmeval-loop", *, threads: int = 0) -> None:
        """Prepare the loop without starting its thread.

        Args:
            name: of the thread.
            threads: most threads of the default executor; never fewer than Python's own default.
        """
        self._name = name
        self._threads = max(threads, min(32, (os.cpu_count() or 1) + 4))
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._executor: _InContext | None = None
        self._lock = threading.Lock()

    def is_current(self) -> bool:
        """Return whether the caller runs on this loop's thread."""
        return threading.current_thread() is self._thread

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Return a future for the result of ``coroutine``, which starts at once on the loop.

        Raises:
            CallError: this is a forked child process.
        """
        if self._is_forked:
            coroutine.close()
            message = (
                "the model cannot be asked in a forked child process; ask in the test's own process, or use a thread"
            )
            raise CallError(message, kind=ErrorKind.CODE, attempts=0)
        with self._lock:  # held until the hand-over: a loop that ends takes it before it drains what was handed over
            return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Run ``callback`` on the loop, if the loop is running, without waiting for it."""
        if self._is_forked:
            return
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)

    def blocked_by(self) -> str:
        """Return the name of the task that blocks the loop, or an empty string if none does.

        A task blocks the loop if it is the current task both before and after 0.2 s in which nothing else could run.
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

        A thread that runs a foreign event loop may call this: nothing on our loops waits for a foreign loop.

        Raises:
            CallError: this is a forked child process.
            RuntimeError: the calling thread runs one of our loops.
        """
        if not self._is_forked:
            try:
                refuse_to_block()
            except RuntimeError:
                coroutine.close()
                raise
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel all tasks and end the thread; functions in the executor's threads get a few seconds to finish.

        Does nothing when called again, or in a forked child.
        """
        if self._is_forked:
            return
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # foreign code in a task has already ended the loop
            loop.call_soon_threadsafe(loop.stop)
        until = now() + _STOP_TIMEOUT_S
        thread.join(_STOP_TIMEOUT_S)
        for each in self._executor.threads if self._executor is not None else ():
            each.join(max(0.0, until - now()))

    @property
    def _is_forked(self) -> bool:
        """Whether this is a forked child. Check it before taking the lock, which may be held forever there."""
        return os.getpid() != self._pid

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the loop, started if necessary; the caller holds the lock."""
        if self._loop is None:
            loop = asyncio.new_event_loop()
            loop.time = now  # type: ignore[method-assign]  # the clock of timeouts and pauses
            self._executor = _InContext(self._threads, thread_name_prefix="asyncio")  # starts no thread yet
            loop.set_default_executor(self._executor)
            self._thread = _Serving(target=self._serve, args=(loop,), name=self._name, daemon=True)
            self._thread.start()
            self._loop = loop  # only now: an interrupt above must not leave behind a loop that no thread runs
        return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            with self._lock:
                if self._loop is loop:  # foreign code raised SystemExit: what is submitted from now on gets a new loop
                    self._loop = None
            _drain(loop)
            loop.close()


def _drain(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel all tasks, and coroutines handed over but not yet tasks, so that nobody waits for them forever."""
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
    """Run ``work`` until it is done or a task raises SystemExit or KeyboardInterrupt, which end the loop."""
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        loop.run_until_complete(work)
