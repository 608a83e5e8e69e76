"""The one retry loop: when to try again, how long to wait, and when time is up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.loop import pause
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.sending import SENDING, Sending

__all__ = ["RetryPolicy", "Slot", "call_with_retries"]

Slot = Callable[[], AbstractAsyncContextManager[object]]
"""Entered around every single attempt, so that back-off holds no slot; its time is not the call's."""


_MALFORMED = frozenset({ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often a call is tried."""

    timeout_s: float = 120.0
    """Seconds for all attempts and the pauses between them, above 0; a slow drip does not extend it."""
    max_attempts: int = 6
    """Requests sent at most, at least 1; counted anew from a refusal on before which others were answered."""
    base_s: float = 0.5
    """Upper end of the first random pause; it doubles with each attempt."""
    cap_s: float = 8.0
    """Upper end of every random pause."""

    def backoff_s(self, attempt: int) -> float:
        """Return a pause after ``attempt`` (from 1): exponential back-off with full jitter.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        return _between(0, min(self.cap_s, self.base_s * 2 ** (attempt - 1)))


async def call_with_retries(
    attempt: Callable[[], Awaitable[Response]], *, policy: RetryPolicy, slot: Slot = nullcontext
) -> Response:
    """Return what ``attempt`` returns, tried again after faults that may pass.

    The response carries the number of attempts, the latency of the last one and what the others took for nothing.

    Raises:
        CallError: no attempt gave an answer within the policy, the fault is none that passes, or there was no slot.
    """
    call = _Call(policy, slot)
    while True:
        try:
            response = await call.timed(attempt)
        except AttemptError as fault:
            await call.pause_after(fault)
        except CallError as closed:  # the slot was refused: only the attempts before it were sent
            if call.last_fault is None:
                raise
            why = str(closed).removeprefix("not asked: ")
            raise call.failed(f"{call.last_fault}; not tried again: {why}", closed.kind) from None
        else:
            lost = tuple(call.usages)
            return replace(response, attempts=call.attempts, latency_s=call.latency_s, lost=lost)


class _Call:
    """One call under way: attempts made, time left."""

    def __init__(self, policy: RetryPolicy, slot: Slot) -> None:
        self._policy = policy
        self._slot = slot
        self._left_s = policy.timeout_s
        self._malformed = 0
        self._uncounted = 0
        """Attempts before the server answered others: they say no more of whether it will answer this call."""
        self.attempts = 0
        self.latency_s: float | None = None
        self.last_fault: str | None = None
        """What the last attempt gave in place of an answer; None before there is one."""
        self.usages: list[Usage] = []
        """Of attempts that were answered, and whose answers are none to use."""

    async def timed(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return what one attempt returns within the time left."""
        async with self._slot():
            self.attempts += 1
            sending, start = Sending(), now()
            SENDING.set(sending)
            try:
                async with asyncio.timeout(self._left_s):
                    return await attempt()
            except TimeoutError:
                is_unsent = sending.is_connecting
                what, usage = ("connection", None) if is_unsent else ("complete answer", Usage())
                message = f"no {what} within {self._policy.timeout_s:g} s"
                raise AttemptError(ErrorKind.TIMEOUT, message, usage=usage, is_unsent=is_unsent) from None
            finally:
                self.latency_s = now() - start
                self._left_s -= self.latency_s

    async def pause_after(self, fault: AttemptError) -> None:
        """Wait, at the cost of the time left, for as long as the server asks, else (0 s too) back-off; jittered.

        Raises:
            CallError: no other attempt follows.
        """
        self._note(fault)
        asked_s = fault.retry_after_s
        pause_s = asked_s * _between(1, 1.1) if asked_s else self._policy.backoff_s(self._counted)
        why_last = self._why_last(fault, pause_s)
        if why_last is not None:
            raise self.failed("; ".join(filter(None, [fault.message, why_last])), fault.kind, fault.param) from None
        self._left_s -= pause_s
        await pause(pause_s)

    def failed(self, message: str, kind: ErrorKind, param: str | None = None) -> CallError:
        """Return the error of a call that was tried."""
        usages = tuple(self.usages)
        return CallError(
            message, kind=kind, attempts=self.attempts, latency_s=self.latency_s, param=param, usages=usages
        )

    def _note(self, fault: AttemptError) -> None:
        """Keep what an attempt without an answer says of the call."""
        self.last_fault = fault.message
        self._malformed += fault.kind in _MALFORMED
        if fault.counts_anew:
            self._uncounted = self.attempts - 1
        if fault.usage is not None:
            self.usages.append(fault.usage)

    def _why_last(self, fault: AttemptError, pause_s: float) -> str | None:
        """Return why no other attempt follows, an empty text where none would help; None where one does.

        A malformed answer is asked for once more only.
        """
        asked_s, left_s = fault.retry_after_s, self._left_s
        if not fault.retryable or self._malformed > 1:
            return ""
        if self._counted >= self._policy.max_attempts:
            return f"gave up after {self.attempts} attempts"
        if asked_s is not None and asked_s >= left_s:
            return (
                f"the server asks to wait {_shown_s(asked_s)} s (Retry-After), and {_shown_s(max(left_s, 0))} s are"
                f" left of the call's {self._policy.timeout_s:g} s"
            )
        return f"the call's {self._policy.timeout_s:g} s are used up" if pause_s >= left_s else None

    @property
    def _counted(self) -> int:
        return self.attempts - self._uncounted


def _shown_s(seconds: float) -> str:
    """Return seconds as people read them, be they few or senselessly many."""
    return f"{seconds:,.0f}" if 10 <= seconds < 1e9 else f"{seconds:.2g}"


def _between(low: float, high: float) -> float:
    """Return a random number in [low, high], so that many callers do not come back at once."""
    return random.uniform(low, high)  # noqa: S311 - no secret depends on it
