"""The one retry loop: when to try again, how long to wait, and when time is up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.loop import pause
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.http.sending import SENDING, Sending

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
    progress = _Progress(policy, slot)
    try:
        response = await progress.run(attempt)
    except AttemptError as fault:
        response = await _retried(progress, attempt, fault)
    lost = tuple(progress.usages)
    return replace(response, attempts=progress.attempts, latency_s=progress.latency_s, lost=lost)


async def _retried(progress: "_Progress", attempt: Callable[[], Awaitable[Response]], fault: AttemptError) -> Response:
    """Return what ``attempt`` returns after its first ``fault``; tenacity is asked for nothing before there is one."""
    faults = [fault]

    async def run() -> Response:
        if faults:
            raise faults.pop()
        return await progress.run(attempt)

    retrying = AsyncRetrying(
        retry=retry_if_exception(progress.may_pass),
        wait=progress.pause_s,
        stop=progress.is_over,
        sleep=progress.sleep,
        reraise=True,
    )
    try:
        response: Response = await retrying(run)
    except AttemptError as last:
        message = "; ".join(filter(None, [last.message, progress.why_over]))
        raise CallError(
            message,
            kind=last.kind,
            attempts=progress.attempts,
            latency_s=progress.latency_s,
            param=last.param,
            usages=tuple(progress.usages),
        ) from None
    except CallError as closed:  # the slot was refused: only the attempts before it were sent
        raise CallError(
            f"{progress.last_fault}; not tried again: {str(closed).removeprefix('not asked: ')}",
            kind=closed.kind,
            attempts=progress.attempts,
            latency_s=progress.latency_s,
            usages=tuple(progress.usages),
        ) from None
    return response


class _Progress:
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
        self.why_over = ""
        self.last_fault = ""
        """What the last attempt gave in place of an answer."""
        self.usages: list[Usage] = []
        """Of attempts that were answered, and whose answers are none to use."""

    async def run(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return what one attempt returns within the time left."""
        try:
            return await self._timed(attempt)
        except AttemptError as fault:
            self.last_fault = fault.message
            if fault.counts_anew:
                self._uncounted = self.attempts - 1
            if fault.usage is not None:
                self.usages.append(fault.usage)
            raise

    async def _timed(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
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

    def may_pass(self, error: BaseException) -> bool:
        """Return whether another attempt may help; a malformed answer is asked for once more only."""
        if not isinstance(error, AttemptError):
            return False
        self._malformed += error.kind in _MALFORMED
        return error.retryable and self._malformed < 2

    def pause_s(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt: what the server asks for, else (0 s too) back-off; jittered."""
        asked = self._asked_s(state)
        return asked * _between(1, 1.1) if asked else self._policy.backoff_s(self._counted)

    def is_over(self, state: RetryCallState) -> bool:
        """Return whether attempts or time are used up, and keep the reason."""
        asked = self._asked_s(state)
        if self._counted >= self._policy.max_attempts:
            self.why_over = f"gave up after {self.attempts} attempts"
        elif asked is not None and asked >= self._left_s:
            self.why_over = (
                f"the server asks to wait {_shown_s(asked)} s (Retry-After), and {_shown_s(max(self._left_s, 0))} s are"
                f" left of the call's {self._policy.timeout_s:g} s"
            )
        elif state.upcoming_sleep >= self._left_s:
            self.why_over = f"the call's {self._policy.timeout_s:g} s are used up"
        return bool(self.why_over)

    @property
    def _counted(self) -> int:
        return self.attempts - self._uncounted

    async def sleep(self, seconds: float) -> None:
        """Pause, at the cost of the time left."""
        self._left_s -= seconds
        await pause(seconds)

    @staticmethod
    def _asked_s(state: RetryCallState) -> float | None:
        """Return the wait that the last fault asks for."""
        error = state.outcome.exception() if state.outcome else None
        return error.retry_after_s if isinstance(error, AttemptError) else None


def _shown_s(seconds: float) -> str:
    """Return seconds as people read them, be they few or senselessly many."""
    return f"{seconds:,.0f}" if 10 <= seconds < 1e9 else f"{seconds:.2g}"


def _between(low: float, high: float) -> float:
    """Return a random number in [low, high], so that many callers do not come back at once."""
    return random.uniform(low, high)  # noqa: S311 - no secret depends on it
