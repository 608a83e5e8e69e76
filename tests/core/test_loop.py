"""The loop in a thread of its own, as threads that are not async use it."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.loop import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


async def double(number: int) -> int:
    """Return twice the number, later."""
    await asyncio.sleep(0.001)
    return number * 2


async def forever(started: threading.Event, ended: threading.Event) -> None:
    """Wait until cancelled."""
    started.set()
    try:
        await asyncio.sleep(60)
    finally:
        ended.set()


def loop_threads() -> list[threading.Thread]:
    """Return the threads of all loops."""
    return [thread for thread in threading.enumerate() if thread.name == "llmeval-loop"]


def wait_until(condition: Any) -> None:
    """Return once ``condition()`` holds; fail after 5 s."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_no_thread_starts_before_it_is_needed(loop: LoopThread) -> None:
    before = len(loop_threads())
    LoopThread().close()
    assert len(loop_threads()) == before


def test_a_coroutine_gives_its_result(loop: LoopThread) -> None:
    assert loop.run(double(4)) == 8


def test_an_error_reaches_the_caller(loop: LoopThread) -> None:
    async def fail() -> None:
        raise LookupError("x")

    with pytest.raises(LookupError, match="x"):
        loop.run(fail())


def test_coroutines_run_at_the_same_time(loop: LoopThread) -> None:
    """Each waits until all have come."""

    async def meet(barrier: asyncio.Barrier) -> bool:
        await barrier.wait()
        return True

    async def make() -> asyncio.Barrier:
        return asyncio.Barrier(20)

    barrier = loop.run(make())
    futures = [loop.submit(meet(barrier)) for _ in range(20)]
    assert all(future.result(5) for future in futures)


def test_threads_that_come_at_once_share_one_loop(loop: LoopThread) -> None:
    before = len(loop_threads())
    gate = threading.Barrier(16)

    def ask(number: int) -> int:
        gate.wait()
        return loop.run(double(number))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(ask, range(16))) == [number * 2 for number in range(16)]
    assert len(loop_threads()) == before + 1


def test_an_interrupt_of_the_waiting_thread_cancels_the_coroutine(loop: LoopThread) -> None:
    started, ended = threading.Event(), threading.Event()

    def interrupt() -> None:
        started.wait(5)
        time.sleep(0.1)  # until the main thread waits for the result
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(forever(started, ended))
    assert ended.wait(5)


def test_closing_cancels_what_runs_and_ends_the_thread(loop: LoopThread) -> None:
    before = len(loop_threads())
    started, ended = threading.Event(), threading.Event()
    future = loop.submit(forever(started, ended))
    assert started.wait(5)
    loop.close()
    assert ended.is_set()
    assert future.cancelled()
    assert len(loop_threads()) == before


def test_closing_ends_what_was_submitted_a_moment_ago(loop: LoopThread) -> None:
    started, ended = threading.Event(), threading.Event()
    future = loop.submit(forever(started, ended))
    loop.close()
    wait_until(future.done)


def test_closing_again_does_nothing(loop: LoopThread) -> None:
    loop.run(double(1))
    loop.close()
    loop.close()


def test_what_runs_in_another_thread_keeps_its_context_and_ends_with_the_loop(loop: LoopThread) -> None:
    whose: contextvars.ContextVar[int] = contextvars.ContextVar("whose")

    async def look(number: int) -> int:
        whose.set(number)
        return await asyncio.get_running_loop().run_in_executor(None, whose.get)

    assert [loop.run(look(number)) for number in range(3)] == [0, 1, 2]
    loop.close()
    wait_until(lambda: not any(thread.name.startswith("asyncio") for thread in threading.enumerate()))


def test_a_closed_loop_serves_again_when_asked(loop: LoopThread) -> None:
    """Bodies of a session that goes on after an interrupt, say."""
    loop.run(double(1))
    loop.close()
    assert loop.run(double(2)) == 4


def test_waiting_on_the_loop_itself_is_refused_and_says_what_to_do(loop: LoopThread) -> None:
    async def ask() -> int:
        return loop.run(double(1))

    with pytest.raises(RuntimeError, match=r"use `await model\.generate\(\)`, `await score\.judge\(\)`"):
        loop.run(ask())


