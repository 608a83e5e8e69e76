"""A limiter and whoever stands in its queue."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.engine.account_limit import Priority
from pytest_llmeval.engine.limiter import PRIORITY, Limiter, Limits

__all__ = ["Desk", "desk", "outcomes", "rate_limited"]


@dataclass
class Desk:
    """A limiter, and what was seen of it from outside."""

    limits: Limits
    limiter: Limiter = field(init=False)
    in_flight: int = 0
    peak: int = 0
    started: list[tuple[str, float]] = field(default_factory=list)
    """Name and time of each request that went, in order."""

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.limits, clock=lambda: asyncio.get_running_loop().time())

    def request(self, name: str, account: str = "a", **options: Any) -> "asyncio.Task[None]":
        """Return a task that makes one request."""
        return asyncio.get_running_loop().create_task(self._request(name, account, **options))

    async def _request(
        self,
        name: str,
        account: str,
        *,
        at: float = 0.0,
        holds_s: float = 1.0,
        ahead: bool = False,
        tokens: int = 0,
        fault: Exception | None = None,
    ) -> None:
        PRIORITY.set(Priority(ahead=ahead, tokens=tokens))
        await asyncio.sleep(at)
        async with self.limiter.slots(account)():
            self.started.append((name, asyncio.get_running_loop().time()))
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            try:
                await asyncio.sleep(holds_s)
                if fault is not None:
                    raise fault
            finally:
                self.in_flight -= 1

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.started]

    def times(self, name: str) -> list[float]:
        return [at for each, at in self.started if each == name]


def desk(max_connections: int = 1, **limits: Any) -> Desk:
    return Desk(Limits(max_connections=max_connections, **limits))


def rate_limited(retry_after_s: float | None = None) -> AttemptError:
    return AttemptError(ErrorKind.RATE_LIMITED, "slow down", retryable=True, retry_after_s=retry_after_s)


async def outcomes(*tasks: "asyncio.Task[None]") -> list[ErrorKind | None]:
    """Return the kind of the error of each task; None where there was none."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [getattr(result, "kind", None) for result in results]
