"""The session's limiter: which request goes next, within the limits over all accounts and processes."""

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
    """The limits that a session sets for its requests."""

    max_connections: int
    """Largest number of requests in flight over all accounts; at least 1."""
    rpm: float | None = None
    """Requests per minute to one account; None for no limit."""
    tpm: float | None = None
    """Tokens per minute of one account, sent and received; None for no limit."""
    most: Mapping[str, int] = field(default_factory=dict)
    """Largest number of requests in flight to single accounts, by account; at least 1 each."""
    patience_s: float = 120.0
    """Seconds for which an account pauses by itself while its requests are refused and none is answered."""


PRIORITY: ContextVar[Priority | None] = ContextVar("llmeval_priority", default=None)
"""The priority of the call that the running task makes."""


class Limiter:
    """Hands out slots. A request holds one while it is in flight, but not while its caller waits for a retry."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = now) -> None:
        self._limits = limits
        self._clock = clock
        self._by_account: dict[str, AccountLimit] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.in_flight = 0
        self.peak = 0
        """Largest number of requests that were in flight at one moment."""
        self.requests = 0
        """Number of requests sent."""
        self.faults = Counter[ErrorKind]()
        """Number of requests sent that gave no usable answer, by kind of error."""
        self._closed: Callable[[], CallError] | None = None

    def slots(self, account: str) -> Callable[[], AbstractAsyncContextManager[None]]:
        """Return a factory of the context managers that are entered around each request to ``account``."""
        return partial(self._slot, self._limit_of(account))

    def settle(self, account: str, tokens: int, *, taken_s: float) -> None:
        """Book the difference between the tokens a call took and those that were booked for it at ``taken_s``."""
        pacer = self._limit_of(account).tokens
        if pacer is not None:
            pacer.settle(tokens, taken_s=taken_s)
            self._dispatch()

    def close(self, kind: ErrorKind, message: str) -> None:
        """Send no further request to any account; requests in flight may finish. A second call changes nothing."""
        self._closed = self._closed or (lambda: CallError(message, kind=kind, attempts=0))
        for limit in self._by_account.values():
            limit.close(self._closed)

    def require_open(self) -> None:
        """Raise CallError if all accounts were closed."""
        if self._closed is not None:
            raise self._closed()

    def hurry(self, priority: Priority) -> None:
        """Give the requests of a call, also those that wait already, the priority of a call that a case waits for."""
        priority.ahead = False
        for limit in self._by_account.values():
            limit.reorder()

    @asynccontextmanager
    async def _slot(self, limit: AccountLimit) -> AsyncIterator[None]:
        """Hold one of the account's slots during a request."""
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
        """Wait until a request may be sent, and book it.

        Raises:
            CallError: no further request may be sent.
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
                limit.require_open()  # it may have been closed in the meantime
        except BaseException:
            self._unbook(limit)
            raise

    async def _in_line(self, limit: AccountLimit, priority: Priority) -> None:
        """Queue a request and wait until its turn has come and it is booked."""
        ready = asyncio.get_running_loop().create_future()
        limit.push(Waiter(priority, next(self._numbers), ready))
        self._dispatch()
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled() and ready.exception() is None:  # already booked
                self._unbook(limit)
            raise

    def _leave(self, limit: AccountLimit, priority: Priority, started_s: float, error: BaseException | None) -> None:
        """Book the end of a request, and adapt the account's limit to how it ended."""
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
                if limit.tokens is not None:  # the next attempt books its own tokens
                    taken = _taken(fault, priority.tokens)
                    limit.tokens.settle(taken - priority.tokens, taken_s=priority.taken_s)
        finally:  # always free the slot, or others would wait for it for ever
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
        """Take back the booking of a request that is not sent."""
        limit.end()
        self.in_flight -= 1
        self.requests -= 1
        self._dispatch()

    def _dispatch(self) -> None:
        """Let all waiting requests go that may, in order of priority; set a timer if the next one only needs time."""
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
        """Adapt the account's limit to an error: slow down, pause or close it; may forbid the error's retry."""
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
        """Let a refused call count its attempts anew if others were answered since its last refusal.

        Then the server works, and a quota per minute refuses the call.
        """
        error.counts_anew = priority.refused_at is not None and limit.answers > priority.refused_at
        priority.refused_at = limit.answers


def _taken(fault: AttemptError | None, tokens: int) -> int:
    """Return the tokens that a failed request took: 0 without any answer, ``tokens`` if the answer does not say."""
    usage = fault.usage if fault is not None else None
    if usage is None:
        return 0
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) or tokens
