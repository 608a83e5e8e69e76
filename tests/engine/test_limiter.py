"""Which request goes next: totals over all accounts, turns, pauses, and callers that give up."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Usage
from pytest_llmeval.engine.account_limit import Priority
from pytest_llmeval.engine.limiter import PRIORITY, Limiter, Limits
from tests.support.desks import desk, outcomes, rate_limited
from tests.support.virtual_time import run_virtual, settled

# Totals, whatever happens
plans = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.sampled_from("abc"),
            "at": st.floats(0, 30),
            "holds_s": st.floats(0, 20),
            "ahead": st.booleans(),
            "tokens": st.integers(0, 500),
            "fault": st.sampled_from([None, None, "429", "429 in 5", "429 in 500", "500", "other"]),
            "gives_up_s": st.none() | st.none() | st.floats(0, 40),
        }
    ),
    max_size=40,
)
FAULTS = {
    "429": rate_limited(),
    "429 in 5": rate_limited(5.0),
    "429 in 500": rate_limited(500.0),
    "500": AttemptError(ErrorKind.SERVER_ERROR, "broken"),
    "other": LookupError("a bug"),
}


@given(
    plan=plans,
    most=st.integers(1, 6),
    rpm=st.none() | st.integers(2, 30),
    tpm=st.none() | st.integers(100, 5000),
)
@settings(max_examples=60, deadline=None)
def test_no_limit_is_ever_passed_and_every_request_goes(
    plan: list[dict[str, Any]], most: int, rpm: int | None, tpm: int | None
) -> None:
    """Over three accounts, with refusals, faults, and callers that give up in the queue and in flight."""
    seen = desk(most, rpm=rpm, tpm=tpm)

    async def body() -> None:
        loop, tasks = asyncio.get_running_loop(), []
        for number, each in enumerate(plan):
            options = {key: each[key] for key in ("account", "at", "holds_s", "ahead", "tokens")}
            tasks.append(seen.request(str(number), fault=FAULTS.get(each["fault"] or ""), **options))
            if each["gives_up_s"] is not None:
                loop.call_later(each["gives_up_s"], tasks[-1].cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(body())
    assert seen.peak <= most
    assert seen.limiter.peak <= most
    assert (seen.in_flight, seen.limiter.in_flight) == (0, 0)
    assert len(seen.started) == seen.limiter.requests
    patient = {str(number) for number, each in enumerate(plan) if each["gives_up_s"] is None}
    assert patient <= set(seen.names)
    for account in "abc" if rpm else "":
        times = [at for name, at in seen.started if plan[int(name)]["account"] == account]
        assert all(later - first >= 60 - 1e-6 for first, later in zip(times, times[rpm or 0 :], strict=False))


def test_the_total_holds_over_accounts() -> None:
    seen = desk(3)

    async def body() -> None:
        await asyncio.gather(*(seen.request(f"{account}{n}", account) for n in range(4) for account in "ab"))

    run_virtual(body())
    assert (seen.peak, seen.limiter.peak, seen.limiter.requests) == (3, 3, 8)


# Whose turn it is


def test_requests_go_in_order_and_those_a_case_waits_for_before_those_ahead() -> None:
    seen = desk()

    async def body() -> None:
        first = seen.request("first")
        await settled()
        rest = [
            seen.request(f"{'ahead' if n % 2 else 'urgent'}{n}", "ab"[n % 3 == 0], ahead=n % 2 == 1) for n in range(6)
        ]
        await asyncio.gather(first, *rest)

    run_virtual(body())
    assert seen.names == ["first", "urgent0", "urgent2", "urgent4", "ahead1", "ahead3", "ahead5"]


def test_an_urgent_request_passes_those_ahead_that_wait_already() -> None:
    seen = desk()

    async def body() -> None:
        tasks = [seen.request(f"ahead{n}", ahead=True) for n in range(3)]
        tasks.append(seen.request("urgent", at=0.5))
        await asyncio.gather(*tasks)

    run_virtual(body())
    assert seen.names == ["ahead0", "urgent", "ahead1", "ahead2"]


def test_an_account_that_pauses_holds_up_no_other() -> None:
    seen = desk(4)

    async def body() -> None:
        await outcomes(seen.request("refused", "a", fault=rate_limited(100.0)))
        waiting = [seen.request(f"a{n}", "a") for n in range(20)]
        await settled()
        await asyncio.gather(*(seen.request(f"b{n}", "b") for n in range(8)))
        assert asyncio.get_running_loop().time() < 5
        await asyncio.gather(*waiting)

    run_virtual(body())
    assert min(at for name, at in seen.started if name.startswith("a")) >= 101


def test_two_busy_accounts_go_on_side_by_side() -> None:
    """One has a queue before the other comes; neither waits until the other has no more."""
    seen = desk(4)

    async def busy(account: str) -> None:
        for n in range(20):
            await asyncio.gather(*(seen.request(f"{account}{n}", account) for _ in range(4)))

    async def body() -> None:
        await asyncio.gather(busy("a"), busy("b"))

    run_virtual(body())
    half = seen.names[: len(seen.names) // 2]
    assert 20 <= sum(name.startswith("b") for name in half) <= 60


def test_an_account_cut_down_to_one_leaves_the_others_the_room() -> None:
    seen = desk(8, patience_s=0.0)

    async def body() -> None:
        for _ in range(5):
            await outcomes(seen.request("cut", "a", fault=rate_limited()))
        slow = [seen.request("slow", "a", holds_s=50.0) for _ in range(3)]
        await settled()
        quick = [seen.request("quick", "b") for _ in range(7)]
        await asyncio.gather(*quick)
        assert seen.times("quick") == [5.0] * 7
        await asyncio.gather(*slow)

    run_virtual(body())


# Rates


def test_requests_wait_for_the_rate_and_go_when_their_time_has_come() -> None:
    seen = desk(100, rpm=60)

    async def body() -> None:
        await asyncio.gather(*(seen.request("x") for _ in range(4)))

    run_virtual(body())
    assert [at for _, at in seen.started] == pytest.approx([0, 61 / 60 - 1, 122 / 60 - 1, 183 / 60 - 1])


def test_each_account_has_the_whole_rate() -> None:
    seen = desk(100, rpm=6)

    async def body() -> None:
        await asyncio.gather(seen.request("a", "a"), seen.request("b", "b"))

    run_virtual(body())
    assert seen.started == [("a", 0), ("b", 0)]


def test_tokens_that_were_not_used_let_the_next_request_go_at_once() -> None:
    """The next one waits already when the first is settled."""
    seen = desk(4, tpm=1000)

    async def body() -> None:
        first = seen.request("first", tokens=1000)
        second = seen.request("second", tokens=10)
        await first
        seen.limiter.settle("a", 10 - 1000, taken_s=0.0)
        await second

    run_virtual(body())
    assert seen.times("second") == [1.0]


def test_tokens_that_came_on_top_hold_up_the_next_request() -> None:
    seen = desk(4, tpm=1000)

    async def body() -> None:
        await seen.request("first", tokens=1)
        seen.limiter.settle("a", 999, taken_s=0.0)
        await seen.request("second", tokens=1)

    run_virtual(body())
    assert seen.times("second") == [pytest.approx(60.0)]


@pytest.mark.parametrize(
    ("usage", "at_s"),
    [(None, 1.0), (Usage(input_tokens=400, output_tokens=100), 29.5), (Usage(), 60.0)],
    ids=["none", "told", "unsupported"],
)
def test_an_answer_that_is_none_to_use_took_its_tokens_all_the_same(usage: Usage | None, at_s: float) -> None:
    """As many as it was let go with where nobody tells; none where there was no answer."""
    seen = desk(4, tpm=1000)

    async def body() -> None:
        fault = AttemptError(ErrorKind.FILTERED, "filtered", usage=usage)
        first = seen.request("first", tokens=1000, fault=fault)
        await asyncio.gather(first, seen.request("second", tokens=10), return_exceptions=True)

    run_virtual(body())
    assert seen.times("second") == [pytest.approx(at_s)]


def test_without_a_rate_of_tokens_there_is_nothing_to_settle() -> None:
    seen = desk()
    seen.limiter.settle("a", 10**9, taken_s=0.0)

    async def body() -> None:
        await seen.request("x")

    run_virtual(body())
    assert seen.times("x") == [0]


def test_an_account_may_have_a_ceiling_of_its_own_and_whom_a_case_waits_for_goes_first() -> None:
    """A server on this machine that works on one request, say."""

    async def body() -> None:
        limiter = Limiter(Limits(max_connections=8, most={"one": 1}), clock=lambda: 0.0)
        order: list[str] = []

        async def call(account: str, name: str, *, ahead: bool) -> None:
            PRIORITY.set(Priority(ahead=ahead))
            async with limiter.slots(account)():
                order.append(name)
                await asyncio.sleep(0.01)

        asked = [
            ("one", "a", True),
            ("one", "b", True),
            ("one", "now", False),
            ("other", "c", True),
            ("other", "d", True),
        ]
        await asyncio.gather(*(call(account, name, ahead=ahead) for account, name, ahead in asked))
        assert [name for name in order if name in ("a", "b", "now")] == ["a", "now", "b"]
        assert limiter.peak == 3

    asyncio.run(body())
