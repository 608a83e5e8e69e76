"""Which request goes next: the limits of a session, over all accounts and processes."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.account_limit import AccountLimit, Priority, Waiter

__all__ = ["PRIORITY", "Limiter", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a session allows."""

    max_connections: int
    """Requests in flight, over all accounts; at least 1."""
    rpm: float | None = None
    """Requests a minute to one account; None for no limit."""
    tpm: float | None = None
    """Tokens a minute of one account, sent and received; None for no limit."""
    most: Mapping[str, int] = field(default_factory=dict)
    """Requests in flight to single accounts at most, by them; at least 1 each."""
    patience_s: float = 120.0
    """Seconds for which an account that is refused without an answer between pauses by itself."""


PRIORITY: ContextVar[Priority | None] = ContextVar("llmeval_priority", default=None)
"""The priority of the call that the running task makes."""


class Limiter:
    """Hands out slots; a slot is held while a request is in flight, never while its caller waits to try again."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = now) -> None:
        self._limits = limits
        self._clock = clock
        self._by_account: dict[str, AccountLimit] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.in_flight = 0
        self.peak = 0
        """The most requests that were in flight at one moment."""
        self.requests = 0
        """Requests sent."""
        self.faults = Counter[ErrorKind]()
        """Those of them that gave no answer to use, by kind."""
        self._closed: Callable[[], CallError] | None = None

    def slots(self, account: str) -> Callable[[], AbstractAsyncContextManager[None]]:
        """Return what is entered around each request to ``account``."""
        return partial(self._slot, self._limit_of(account))

    def settle(self, account: str, tokens: int, *, taken_s: float) -> None:
        """Book the difference between the tokens that a call took and those it was let go with, at ``taken_s``."""
        pacer = self._limit_of(account).tokens
        if pacer is not None:
            pacer.settle(tokens, taken_s=taken_s)
            self._dispatch()

    def close(self, kind: ErrorKind, message: str) -> None:
        """Let no further request go, to no account; what is in flight may end. Closing it again changes nothing."""
        self._closed = self._closed or (lambda: CallError(message, kind=kind, attempts=0))
        for limit in self._by_account.values():
            limit.close(self._closed)

    def require_open(self) -> None:
        """Raise CallError where all accounts were closed."""
        if self._closed is not None:
            raise self._closed()

    def hurry(self, priority: Priority) -> None:
        """Let the requests of a call go as those that a case waits for, also one that waits already."""
        priority.ahead = False
        for limit in self._by_account.values():
            limit.reorder()

    @asynccontextmanager
    async def _slot(self, limit: AccountLimit) -> AsyncIterator[None]:
        """Hold the account's slot of one request."""
        priority = PRIORITY.get() or Priority()
        if priority.paying is not None:
            await priority.paying.start()
        await self._enter(limit, priority)
        started_s, priority.is_sent = self._clock(), True
        error: BaseException | None = None
        try:
            try:
                yield
            except AttemptError as fault:
                if fault.may_be_own and await limit.is_own_denial(started_s):
                    fault.be_own()
                raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._leave(limit, priority, started_s, error)

    async def _enter(self, limit: AccountLimit, priority: Priority) -> None:
        """Wait until a request may go; it is booked then.

        Raises:
            CallError: none may go any more.
        """
        limit.require_open()
        if limit.head() is None and self._may_go(limit):
            self._book(limit, priority)
        else:
            await self._in_line(limit, priority)
        try:
            if priority.paying is not None:
                priority.paying.require_money()
            if priority.begin is not None:
                await priority.begin()
                priority.begin = None
                limit.require_open()  # it may have been closed meanwhile
        except BaseException:
            self._unbook(limit)
            raise

    async def _in_line(self, limit: AccountLimit, priority: Priority) -> None:
        """Wait until the first in line are gone; it is booked then."""
        ready = asyncio.get_running_loop().create_future()
        limit.push(Waiter(priority, next(self._numbers), ready))
        self._dispatch()
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled() and ready.exception() is None:  # it was booked already
                self._unbook(limit)
            raise

    def _leave(self, limit: AccountLimit, priority: Priority, started_s: float, error: BaseException | None) -> None:
        """Book the end of a request, and what it says of the account."""
        fault = error if isinstance(error, AttemptError) else None
        priority.is_sent = fault is None
        if fault is not None and fault.usage is not None and priority.paying is not None:
            priority.paying.lose(fault.usage)
        try:
            if error is None:
                limit.answered(started_s)
            else:
                if fault is not None:
                    self.faults[fault.kind] += 1
                    self._learn(limit, priority, started_s, fault)
                if limit.tokens is not None:  # the next attempt books its own
                    taken = _taken(fault, priority.tokens)
                    limit.tokens.settle(taken - priority.tokens, taken_s=priority.taken_s)
        finally:  # whatever it was, nobody waits for its slot for ever
            limit.end()
            self.in_flight -= 1
            self._dispatch()

    def _limit_of(self, account: str) -> AccountLimit:
        if account not in self._by_account:
            limits = self._limits
            ceiling = min(limits.max_connections, limits.most.get(account, limits.max_connections))
            limit = AccountLimit(ceiling=ceiling, rpm=limits.rpm, tpm=limits.tpm, patience_s=limits.patience_s)
            limit.closed = self._closed
            self._by_account[account] = limit
        return self._by_account[account]

    def _may_go(self, limit: AccountLimit) -> bool:
        return self.in_flight < self._limits.max_connections and limit.wait_s(self._clock()) == 0

    def _book(self, limit: AccountLimit, priority: Priority) -> None:
        now = self._clock()
        limit.start(priority.take(now), now)
        self.in_flight += 1
        self.requests += 1
        self.peak = max(self.peak, self.in_flight)

    def _unbook(self, limit: AccountLimit) -> None:
        """Take back a request that was booked and is not sent."""
        limit.end()
        self.in_flight -= 1
        self.requests -= 1
        self._dispatch()

    def _dispatch(self) -> None:
        """Let go whoever may, the first in line first; come back when time alone will let the next one go."""
        waits_s: list[float] = []
        while self.in_flight < self._limits.max_connections:
            now = self._clock()
            waits = [(limit.wait_s(now), limit) for limit in self._by_account.values() if limit.head() is not None]
            ready = [(head, limit) for wait_s, limit in waits if wait_s == 0 and (head := limit.head()) is not None]
            waits_s = [wait_s for wait_s, _ in waits if wait_s]
            if not ready:
                break
            waiter, limit = min(ready, key=lambda pair: pair[0])
            self._book(limit, waiter.priority)
            waiter.ready.set_result(None)
        self._wait_for(min(waits_s, default=None))

    def _wait_for(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._dispatch)

    def _learn(self, limit: AccountLimit, priority: Priority, started_s: float, error: AttemptError) -> None:
        """Take from a fault what it says of the account: slower, or no further."""
        kind, now = error.kind, self._clock()
        if error.is_unsent:
            if limit.is_given_up(now) and error.retryable:
                error.be_last("no connection there has succeeded for a minute")
        elif kind != ErrorKind.TIMEOUT:
            limit.reached()
        if kind in (ErrorKind.AUTH, ErrorKind.QUOTA):
            message = f"not asked: the server had refused an earlier call: {error}"
            limit.close(lambda: CallError(message, kind=kind, attempts=0))
        elif kind in (ErrorKind.RATE_LIMITED, ErrorKind.SERVER_ERROR):
            is_rate = kind == ErrorKind.RATE_LIMITED
            if limit.refused(started_s=started_s, now=now, retry_after_s=error.retry_after_s, is_rate=is_rate):
                error.be_last("it has asked to wait for minutes on end and answered nothing")
            if is_rate:
                self._compare(limit, priority, error)
        elif kind not in (ErrorKind.TIMEOUT, ErrorKind.CONNECTION):
            limit.heard()

    @staticmethod
    def _compare(limit: AccountLimit, priority: Priority, error: AttemptError) -> None:
        """Let a call have all its tries again where others were answered meanwhile: a quota of a minute refuses it."""
        error.counts_anew = priority.refused_at is not None and limit.answers > priority.refused_at
        priority.refused_at = limit.answers


def _taken(fault: AttemptError | None, tokens: int) -> int:
    """Return what a request that was let go with ``tokens`` took: all of them where an answer to it does not tell."""
    usage = fault.usage if fault is not None else None
    if usage is None:
        return 0
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) or tokens