def test_waiting_beside_a_loop_of_somebody_elses_is_fine(loop: LoopThread) -> None:
    """A cell of a notebook runs within one; what is waited for runs in another thread."""

    async def cell() -> int:
        return loop.run(double(2))

    assert asyncio.run(cell()) == 4


def test_waiting_on_one_loop_for_another_is_refused(loop: LoopThread) -> None:
    """Bodies have a loop of their own, and one that waits holds up all others."""

    async def body() -> int:
        return loop.run(double(1))

    with contextlib.closing(LoopThread("other")) as bodies, pytest.raises(RuntimeError, match="from async code"):
        bodies.run(body())


def test_only_its_own_thread_is_current(loop: LoopThread) -> None:
    async def here() -> bool:
        return loop.is_current()

    assert not loop.is_current()
    assert loop.run(here())
    assert not loop.is_current()


def test_async_generators_are_closed_in_the_end(loop: LoopThread) -> None:
    ended = threading.Event()

    async def numbers() -> Any:
        with contextlib.ExitStack() as stack:
            stack.callback(ended.set)
            yield 1
            yield 2

    kept: list[Any] = []

    async def first() -> int:
        kept.append(numbers())
        async for number in kept[0]:
            return int(number)
        return 0

    assert loop.run(first()) == 1
    loop.close()
    assert ended.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_a_task_ended_serves_again(loop: LoopThread) -> None:
    """asyncio lets SystemExit out of any task end the loop."""

    async def leave() -> None:
        sys.exit(3)

    with pytest.raises((SystemExit, concurrent.futures.CancelledError)):
        loop.run(leave())
    wait_until(lambda: not loop_threads())
    assert loop.run(double(4)) == 8


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_a_task_ended_can_be_closed() -> None:
    async def leave() -> None:
        sys.exit(3)

    loop = LoopThread()
    with pytest.raises((SystemExit, concurrent.futures.CancelledError)):
        loop.run(leave())
    wait_until(lambda: not loop_threads())
    loop.call_soon(lambda: None)
    loop.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whoever_waits_for_a_loop_that_tasks_end_is_told(loop: LoopThread) -> None:
    """Also of what was handed over while it computed, and is no task yet; each of many tasks may end a loop."""
    handed_over = threading.Event()

    async def leave() -> None:
        sys.exit(3)

    async def leave_late() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            sys.exit(4)

    async def body() -> None:
        late = asyncio.create_task(leave_late())
        await asyncio.sleep(0)
        now = [asyncio.create_task(leave()) for _ in range(20)]
        handed_over.wait(5)
        await asyncio.gather(late, *now)

    async def other() -> None:
        await asyncio.sleep(60)

    futures = [loop.submit(body()), *(loop.submit(other()) for _ in range(30))]
    handed_over.set()
    concurrent.futures.wait(futures, 5)
    assert [future.done() for future in futures] == [True] * 31
    wait_until(lambda: not loop_threads())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_refused_at_once(loop: LoopThread) -> None:
    """The thread is not there, and its lock may be held by another one that is not there either."""
    loop.run(double(1))
    with loop._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                loop.call_soon(lambda: None)
                loop.close()
                loop.run(double(2))
            except CallError:
                status = 0
            finally:
                os._exit(status)
    try:
        wait_until(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    finally:
        os.kill(child, signal.SIGKILL)
        ended = os.waitpid(child, 0)
    assert ended == (child, 0)
    assert loop.run(double(3)) == 6


def test_a_task_that_holds_the_loop_is_named(loop: LoopThread) -> None:
    """One that waits holds nothing, nor do many that take turns."""
    started, let_go = threading.Event(), threading.Event()

    async def hold() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("the holder")
        await asyncio.sleep(0)
        started.set()
        let_go.wait(20)

    async def take_turns() -> None:
        while not let_go.is_set():
            await asyncio.sleep(0)

    assert loop.blocked_by() == ""
    turns = [loop.submit(take_turns()) for _ in range(3)]
    assert loop.blocked_by() == ""
    held = loop.submit(hold())
    assert started.wait(20)
    assert loop.blocked_by() == "the holder"
    let_go.set()
    for each in (held, *turns):
        each.result(20)
    assert loop.blocked_by() == ""
