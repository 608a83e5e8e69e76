"""Which request goes next: the limits of a session, over all accounts and processes."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType

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

    def slots(self, account: str) -> Callable[[], "_Slot"]:
        """Return what is entered around each request to ``account``."""
        limit = self._limit_of(account)
        return lambda: _Slot(self, limit)

    def settle(self, account: str, tokens: int, *, taken_s: float) -> None:
        """Book the difference between the tokens that a call took and those it was let go with, at ``taken_s``."""
        pacer = self._limit_of(account).tokens
        if pacer is not None:
            pacer.settle(tokens, taken_s=taken_s)
            self._dispatch()

    def close(self, kind: ErrorKind, message: str) -> None:
        """Let no further request go, to no account; what is in flight may end."""
        self._closed = self._closed or (lambda: CallError(message, kind=kind, attempts=0))
        for limit in self._by_account.values():
            limit.close(self._closed)

    def hurry(self, priority: Priority) -> None:
        """Let the requests of a call go as those that a case waits for, also one that waits already."""
        priority.ahead = False
        for limit in self._by_account.values():
            limit.reorder()

    async def enter(self, limit: AccountLimit) -> None:
        """Wait until a request may go; it is booked then.

        Raises:
            CallError: none may go any more.
        """
        limit.require_open()
        priority = PRIORITY.get() or Priority()
        if limit.head() is None and self._may_go(limit):
            self._book(limit, priority)
        else:
            await self._in_line(limit, priority)
        try:
            if priority.require_money is not None:
                priority.require_money()
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

    def leave(self, limit: AccountLimit, slot: "_Slot", error: BaseException | None) -> None:
        """Book the end of a request, and what it says of the account."""
        try:
            if error is None:
                limit.answered(slot.started_s)
            else:
                if isinstance(error, AttemptError):
                    self.faults[error.kind] += 1
                    self._learn(limit, slot.started_s, error)
                if limit.tokens is not None:  # the next attempt books its own
                    limit.tokens.settle(_taken(error, slot.tokens) - slot.tokens, taken_s=slot.taken_s)
        finally:  # whatever it was, nobody waits for its slot for ever
            limit.end()
            self.in_flight -= 1
            self._dispatch()

    def now(self) -> float:
        """Return the time, in seconds that never go back."""
        return self._clock()

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

    def _learn(self, limit: AccountLimit, started_s: float, error: AttemptError) -> None:
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
                self._compare(limit, error)
        elif kind not in (ErrorKind.TIMEOUT, ErrorKind.CONNECTION):
            limit.heard()

    @staticmethod
    def _compare(limit: AccountLimit, error: AttemptError) -> None:
        """Let a call have all its tries again where others were answered meanwhile: a quota of a minute refuses it."""
        priority = PRIORITY.get() or Priority()
        error.counts_anew = priority.refused_at is not None and limit.answers > priority.refused_at
        priority.refused_at = limit.answers


def _taken(error: BaseException, tokens: int) -> int:
    """Return what a request that was let go with ``tokens`` took: all of them where an answer to it does not tell."""
    usage = error.usage if isinstance(error, AttemptError) else None
    if usage is None:
        return 0
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) or tokens


class _Slot:
    """One request in flight."""

    __slots__ = ("_limit", "_limiter", "started_s", "taken_s", "tokens")

    def __init__(self, limiter: Limiter, limit: AccountLimit) -> None:
        self._limiter = limiter
        self._limit = limit
        self.started_s = self.taken_s = 0.0
        """When it left, and when its tokens were booked."""
        self.tokens = 0
        """With which it was let go."""

    async def __aenter__(self) -> None:
        priority = PRIORITY.get() or Priority()
        if priority.pay is not None:
            await priority.pay()
        await self._limiter.enter(self._limit)
        self.started_s = self._limiter.now()
        self.tokens, self.taken_s, priority.is_sent = priority.tokens, priority.taken_s, True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._judge(error)
        except asyncio.CancelledError as given_up:
            error = given_up
            raise
        finally:
            priority = PRIORITY.get() or Priority()
            priority.is_sent = not isinstance(error, AttemptError)
            if isinstance(error, AttemptError) and error.usage is not None and priority.lose is not None:
                priority.lose(error.usage)
            self._limiter.leave(self._limit, self, error)

    async def _judge(self, error: BaseException | None) -> None:
        """Find out whether a denial is of this request alone, and have the error say so."""
        if isinstance(error, AttemptError) and error.may_be_own and await self._limit.is_own_denial(self.started_s):
            error.be_own()
