"""Callers that give up, and accounts that are closed."""

import asyncio
import random

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.engine.account_limit import AccountLimit, Priority
from pytest_llmeval.engine.limiter import PRIORITY
from pytest_llmeval.models.http.retry import RetryPolicy, call_with_retries
from tests.support.desks import desk, outcomes, rate_limited
from tests.support.virtual_time import run_virtual, settled

# Refusals


def test_one_burst_of_refusals_halves_what_is_in_flight_once() -> None:
    seen = desk(16)

    async def body() -> None:
        await outcomes(*(seen.request("refused", fault=rate_limited()) for _ in range(16)))
        seen.peak = 0
        await asyncio.gather(*(seen.request("after", holds_s=5.0) for _ in range(8)))

    run_virtual(body())
    assert seen.peak == 8
    assert seen.times("after") == [1.0] * 8


def test_while_the_server_asks_to_wait_nothing_goes_to_it() -> None:
    seen = desk(4)

    async def body() -> None:
        refused = seen.request("refused", fault=rate_limited(30.0))
        later = seen.request("later", at=10.0)
        other = seen.request("other", "b", at=10.0)
        await outcomes(refused, later, other)

    run_virtual(body())
    assert seen.started == [("refused", 0), ("other", 10), ("later", 31)]


def test_a_wait_of_more_than_two_minutes_stops_nobody_else() -> None:
    seen = desk(4)

    async def body() -> None:
        await outcomes(seen.request("refused", fault=rate_limited(121.0)))
        await seen.request("next")

    run_virtual(body())
    assert seen.times("next") == [1.0]


def test_a_call_that_waits_to_try_again_holds_no_slot() -> None:
    """With one slot, another call goes while the first one backs off, and the first one comes back."""
    seen = desk()
    attempts = 0

    async def attempt() -> Response:
        nonlocal attempts
        attempts += 1
        seen.started.append((f"attempt {attempts}", asyncio.get_running_loop().time()))
        await asyncio.sleep(0)
        if attempts == 1:
            raise AttemptError(ErrorKind.SERVER_ERROR, "broken", retryable=True)
        return Response(text="yes")

    async def body() -> None:
        policy = RetryPolicy(timeout_s=60.0, base_s=10.0)
        call = asyncio.get_running_loop().create_task(
            call_with_retries(attempt, policy=policy, slot=seen.limiter.slots("a"))
        )
        other = seen.request("other", holds_s=0.0)
        assert (await call).attempts == 2
        await other

    run_virtual(body())
    assert seen.names == ["attempt 1", "other", "attempt 2"]
    assert seen.limiter.peak == 1


# A quota of a minute, of which the server does not say when it is over


