"""Adaptive concurrency limit of one account: the ceiling, or fewer requests while the server refuses them."""

import asyncio
import heapq
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.engine.pacer import Pacer
from pytest_llmeval.engine.paying import Paying

__all__ = ["AccountLimit", "Priority", "Waiter"]

_FIRST_LIMIT = 32
_CUT = 0.5
_LONGEST_PAUSE_S, _ASKED_S = 120.0, 600.0
"""Longest pause that a server may impose on all calls, and the total length of such pauses in a row, in seconds.

A cold start, a deployment or a quota per minute needs less in total; a quota per day would go on without end.
"""
_DENIALS = 2
_OWN_PAUSES_S = (0.0, 4.0, 16.0, 50.0)
"""Pauses in seconds after successive refusals that name no time to wait; the last one repeats.

At least half of each is made. Together they span a minute, the period of most quotas.
"""
_LATE_S = 1.0
"""Seconds by which a request may reach the server later than others, as it may wait for its connection."""
_REACH_S, _UNREACHED = 60.0, 6
"""Seconds without any answer, and number of requests without a connection in that time, after which requests without
a connection are no longer retried.

One of the two alone says little: the server may work on others for long, or may not have been called for a while.
"""


@dataclass(slots=True, kw_only=True)
class Priority:
    """State of a call that decides when its requests go."""

    ahead: bool = False
    """Whether no case waits for the call yet."""
    tokens: int = 0
    """Estimated tokens of the call, as booked for its last request."""
    taken_s: float = 0.0
    """Time when they were booked."""
    expected: Callable[[], int] | None = None
    """Returns a new estimate for each request that goes; it learns from answers that came while the request waited."""
    begin: Callable[[], Awaitable[None]] | None = None
    """Awaited before the first request is sent; None once that is done."""
    paying: Paying | None = None
    """Pays for each request, and books the tokens of unusable answers; None if nothing is spent."""
    is_sent: bool = False
    """Whether a request was sent and neither refused nor failed."""
    refused_at: int | None = None
    """Number of answers that the account had had at the call's last rate-limit refusal."""

    def take(self, now: float) -> int:
        """Return the estimated tokens of a request that goes now, and note the time."""
        self.taken_s = now
        if self.expected is not None:
            self.tokens = self.expected()
        return self.tokens


