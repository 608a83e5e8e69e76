"""The calls of a book that nobody waits for, whatever they stand in."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pytest_llmeval.scorers.begun_calls import BegunCalls

Call = Callable[[str], Coroutine[Any, Any, None]]
Body = Callable[[Call], Coroutine[Any, Any, None]]


def calls_of(begun: BegunCalls) -> Call:
    """Return what begins an async call that takes long."""

    def call(name: str) -> Coroutine[Any, Any, None]:
        coroutine = asyncio.sleep(30)
        begun.add(name, coroutine)
        return coroutine

    return call


async def _gathered(call: Call) -> None:
    asyncio.gather(call("one"), call("two"))


async def _in_tasks(call: Call) -> None:
    tasks = [asyncio.create_task(call(name)) for name in ("one", "two")]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def _deep_within(call: Call) -> None:
    async def both() -> None:
        async def inner() -> None:
            await call("two")

        await asyncio.gather(call("one"), inner())

    task = asyncio.ensure_future(both())
    await asyncio.sleep(0.01)
    assert not task.done()


async def _shielded(call: Call) -> None:
    for name in ("one", "two"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(call(name)), 0.01)


@pytest.mark.parametrize("body", [_gathered, _in_tasks, _deep_within, _shielded])
def test_calls_in_tasks_are_told_in_their_order(body: Body) -> None:
    begun = BegunCalls()

    async def run() -> tuple[str, ...]:
        await body(calls_of(begun))
        return begun.in_tasks()

    assert asyncio.run(run()) == ("one", "two")
    assert begun.left() == ()


def test_a_task_that_was_cancelled_is_not_forgotten() -> None:
    begun = BegunCalls()

    async def run() -> tuple[str, ...]:
        tasks = [asyncio.create_task(calls_of(begun)(name)) for name in ("one", "two")]
        await asyncio.sleep(0)
        both = asyncio.gather(*tasks, calls_of(begun)("three"))
        both.cancel()
        return begun.in_tasks()

    assert asyncio.run(run()) == ()


def test_what_was_awaited_has_ended() -> None:
    begun = BegunCalls()

    async def run() -> tuple[str, ...]:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(calls_of(begun)("one"), 0.01)
        return begun.in_tasks()

    assert asyncio.run(run()) == begun.left() == begun.close_unbegun() == ()


def test_a_call_that_nobody_awaits_is_closed() -> None:
    begun = BegunCalls()
    _ = calls_of(begun)("one")
    assert begun.left() == ("one",)
    assert begun.close_unbegun() == ("one",)
    assert begun.left() == begun.close_unbegun() == ()


def test_a_call_in_a_thread_runs_until_it_ends() -> None:
    begun, has_begun, may_end = BegunCalls(), threading.Event(), threading.Event()

    def call() -> None:
        with begun.running("exact"):
            has_begun.set()
            may_end.wait(30)

    thread = threading.Thread(target=call)
    thread.start()
    has_begun.wait(30)
    with begun.running("exact"):
        assert begun.left() == ("exact", "exact")
    assert begun.left() == ("exact",)
    may_end.set()
    thread.join()
    assert begun.left() == ()