class MinuteQuota:
    """Answers so many requests in any 60 s and refuses the others at once; those of the first minute are used up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answered_s = [0.0] * most
        self.refused = 0

    async def __call__(self) -> Response:
        now = asyncio.get_running_loop().time()
        if sum(at > now - 60 for at in self._answered_s) >= self._most:
            self.refused += 1
            raise rate_limited()
        self._answered_s.append(now)
        await asyncio.sleep(1.0)
        return Response(text="yes")


@pytest.mark.parametrize(("calls", "most"), [(1, 20), (100, 20), (40, 5)])
def test_a_quota_of_a_minute_is_waited_for(calls: int, most: int) -> None:
    """Every call is answered in the end, and few requests go in vain."""
    seen, quota = desk(32), MinuteQuota(most)

    async def body() -> None:
        policy, slot = RetryPolicy(), seen.limiter.slots("a")
        await asyncio.gather(*(call_with_retries(quota, policy=policy, slot=slot) for _ in range(calls)))

    run_virtual(body())
    assert quota.refused <= 32 + calls


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [3, 12, 15])
def test_it_is_waited_for_by_the_call_that_a_case_waits_for_too(most: int, seed: int) -> None:
    """That one goes first whenever the account tries whether it is answered again, in each minute."""
    random.seed(seed)
    seen, quota = desk(32), MinuteQuota(most)
    own = [Priority(ahead=True) for _ in range(40)]

    async def ask(priority: Priority) -> None:
        PRIORITY.set(priority)
        await call_with_retries(quota, policy=RetryPolicy(), slot=seen.limiter.slots("a"))

    async def body() -> None:
        calls = [asyncio.get_running_loop().create_task(ask(priority)) for priority in own]
        for call, priority in zip(calls, own, strict=True):
            seen.limiter.hurry(priority)
            await call

    run_virtual(body())


@pytest.mark.parametrize("count", [50, 200])
def test_a_server_that_only_refuses_costs_six_requests_a_call_and_holds_none_for_ever(count: int) -> None:
    """Two minutes at most, where it refuses some hundred; and none keeps its slot."""
    seen, quota = desk(32), MinuteQuota(0)

    async def ask() -> Response:
        PRIORITY.set(Priority())  # one for all attempts at a call: it knows what was answered since the last of them
        return await call_with_retries(quota, policy=RetryPolicy(), slot=seen.limiter.slots("a"))

    async def body() -> None:
        ends = await asyncio.gather(*(ask() for _ in range(count)), return_exceptions=True)
        assert {(end.kind, end.attempts) for end in ends if isinstance(end, CallError)} == {(ErrorKind.RATE_LIMITED, 6)}
        assert len(ends) == count
        assert count > 50 or asyncio.get_running_loop().time() <= 120 + 30

    run_virtual(body())
    assert (quota.refused, seen.limiter.in_flight) == (6 * count, 0)


def test_a_fault_that_nothing_can_be_learned_from_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = desk()

    def refused(*_: object, **__: object) -> None:
        raise ArithmeticError("a bug")

    async def body() -> None:
        monkeypatch.setattr(AccountLimit, "refused", refused)
        first = seen.request("first", fault=rate_limited())
        next_one = seen.request("next")
        with pytest.raises(ArithmeticError):
            await first
        await next_one

    run_virtual(body())
    assert (seen.names, seen.limiter.in_flight) == (["first", "next"], 0)


# Callers that give up


def test_a_caller_that_gives_up_in_the_queue_takes_nothing_with_it() -> None:
    seen = desk()

    async def body() -> None:
        tasks = [seen.request(name) for name in ("first", "given up", "last")]
        await settled()
        tasks[1].cancel()
        await outcomes(*tasks)

    run_virtual(body())
    assert seen.started == [("first", 0), ("last", 1)]
    assert seen.limiter.requests == 2


def test_a_caller_that_gives_up_just_as_it_may_go_leaves_its_slot_to_the_next() -> None:
    """The slot is booked for it, and it has not run since."""
    seen = desk()

    async def body() -> None:
        holding = seen.limiter.slots("a")()
        await holding.__aenter__()
        given_up, last = seen.request("given up"), seen.request("last")
        await settled()
        await holding.__aexit__(None, None, None)
        given_up.cancel()
        await outcomes(given_up, last)

    run_virtual(body())
    assert seen.names == ["last"]
    assert (seen.limiter.in_flight, seen.limiter.requests) == (0, 2)


def test_a_request_that_is_cancelled_in_flight_gives_its_slot_back_and_says_nothing_of_the_server() -> None:
    seen = desk(2)

    async def body() -> None:
        cancelled = [seen.request("cancelled", holds_s=100.0) for _ in range(2)]
        await settled()
        for task in cancelled:
            task.cancel()
        await outcomes(*cancelled)
        await asyncio.gather(*(seen.request("next") for _ in range(2)))

    run_virtual(body())
    assert seen.times("next") == [0, 0]


# The end


def test_closing_fails_all_that_wait_and_come_and_lets_what_is_in_flight_end() -> None:
    seen = desk()

    async def body() -> None:
        interrupted = ErrorKind.INTERRUPTED
        first, waiting = seen.request("first"), seen.request("waiting")
        await settled()
        seen.limiter.close(interrupted, "stopped")
        ends = await outcomes(first, waiting, seen.request("later"), seen.request("elsewhere", "new"))
        assert ends == [None, interrupted, interrupted, interrupted]
        seen.limiter.close(ErrorKind.STORAGE, "too late")
        with pytest.raises(CallError, match="stopped") as caught:
            await seen.request("last")
        assert (str(caught.value), caught.value.kind, caught.value.attempts) == ("stopped", interrupted, 0)

    run_virtual(body())
    assert seen.names == ["first"]


def test_a_request_does_not_go_where_all_was_closed_while_it_was_noted() -> None:
    """The journal takes its time, and the session may end in it."""
    seen = desk()

    async def closed() -> None:
        seen.limiter.close(ErrorKind.INTERRUPTED, "stopped")

    async def body() -> None:
        PRIORITY.set(Priority(begin=closed))
        with pytest.raises(CallError, match="stopped"):
            async with seen.limiter.slots("a")():
                pytest.fail("it went")
        assert seen.limiter.in_flight == seen.limiter.requests == 0

    run_virtual(body())


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.QUOTA])
def test_an_account_that_may_not_ask_any_more_is_closed_alone(kind: ErrorKind) -> None:
    seen = desk()

    async def body() -> None:
        refused = seen.request("refused", fault=AttemptError(kind, "not you"))
        waiting, other = seen.request("waiting"), seen.request("other", "b")
        assert await outcomes(refused, waiting, other) == [kind, kind, None]
        with pytest.raises(CallError, match="not asked: the server had refused an earlier call: not you") as caught:
            await seen.request("later")
        assert (caught.value.kind, caught.value.attempts) == (kind, 0)
        assert await outcomes(seen.request("elsewhere", "b")) == [None]

    run_virtual(body())
    assert seen.names == ["refused", "other", "elsewhere"]


def denied() -> AttemptError:
    return AttemptError(ErrorKind.AUTH, "blocked", may_be_own=True)


def test_a_denial_by_an_account_that_answers_is_one_of_its_own_request() -> None:
    """However many come, as long as answers come between; three in a row are the account's."""
    seen = desk()

    async def body() -> None:
        auth, own = ErrorKind.AUTH, ErrorKind.BAD_REQUEST
        assert await outcomes(seen.request("first")) == [None]
        for _ in range(5):
            assert await outcomes(*(seen.request("denied", fault=denied()) for _ in range(2))) == [own, own]
            assert await outcomes(seen.request("answered")) == [None]
        ends = await outcomes(*(seen.request("denied", fault=denied()) for _ in range(3)))
        assert ends == [own, own, auth]
        assert await outcomes(seen.request("never")) == [auth]

    run_virtual(body())
    assert "never" not in seen.names


