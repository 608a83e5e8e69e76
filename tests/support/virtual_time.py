"""An event loop whose time passes only while every task waits, and then at once."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_virtual", "settled"]

T = TypeVar("T")


class _Jump(selectors.SelectSelector):
    """Waits for no time at all, and notes how long it was told to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task waits for something that no time will bring"
        self.now_s += max(0.0, timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """A loop of asyncio's own; only its clock is another."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns; fail where it leaves a task behind."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(_alone(work))


async def settled() -> None:
    """Return once what can happen without the passing of time has happened."""
    for _ in range(20):
        await asyncio.sleep(0)


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    result = await work
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return result
