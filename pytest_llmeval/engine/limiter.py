"""Which request goes next: the limits of a session, over all accounts and processes."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.gate import AccountGate, Turn, Waiter

__all__ = ["TURN", "Limiter", "Limits"]


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


TURN: ContextVar[Turn | None] = ContextVar("llmeval_turn", default=None)
"""The turn of the call that the running task makes."""


class Limiter:
    """Hands out slots; a slot is held while a request is in flight, never while its caller waits to try again."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._gates: dict[str, AccountGate] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.in_flight = 0
        self.peak = 0
        """The most requests that were in flight at one moment."""
        self.requests = 0
        """Requests sent."""
        self._closed: Callable[[], CallError] | None = None

    def slots(self, account: str) -> Callable[[], "_Slot"]:
        """Return what is entered around each request to ``account``."""
        gate = self._gate(account)
        return lambda: _Slot(self, gate)

    def settle(self, account: str, tokens: int) -> None:
        """Book the difference between the tokens that a call took and those it was let go with."""
        pacer = self._gate(account).tokens
        if pacer is not None:
            pacer.settle(tokens)
            self._dispatch()

    def close(self, kind: ErrorKind, message: str) -> None:
        """Let no further request go, to no account; what is in flight may end."""
        self._closed = self._closed or (lambda: CallError(message, kind=kind, attempts=0))
        for gate in self._gates.values():
            gate.close(self._closed)

    def hurry(self, turn: Turn) -> None:
        """Let the requests of a call go as those that a case waits for, also one that waits already."""
        turn.ahead = False
        for gate in self._gates.values():
            gate.reorder()

    async def enter(self, gate: AccountGate) -> None:
        """Wait until a request may go; it is booked then.

        Raises:
            CallError: none may go any more.
        """
        if gate.closed is not None:
            raise gate.closed()
        turn = TURN.get() or Turn()
        if gate.head() is None and self._may_go(gate):
            self._book(gate, turn)
            return
        ready = asyncio.get_running_loop().create_future()
        gate.push(Waiter(turn, next(self._numbers), ready))
        self._dispatch()
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled() and ready.exception() is None:  # it was booked already
                gate.end()
                self.in_flight -= 1
                self.requests -= 1
                self._dispatch()
            raise

    def leave(self, gate: AccountGate, started_s: float, tokens: int, error: BaseException | None) -> None:
        """Book the end of a request that was let go with ``tokens``, and what it says of the account."""
        if error is None:
            gate.answered(started_s)
        else:
            if isinstance(error, AttemptError):
                self._learn(gate, started_s, error)
            if gate.tokens is not None:  # it took none; the next attempt books its own
                gate.tokens.settle(-tokens)
        gate.end()
        self.in_flight -= 1
        self._dispatch()

    def now(self) -> float:
        """Return the time, in seconds that never go back."""
        return self._clock()

    def _gate(self, account: str) -> AccountGate:
        if account not in self._gates:
            limits = self._limits
            ceiling = min(limits.max_connections, limits.most.get(account, limits.max_connections))
            gate = AccountGate(ceiling=ceiling, rpm=limits.rpm, tpm=limits.tpm, patience_s=limits.patience_s)
            gate.closed = self._closed
            self._gates[account] = gate
        return self._gates[account]

    def _may_go(self, gate: AccountGate) -> bool:
        return self.in_flight < self._limits.max_connections and gate.wait_s(self._clock()) == 0

    def _book(self, gate: AccountGate, turn: Turn) -> None:
        gate.start(turn.take(), self._clock())
        self.in_flight += 1
        self.requests += 1
        self.peak = max(self.peak, self.in_flight)

    def _dispatch(self) -> None:
        """Let go whoever may, the first in line first; come back when time alone will let the next one go."""
        waits_s: list[float] = []
        while self.in_flight < self._limits.max_connections:
            now = self._clock()
            waits = [(gate.wait_s(now), gate) for gate in self._gates.values() if gate.head() is not None]
            ready = [(head, gate) for wait_s, gate in waits if wait_s == 0 and (head := gate.head()) is not None]
            waits_s = [wait_s for wait_s, _ in waits if wait_s]
            if not ready:
                break
            waiter, gate = min(ready, key=lambda pair: pair[0])
            self._book(gate, waiter.turn)
            waiter.ready.set_result(None)
        self._wait_for(min(waits_s, default=None))

    def _wait_for(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._dispatch)

    def _learn(self, gate: AccountGate, started_s: float, error: AttemptError) -> None:
        """Take from a fault what it says of the account: slower, or no further."""
        kind = error.kind
        if kind in (ErrorKind.AUTH, ErrorKind.QUOTA):
            message = f"not asked: the server had refused an earlier call: {error}"
            gate.close(lambda: CallError(message, kind=kind, attempts=0))
        elif kind in (ErrorKind.RATE_LIMITED, ErrorKind.SERVER_ERROR):
            gate.refused(
                started_s=started_s,
                now=self._clock(),
                retry_after_s=error.retry_after_s,
                is_rate=kind == ErrorKind.RATE_LIMITED,
            )


class _Slot:
    """One request in flight."""

    __slots__ = ("_gate", "_limiter", "_started_s", "_tokens")

    def __init__(self, limiter: Limiter, gate: AccountGate) -> None:
        self._limiter = limiter
        self._gate = gate

    async def __aenter__(self) -> None:
        await self._limiter.enter(self._gate)
        self._started_s = self._limiter.now()
        self._tokens = (TURN.get() or Turn()).tokens

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._judge(error)
        except asyncio.CancelledError as given_up:
            error = given_up
            raise
        finally:
            self._limiter.leave(self._gate, self._started_s, self._tokens, error)

    async def _judge(self, error: BaseException | None) -> None:
        """Find out whether a denial is of this request alone, and have the error say so."""
        if isinstance(error, AttemptError) and error.may_be_own and await self._gate.is_own_denial(self._started_s):
            error.be_own()