def test_a_denial_by_an_account_that_never_answered_closes_it() -> None:
    seen = desk()

    async def body() -> None:
        assert await outcomes(seen.request("first", fault=denied()), seen.request("never")) == [ErrorKind.AUTH] * 2

    run_virtual(body())
    assert seen.names == ["first"]


def test_denials_wait_for_what_else_is_in_flight_to_say() -> None:
    """An answer speaks for the key, before others are let go in their place."""
    seen = desk(4)

    async def body() -> None:
        blocked = [seen.request("blocked", fault=denied()) for _ in range(3)]
        ends = await outcomes(*blocked, seen.request("answered", holds_s=5.0), seen.request("next"))
        assert ends == [ErrorKind.BAD_REQUEST] * 3 + [None, None]

    run_virtual(body())
    assert seen.times("next") == [5.0]


@pytest.mark.parametrize("last", [denied(), AttemptError(ErrorKind.TIMEOUT, "late")], ids=str)
def test_denials_without_an_answer_are_of_the_key(last: AttemptError) -> None:
    seen = desk(4)

    async def body() -> None:
        refused = [seen.request("denied", fault=denied()) for _ in range(3)]
        ends = await outcomes(*refused, seen.request("last", holds_s=5.0, fault=last))
        assert ends == [ErrorKind.AUTH] * 3 + [last.kind]
        assert await outcomes(seen.request("never")) == [ErrorKind.AUTH]

    run_virtual(body())
    assert "never" not in seen.names


def test_a_denied_request_whose_caller_gives_up_says_nothing_of_the_account() -> None:
    seen = desk(2)

    async def body() -> None:
        given_up, other = seen.request("denied", fault=denied()), seen.request("other", holds_s=5.0, fault=denied())
        await asyncio.sleep(2.0)
        given_up.cancel()
        await asyncio.sleep(0)
        assert seen.limiter.in_flight == 1
        assert await outcomes(given_up, other) == [None, ErrorKind.AUTH]

    run_virtual(body())


def test_a_key_that_is_taken_back_closes_its_account() -> None:
    seen = desk(4)

    async def body() -> None:
        assert await outcomes(seen.request("answered")) == [None]
        assert await outcomes(*(seen.request("denied", fault=denied()) for _ in range(4))) == [ErrorKind.AUTH] * 4

    run_virtual(body())


def test_an_answer_from_before_says_nothing_of_a_key_that_was_taken_back_since() -> None:
    seen = desk(8)

    async def body() -> None:
        old = [seen.request("old", holds_s=5.0 + number) for number in range(4)]
        await asyncio.sleep(1.0)
        late = [seen.request("late", fault=denied()) for _ in range(30)]
        assert await outcomes(*old, *late) == [None] * 4 + [ErrorKind.AUTH] * 30

    run_virtual(body())
    assert seen.names.count("late") <= 8
