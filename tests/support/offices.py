"""Work in a loop of its own, as the tests of the line between processes do it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["run"]
_TIMEOUT_S = 20


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test in a loop of its own, and fail where it takes too long or leaves a task behind."""

    async def alone() -> None:
        async with asyncio.timeout(_TIMEOUT_S):
            await work
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(alone())
