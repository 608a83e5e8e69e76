"""The limit of one account: it grows while it is used, halves once for each time the server refuses, and pauses."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.engine.account_limit import AccountLimit, Priority, Waiter
from tests.support.virtual_time import run_virtual


def account_limit(
    ceiling: int = 1000, *, rpm: float | None = None, tpm: float | None = None, patience_s: float = 120.0
) -> AccountLimit:
    return AccountLimit(ceiling=ceiling, rpm=rpm, tpm=tpm, patience_s=patience_s)


def fill(account: AccountLimit, now: float = 0.0) -> None:
    """Let go as many as may."""
    while account.wait_s(now) == 0:
        account.start(0, now)


def answer_all(account: AccountLimit, now: float = 0.0) -> None:
    """Answer all that is in flight, one after the other, and let others go in their place."""
    for _ in range(account.in_flight):
        account.answered()
        account.end()
        fill(account, now)


def refuse(account: AccountLimit, *, started_s: float, now: float, retry_after_s: float | None = None) -> None:
    account.refused(started_s=started_s, now=now, retry_after_s=retry_after_s, is_rate=True)
    account.end()


@pytest.mark.parametrize(("ceiling", "first"), [(1, 1), (8, 8), (32, 32), (500, 32)])
def test_the_first_limit_is_the_ceiling_and_at_most_32(ceiling: int, first: int) -> None:
    assert account_limit(ceiling).limit == first


def test_before_the_first_refusal_a_round_of_answers_doubles_the_limit() -> None:
    account = account_limit()
    for expected in (64, 128, 256):
        fill(account)
        answer_all(account)
        assert account.limit == expected


def test_after_a_refusal_a_round_of_answers_adds_one() -> None:
    account = account_limit()
    fill(account)
    refuse(account, started_s=0, now=1)
    assert account.limit == 16
    while account.in_flight > 16:
        account.end()
    for expected in (17, 18, 19):
        answer_all(account, 2)
        assert account.limit == pytest.approx(expected, abs=1)
    assert 18 <= account.limit <= 19


def test_the_limit_never_grows_above_the_ceiling() -> None:
    account = account_limit(40)
    for _ in range(10):
        fill(account)
        answer_all(account)
    assert (account.limit, account.in_flight) == (40, 40)


def test_answers_that_leave_room_make_it_no_larger() -> None:
    """They say nothing of what the server would bear."""
    account = account_limit()
    for _ in range(500):
        account.start(0, 0.0)
        account.answered()
        account.end()
    assert account.limit == 32


def test_refusals_of_one_moment_are_one_cut() -> None:
    account = account_limit()
    fill(account)
    for now in range(1, 11):
        refuse(account, started_s=0, now=now)
    assert account.limit == 16


def test_a_refusal_of_what_left_after_a_cut_is_a_cut_of_its_own() -> None:
    account = account_limit()
    fill(account)
    refuse(account, started_s=0, now=1)
    while account.in_flight:
        account.end()
    fill(account, 2)
    refuse(account, started_s=2, now=3)
    assert account.limit == 8


def test_the_cut_is_from_what_was_in_flight() -> None:
    """A limit that was never used says nothing."""
    account = account_limit()
    for _ in range(6):
        account.start(0, 0.0)
    refuse(account, started_s=0, now=1)
    assert account.limit == 3


def test_one_request_may_always_be_in_flight() -> None:
    account = account_limit()
    for now in range(10):
        account.start(0, now)
        refuse(account, started_s=now, now=now)
    assert (account.limit, account.wait_s(100)) == (1, 0)


def test_an_overload_that_is_no_matter_of_rate_cuts_nothing_and_pauses() -> None:
    account = account_limit()
    fill(account)
    account.refused(started_s=0, now=1, retry_after_s=5, is_rate=False)
    account.end()
    assert (account.limit, account.wait_s(1)) == (32, 5)


def test_the_longest_pause_that_was_asked_for_holds() -> None:
    account = account_limit()
    fill(account)
    for asked in (5, 30, 7):
        refuse(account, started_s=0, now=1, retry_after_s=asked)
    while account.in_flight:
        account.end()
    assert account.wait_s(1) == 30
    assert account.wait_s(31) == 0


@pytest.mark.parametrize(("asked", "waits"), [(120, 120), (121, 0), (1e9, 0)])
def test_a_pause_of_more_than_two_minutes_is_for_the_call_alone(asked: float, waits: float) -> None:
    """It fails; the others may find the server in another mood."""
    account = account_limit()
    account.start(0, 0.0)
    refuse(account, started_s=0, now=1, retry_after_s=asked)
    assert account.wait_s(1) == waits


# Refusals that do not say how long to wait


def pauses(account: AccountLimit, count: int, now: float = 0.0) -> list[float]:
    """Return how long nothing goes after each of ``count`` refusals in a row, each of a request that went at once."""
    found: list[float] = []
    for _ in range(count):
        account.start(0, now)
        refuse(account, started_s=now, now=now)
        found.append(account.wait_s(now) or 0.0)
        now += found[-1]
    return found


def test_refusals_in_a_row_pause_the_account_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may be a moment's; those after it wait for a quota of a minute."""
    monkeypatch.setattr("pytest_llmeval.engine.account_limit._part", lambda: 0.5)
    found = pauses(account_limit(), 5)
    assert found == [0, 2, 8, 25, 25]
    assert sum(found) >= 60


