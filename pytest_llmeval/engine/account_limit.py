"""How many requests one account may have in flight: as many as the ceiling, fewer while the server refuses them."""

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
"""The longest pause that a server may ask of all calls, and how long such pauses may take in a row, as a cold start, a
deployment or a quota of a minute takes them; one of a day has them without end."""
_DENIALS = 2
_OWN_PAUSES_S = (0.0, 4.0, 16.0, 50.0)
"""After refusals in a row that ask for none, the last one after all further ones: at least half of each, they span a
minute, as most quotas do."""
_LATE_S = 1.0
"""By which a request may reach the server later than others: it may wait for its connection."""
_REACH_S, _UNREACHED = 60.0, 6
"""Seconds without any answer, and requests that reached nobody in them, after which none is sent a second time: one
alone says little of a server that works on others for long, or that nothing was asked of for a while."""


@dataclass(slots=True, kw_only=True)
class Priority:
    """What decides when the requests of a call go."""

    ahead: bool = False
    """Whether no case waits for it yet."""
    tokens: int = 0
    """Tokens that it will take, about; those of the last request that went."""
    taken_s: float = 0.0
    """When they were booked."""
    expected: Callable[[], int] | None = None
    """Tells them anew for each request that goes: one that waits learns from the answers that come meanwhile."""
    begin: Callable[[], Awaitable[None]] | None = None
    """Awaited as its first request may go, before it is sent; None once that is done."""
    paying: Paying | None = None
    """Lets each request go, and is told the tokens of each whose answer is none to use; None where nothing is spent."""
    is_sent: bool = False
    """Whether a request was sent, and no refusal or fault has come of it."""
    refused_at: int | None = None
    """How many answers its account had had when a request was last refused for the rate."""

    def take(self, now: float) -> int:
        """Return the tokens of a request that goes now."""
        self.taken_s = now
        if self.expected is not None:
            self.tokens = self.expected()
        return self.tokens


