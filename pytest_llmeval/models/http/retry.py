"""The retry loop of all calls: when to retry, how long to wait, and when time is up."""

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
"""Returns a context manager that is entered around each attempt, so that back-off holds no slot.

The time spent waiting for a slot does not count as the call's.
"""


_MALFORMED = frozenset({ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often a call is tried."""

    timeout_s: float = 120.0
    """Seconds for all attempts and the pauses between them, above 0; an answer that trickles in does not extend it."""
    max_attempts: int = 6
    """Largest number of requests, at least 1; counted anew from a refusal if others were answered since the last."""
    base_s: float = 0.5
    """Upper end of the first random pause; it doubles with each attempt."""
    cap_s: float = 8.0
    """Upper end of every random pause."""

    def backoff_s(self, attempt: int) -> float:
        """Return the pause in seconds after ``attempt`` (from 1): exponential back-off with full jitter.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        return _between(0, min(self.cap_s, self.base_s * 2 ** (attempt - 1)))


async def call_with_retries(
    attempt: Callable[[], Awaitable[Response]], *, policy: RetryPolicy, slot: Slot = nullcontext
) -> Response:
    """Return the response of ``attempt``, which is retried after transient errors.

    The response holds the number of attempts, the latency of the last one and the usage of unusable answers.

    Raises:
        CallError: no attempt gave an answer within the policy, the error is not transient, or no slot was granted.
    """
    progress = _Progress(policy, slot)
    try:
        response = await progress.run(attempt)
    except AttemptError as fault:
        response = await _retried(progress, attempt, fault)
    lost = tuple(progress.usages)
    return replace(response, attempts=progress.attempts, latency_s=progress.latency_s, lost=lost)


async def _retried(progress: "_Progress", attempt: Callable[[], Awaitable[Response]], fault: AttemptError) -> Response:
    """Return the response of ``attempt`` after its first ``fault``; tenacity is used only once there is one."""
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
    except CallError as closed:  # no slot was granted; only the earlier attempts were sent
        raise CallError(
            f"{progress.last_fault}; not tried again: {str(closed).removeprefix('not asked: ')}",
            kind=closed.kind,
            attempts=progress.attempts,
            latency_s=progress.latency_s,
            usages=tuple(progress.usages),
        ) from None
    return response


class _Progress:
    """State of one call under way: attempts made, time left."""

    def __init__(self, policy: RetryPolicy, slot: Slot) -> None:
        self._policy = policy
        self._slot = slot
        self._left_s = policy.timeout_s
        self._malformed = 0
        self._uncounted = 0
        """Attempts that do not count towards the limit, as the server has answered other calls since then."""
        self.attempts = 0
        self.latency_s: float | None = None
        self.why_over = ""
        self.last_fault = ""
        """Message of the last failed attempt."""
        self.usages: list[Usage] = []
        """Token usage of attempts whose answers were unusable."""

    async def run(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return the response of one attempt, made within the time left."""
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
        """Return whether another attempt may help; after a malformed answer only one more is made."""
        if not isinstance(error, AttemptError):
            return False
        self._malformed += error.kind in _MALFORMED
        return error.retryable and self._malformed < 2

    def pause_s(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt, jittered: what the server asks for if above 0, else back-off."""
        asked = self._asked_s(state)
        return asked * _between(1, 1.1) if asked else self._policy.backoff_s(self._counted)

    def is_over(self, state: RetryCallState) -> bool:
        """Return whether attempts or time are used up, and store the reason."""
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
        """Pause, and subtract the pause from the time left."""
        self._left_s -= seconds
        await pause(seconds)

    @staticmethod
    def _asked_s(state: RetryCallState) -> float | None:
        """Return the seconds to wait that the last error asks for; None if it names none."""
        error = state.outcome.exception() if state.outcome else None
        return error.retry_after_s if isinstance(error, AttemptError) else None


def _shown_s(seconds: float) -> str:
    """Return seconds in a readable form, however few or many."""
    return f"{seconds:,.0f}" if 10 <= seconds < 1e9 else f"{seconds:.2g}"


def _between(low: float, high: float) -> float:
    """Return a random number in [low, high], so that many callers do not come back at the same time."""
    return random.uniform(low, high)  # noqa: S311 - no secret depends on it