def test_pauses_are_drawn_at_random() -> None:
    found = {pauses(account_limit(), 3)[2] for _ in range(20)}
    assert len(found) > 1
    assert all(8 <= each <= 16 for each in found)


def test_an_answer_ends_the_pauses() -> None:
    account = account_limit()
    pauses(account, 3)
    account.start(0, 20.0)
    account.answered()
    account.end()
    assert pauses(account, 1, 20.0) == [0]


def test_pauses_end_where_patience_does() -> None:
    """A server that refuses for long is asked on, by calls that each give up by themselves."""
    found = pauses(account_limit(patience_s=30.0), 9)
    assert sum(found) <= 30
    assert found[-3:] == [0, 0, 0]


def test_a_refusal_while_the_server_works_on_others_is_no_pause() -> None:
    """Fewer at once are what it means."""
    account = account_limit()
    account.start(0, 0.0)
    for now in range(1, 9):
        account.start(0, now)
        refuse(account, started_s=now, now=now)
    account.end()
    assert (account.limit, account.wait_s(9)) == (1, 0)


def test_what_the_server_asks_for_is_no_pause_of_our_own() -> None:
    account = account_limit()
    for now in range(5):
        account.start(0, now)
        refuse(account, started_s=now, now=now, retry_after_s=0.5)
    assert account.wait_s(4) == 0.5


def test_a_full_limit_waits_for_no_time_but_for_an_end() -> None:
    account = account_limit(2, rpm=600)
    fill(account)
    assert account.wait_s(0) is None
    account.end()
    assert account.wait_s(0) == 0


def test_the_slowest_of_requests_tokens_and_pause_decides() -> None:
    account = account_limit(rpm=60, tpm=600)
    account.start(100, 0.0)
    assert account.wait_s(0) == pytest.approx(100 * 61 / 600 - 1)
    refuse(account, started_s=0, now=0, retry_after_s=50)
    assert account.wait_s(0) == 50
    assert account_limit(rpm=6).wait_s(0) == 0


@pytest.mark.parametrize("rpm", [6, 30, 600])
def test_requests_that_wait_for_a_connection_are_none_of_the_minute_after(rpm: int) -> None:
    """Each may come a second later than it went; the one behind ``rpm`` others comes at once."""
    account, now = account_limit(1000, rpm=rpm), 0.0
    for _ in range(rpm):
        now += account.wait_s(now) or 0.0
        account.start(0, now)
        account.end()
    assert now + (account.wait_s(now) or 0.0) == pytest.approx(61)
    assert now < 61 - 60 / rpm


@given(
    ceiling=st.integers(1, 100),
    steps=st.lists(st.tuples(st.sampled_from(["start", "answer", "refuse", "fail"]), st.floats(0, 5)), max_size=200),
)
def test_the_limit_stays_between_one_and_the_ceiling(ceiling: int, steps: list[tuple[str, float]]) -> None:
    account, now = account_limit(ceiling), 0.0
    for step, gap in steps:
        now += gap
        if step == "start":
            if account.wait_s(now) == 0:
                account.start(1, now)
        elif account.in_flight:
            if step == "answer":
                account.answered()
            elif step == "refuse":
                account.refused(started_s=now - gap, now=now, retry_after_s=None, is_rate=True)
            account.end()
        assert 1 <= account.limit <= ceiling
        assert account.in_flight <= ceiling


def test_those_that_wait_go_by_urgency_and_then_in_order() -> None:
    async def body() -> None:
        account, loop = account_limit(), asyncio.get_running_loop()
        waiters = [
            Waiter(Priority(ahead=ahead), number, loop.create_future())
            for number, ahead in enumerate([True, False] * 3)
        ]
        for waiter in waiters:
            account.push(waiter)
        order = []
        while (head := account.head()) is not None:
            order.append(head.number)
            head.ready.set_result(None)
        assert order == [1, 3, 5, 0, 2, 4]

    run_virtual(body())


def test_closing_tells_all_that_wait_and_keeps_the_first_reason() -> None:
    async def body() -> None:
        account, loop = account_limit(), asyncio.get_running_loop()
        waiting, given_up = loop.create_future(), loop.create_future()
        account.push(Waiter(Priority(), 1, given_up))
        account.push(Waiter(Priority(), 2, waiting))
        given_up.cancel()
        account.close(lambda: CallError("first", kind=ErrorKind.QUOTA, attempts=0))
        account.close(lambda: CallError("second", kind=ErrorKind.AUTH, attempts=0))
        with pytest.raises(CallError, match="first"):
            await waiting
        assert account.closed is not None
        assert account.closed().kind == ErrorKind.QUOTA
        assert account.head() is None

    run_virtual(body())