class AccountLimit:
    """The limit of one account, which adapts: it grows on clean answers while it is used up, and halves on a 429.

    Additive increase, multiplicative decrease after a slow start, as TCP does it (RFC 5681, section 3.1); one cut for
    an episode: refusals of requests that left before the last cut say nothing new. Where requests that are alone in
    flight are refused, the server means a time and not a number: the account pauses, longer each time.
    """

    def __init__(self, *, ceiling: int, rpm: float | None, tpm: float | None, patience_s: float) -> None:
        """Begin.

        Args:
            ceiling: the most requests in flight, at least 1.
            rpm: requests a minute; None for no limit.
            tpm: tokens a minute, sent and received; None for no limit.
            patience_s: seconds from a first refusal in which it pauses by itself, unless an answer comes; as the server
                asks it pauses for as long in all, and for ten minutes at least.
        """
        self._ceiling = ceiling
        self._limit = float(min(ceiling, _FIRST_LIMIT))
        self._is_slow_start = True
        self._cut_at_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._patience_s = patience_s
        self._refusals = 0
        """Of requests that were alone in flight, since the last answer, without a word on how long to wait."""
        self._refused_since_s = 0.0
        """When the first of them was."""
        self._waited_s = 0.0
        """For how long it has paused since the last answer as the server asked, without a long time between."""
        self._asked_until_s = float("-inf")
        """Until when the server has last asked to wait."""
        self._denials_left = 0
        """How many denials before the next answer are taken for those of single requests, also by themselves."""
        self._denied: list[tuple[float, asyncio.Future[bool]]] = []
        """When those in flight left that were denied, and what each waits for: what the others say of the account."""
        self._unreached = 0
        """Requests since the last answer that found nobody to take them."""
        self._unreached_since_s = 0.0
        """When the first of them did."""
        self.requests = Pacer(rpm, late_s=_LATE_S) if rpm else None
        self.tokens = Pacer(tpm) if tpm else None
        self.answers = 0
        """How many requests were answered."""
        self.in_flight = 0
        self.closed: Callable[[], CallError] | None = None
        """Makes the error of every request that would follow; None while requests may go."""
        self._waiting: list[Waiter] = []

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit)

    def wait_s(self, now: float) -> float | None:
        """Return the seconds until one more request may go, 0 for at once; None where one must end first."""
        if self.in_flight >= self.limit:
            return None
        pacers = [pacer.wait_s(now) for pacer in (self.requests, self.tokens) if pacer is not None]
        return max(0.0, self._paused_until_s - now, *pacers)

    def push(self, waiter: "Waiter") -> None:
        """Let a request wait; those that a case waits for go before those that are made ahead."""
        heapq.heappush(self._waiting, waiter)

    def reorder(self) -> None:
        """Look anew at who goes first: the priorities of some who wait have changed."""
        heapq.heapify(self._waiting)

    def head(self) -> "Waiter | None":
        """Return the request that goes next; None where none waits."""
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
        """Allow more where a clean answer came while the limit was used up; called before ``end``.

        Args:
            started_s: when its request left: the answer says nothing of the key for requests that left later.
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
        """Note an answer of any kind: somebody is there."""
        self._unreached = 0

    def heard(self) -> None:
        """Note an answer that is no refusal, also one that is none to use: the server works."""
        self._waited_s = 0.0

    def is_given_up(self, now: float) -> bool:
        """Note a request that reached nobody; return whether it is as well not sent again.

        A server that restarts is waited for; where none was started, each call would take all its attempts.
        """
        if not self._unreached:
            self._unreached_since_s = now
        self._unreached += 1
        return self._unreached > _UNREACHED and now - self._unreached_since_s >= _REACH_S

    def refused(self, *, started_s: float, now: float, retry_after_s: float | None, is_rate: bool) -> bool:
        """Allow less where the server refused a request that left after the last cut; pause where it asks for it.

        Returns:
            Whether the request is as well not sent again: the server was waited for long enough, and answers nothing.
            One whose quota is used up for a day would hold up each call for as long as it asks for.
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
            if not retry_after_s and self.in_flight <= 1:  # where it works on others, those are what is too many
                self._pause(now)
        return is_in_vain

    def _wait_until(self, until_s: float, now: float) -> None:
        """Let nothing go until then, as the server asks."""
        began_s = max(self._paused_until_s, now)
        if until_s > began_s:
            self._waited_s += until_s - began_s
            self._paused_until_s = until_s

    def _pause(self, now: float) -> None:
        """Let nothing go for a while where this refusal is not the first since the last answer."""
        if not self._refusals:
            self._refused_since_s = now
        pause_s = _OWN_PAUSES_S[min(self._refusals, len(_OWN_PAUSES_S) - 1)] * _part()
        self._refusals += 1
        if now + pause_s <= self._refused_since_s + self._patience_s:
            self._paused_until_s = max(self._paused_until_s, now + pause_s)

    async def is_own_denial(self, started_s: float) -> bool:
        """Return whether a request that left then was denied for itself and not for its key; called before ``end``.

        While others are in flight it waits for what they say: a firewall is quicker than any answer. An answer to one
        that left no earlier speaks for the key; one to an older request may be of a time before. Where all that is in
        flight was denied, it is the key, unless these are few since an answer.
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
        """Tell those that wait, and left by then, whether each was denied for itself."""
        settled = [verdict for left_s, verdict in self._denied if left_s <= until_s]
        self._denied = [each for each in self._denied if each[0] > until_s]
        for verdict in settled:
            if not verdict.done():
                verdict.set_result(are_own)

    def require_open(self) -> None:
        """Raise CallError where no request may go any more."""
        if self.closed is not None:
            raise self.closed()

    def close(self, error: Callable[[], CallError]) -> None:
        """Let no further request go; whoever waits is told so."""
        self.closed = self.closed or error
        while (waiter := self.head()) is not None:
            waiter.ready.set_exception(self.closed())


def _part() -> float:
    """Return how much of a pause is made, so that many sessions do not come back at once."""
    return random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """A request that waits for its turn; the smaller one goes first."""

    priority: Priority
    number: int
    """In the order of asking."""
    ready: "asyncio.Future[None]"

    def __lt__(self, other: "Waiter") -> bool:
        return (self.priority.ahead, self.number) < (other.priority.ahead, other.number)