class AccountLimit:
    """Concurrency limit of one account. It grows on clean answers while it is fully used, and halves on a 429.

    It follows TCP's congestion control: slow start, then additive increase, multiplicative decrease (RFC 5681,
    section 3.1). Each episode causes one cut: refusals of requests that left before the last cut say nothing new. If
    a request is refused though it is alone in flight, the server limits the rate and not the number of requests: the
    account then pauses, longer each time.
    """

    def __init__(self, *, ceiling: int, rpm: float | None, tpm: float | None, patience_s: float) -> None:
        """Begin.

        Args:
            ceiling: largest number of requests in flight, at least 1.
            rpm: requests per minute; None for no limit.
            tpm: tokens per minute, sent and received; None for no limit.
            patience_s: seconds after a first refusal during which the account pauses by itself, unless an answer
                comes; also the total length of the pauses that the server asks for, but at least ten minutes of those.
        """
        self._ceiling = ceiling
        self._limit = float(min(ceiling, _FIRST_LIMIT))
        self._is_slow_start = True
        self._cut_at_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._patience_s = patience_s
        self._refusals = 0
        """Number of refusals since the last answer that hit a lone request and named no time to wait."""
        self._refused_since_s = 0.0
        """Time of the first of them."""
        self._waited_s = 0.0
        """Seconds paused at the server's request since its last answer, without a long gap between the pauses."""
        self._asked_until_s = float("-inf")
        """End of the last pause that the server asked for."""
        self._denials_left = 0
        """Number of denials before the next answer that still count as those of single requests, without proof."""
        self._denied: list[tuple[float, asyncio.Future[bool]]] = []
        """For each denied request in flight, when it left, and the future that tells whether the denial is its own."""
        self._unreached = 0
        """Number of requests since the last answer that got no connection."""
        self._unreached_since_s = 0.0
        """Time of the first of them."""
        self.requests = Pacer(rpm, late_s=_LATE_S) if rpm else None
        self.tokens = Pacer(tpm) if tpm else None
        self.answers = 0
        """Number of answered requests."""
        self.in_flight = 0
        self.closed: Callable[[], CallError] | None = None
        """Returns the error of every further request; None while requests may go."""
        self._waiting: list[Waiter] = []

    @property
    def limit(self) -> int:
        """Number of requests that may be in flight now."""
        return int(self._limit)

    def wait_s(self, now: float) -> float | None:
        """Return the seconds until one more request may go, 0 for at once; None if another must end first."""
        if self.in_flight >= self.limit:
            return None
        pacers = [pacer.wait_s(now) for pacer in (self.requests, self.tokens) if pacer is not None]
        return max(0.0, self._paused_until_s - now, *pacers)

    def push(self, waiter: "Waiter") -> None:
        """Queue a request; requests that a case waits for go before those made ahead."""
        heapq.heappush(self._waiting, waiter)

    def reorder(self) -> None:
        """Restore the order of the queue after a change of priorities."""
        heapq.heapify(self._waiting)

    def head(self) -> "Waiter | None":
        """Return the request that goes next; None if none waits."""
        while self._waiting and self._waiting[0].ready.done():  # its caller gave up
            heapq.heappop(self._waiting)
        return self._waiting[0] if self._waiting else None

    def start(self, tokens: int, now: float) -> None:
        """Book a request that goes now."""
        self.in_flight += 1
        if self.requests is not None:
            self.requests.take(1, now)
        if self.tokens is not None:
            self.tokens.take(tokens, now)

    def end(self) -> None:
        """Book the end of a request."""
        self.in_flight -= 1
        self._weigh_denials()

    def answered(self, started_s: float = math.inf) -> None:
        """Book a clean answer, and raise the limit if it was fully used; called before ``end``.

        Args:
            started_s: when the request left. For requests that left later, its answer does not prove the key valid.
        """
        self.reached()
        self.heard()
        self.answers += 1
        self._refusals = 0
        self._denials_left = _DENIALS
        self._settle_denials(are_own=True, until_s=started_s)
        if self.in_flight >= self.limit < self._ceiling:
            self._limit = min(self._ceiling, self._limit + (1.0 if self._is_slow_start else 1.0 / self._limit))

    def reached(self) -> None:
        """Note an answer of any kind: the server can be reached."""
        self._unreached = 0

    def heard(self) -> None:
        """Note any answer but a refusal, even an unusable one: the server works."""
        self._waited_s = 0.0

    def is_given_up(self, now: float) -> bool:
        """Note a request that got no connection, and return whether a retry is pointless.

        A server that restarts is waited for; if none was ever started, each call would otherwise use all its attempts.
        """
        if not self._unreached:
            self._unreached_since_s = now
        self._unreached += 1
        return self._unreached > _UNREACHED and now - self._unreached_since_s >= _REACH_S

    def refused(self, *, started_s: float, now: float, retry_after_s: float | None, is_rate: bool) -> bool:
        """Lower the limit if the server refused a request that left after the last cut; pause if it asks for that.

        Returns:
            Whether a retry is pointless: the server was waited for long enough and has answered nothing. An account
            whose daily quota is used up would otherwise hold up each call for as long as the server asks.
        """
        is_in_vain = False
        if retry_after_s and retry_after_s <= _LONGEST_PAUSE_S:
            if now > self._asked_until_s + _LONGEST_PAUSE_S:
                self._waited_s = 0.0
            self._asked_until_s = now + retry_after_s
            is_in_vain = self._waited_s >= max(self._patience_s, _ASKED_S)
            if not is_in_vain:
                self._wait_until(now + retry_after_s, now)
        if is_rate and started_s >= self._cut_at_s:
            self._limit = max(1.0, min(self._limit, self.in_flight) * _CUT)
            self._is_slow_start = False
            self._cut_at_s = now
            if not retry_after_s and self.in_flight <= 1:  # with others in flight, their number is the problem
                self._pause(now)
        return is_in_vain

    def _wait_until(self, until_s: float, now: float) -> None:
        """Send nothing until ``until_s``, as the server asks."""
        began_s = max(self._paused_until_s, now)
        if until_s > began_s:
            self._waited_s += until_s - began_s
            self._paused_until_s = until_s

    def _pause(self, now: float) -> None:
        """Send nothing for a while, unless this refusal is the first since the last answer."""
        if not self._refusals:
            self._refused_since_s = now
        pause_s = _OWN_PAUSES_S[min(self._refusals, len(_OWN_PAUSES_S) - 1)] * _part()
        self._refusals += 1
        if now + pause_s <= self._refused_since_s + self._patience_s:
            self._paused_until_s = max(self._paused_until_s, now + pause_s)

    async def is_own_denial(self, started_s: float) -> bool:
        """Return whether a denial concerns the request that left at ``started_s``, and not its key.

        Called before ``end``. While other requests are in flight, it waits for their outcome, as a firewall denies
        faster than any model answers. An answer to a request that left no earlier proves the key valid; one to an
        older request may come from a time before the key was revoked. If every request in flight was denied, the key
        is at fault, unless there were few denials since the last answer.
        """
        verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._denied.append((started_s, verdict))
        self._weigh_denials()
        return await verdict

    def _weigh_denials(self) -> None:
        """Decide on the denials that wait, once no other request is in flight."""
        self._denied = [each for each in self._denied if not each[1].done()]  # some callers gave up
        count = len(self._denied)
        if count and count >= self.in_flight:
            self._denials_left -= count
            self._settle_denials(are_own=self._denials_left >= 0)

    def _settle_denials(self, *, are_own: bool, until_s: float = math.inf) -> None:
        """Resolve the waiting denials of requests that left by ``until_s``: ``are_own`` if the key is good."""
        settled = [verdict for left_s, verdict in self._denied if left_s <= until_s]
        self._denied = [each for each in self._denied if each[0] > until_s]
        for verdict in settled:
            if not verdict.done():
                verdict.set_result(are_own)

    def require_open(self) -> None:
        """Raise CallError if no further request may go."""
        if self.closed is not None:
            raise self.closed()

    def close(self, error: Callable[[], CallError]) -> None:
        """Let no further request go; those that wait fail with the error."""
        self.closed = self.closed or error
        while (waiter := self.head()) is not None:
            waiter.ready.set_exception(self.closed())


def _part() -> float:
    """Return a random share of a pause, so that many sessions do not come back at the same time."""
    return random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """A request that waits for its turn; of two waiters the smaller one goes first."""

    priority: Priority
    number: int
    """Position in the order of arrival."""
    ready: "asyncio.Future[None]"

    def __lt__(self, other: "Waiter") -> bool:
        return (self.priority.ahead, self.number) < (other.priority.ahead, other.number)
