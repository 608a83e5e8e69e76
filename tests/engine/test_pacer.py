"""A rate by the minute, whatever the times at which something wants to go."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.engine.pacer import Pacer

MINUTE_S = 60.0
ROUNDING_S = 1e-6
gaps = st.lists(st.just(0.0) | st.floats(0, 90), min_size=1, max_size=120)


def departures(pacer: Pacer, gaps: list[float], amounts: list[float]) -> list[float]:
    """Return when each amount goes; each wants to go its gap after the one before."""
    now, times = 0.0, []
    for gap, amount in zip(gaps, amounts, strict=False):
        now += gap
        now += pacer.wait_s(now)
        pacer.take(amount, now)
        times.append(now)
    return times


@given(per_minute=st.integers(1, 40), late_s=st.sampled_from([0.0, 1.0]), gaps=gaps)
def test_no_minute_sees_more_than_the_rate(per_minute: int, late_s: float, gaps: list[float]) -> None:
    """Wherever the minute begins: the next but ``per_minute`` never goes within 60 s.

    Nor does it come within them where the first comes late.
    """
    times = departures(Pacer(per_minute, late_s=late_s), gaps, [1.0] * len(gaps))
    for first, after in zip(times, times[per_minute:], strict=False):
        assert after - (first + late_s) >= MINUTE_S - ROUNDING_S


@given(per_minute=st.integers(1, 2000), gaps=gaps, data=st.data())
def test_no_minute_sees_more_than_the_rate_and_its_last_amount(
    per_minute: int, gaps: list[float], data: st.DataObject
) -> None:
    """Of amounts that differ: what is larger than a burst must go too."""
    amounts = data.draw(st.lists(st.floats(0, 3000), min_size=len(gaps), max_size=len(gaps)))
    times = departures(Pacer(per_minute), gaps, amounts)
    for start, began in enumerate(times):
        within = [amount for at, amount in zip(times[start:], amounts[start:], strict=False) if at - began < MINUTE_S]
        assert sum(within[:-1]) <= per_minute + ROUNDING_S


@pytest.mark.parametrize("per_minute", [10, 60, 600, 6000])
def test_a_rate_that_is_wanted_all_the_time_is_nearly_reached(per_minute: int) -> None:
    times = departures(Pacer(per_minute), [0.0] * 5 * per_minute, [1.0] * 5 * per_minute)
    assert 4.9 * MINUTE_S <= times[-1] <= 5.1 * MINUTE_S


def test_at_once_goes_no_more_than_a_second_brings() -> None:
    """A minute's worth at once would be refused by servers that look at shorter spans."""
    times = departures(Pacer(600), [0.0] * 600, [1.0] * 600)
    assert times.count(0.0) == 10


def test_a_pause_brings_one_burst_and_no_more() -> None:
    pacer = Pacer(600)
    departures(pacer, [0.0] * 100, [1.0] * 100)
    later = departures(pacer, [3600.0] + [0.0] * 99, [1.0] * 100)
    assert later.count(later[0]) == 10


def test_what_is_larger_than_the_rate_goes_and_holds_up_what_follows() -> None:
    pacer = Pacer(100)
    assert pacer.wait_s(0.0) == 0
    pacer.take(1000, 0.0)
    assert pacer.wait_s(0.0) == pytest.approx(609)


@given(taken=st.floats(0, 5000), used=st.floats(0, 5000), per_minute=st.floats(1, 10_000))
def test_settling_is_as_if_the_right_amount_had_been_taken(taken: float, used: float, per_minute: float) -> None:
    settled, right = Pacer(per_minute), Pacer(per_minute)
    settled.take(taken, 10.0)
    settled.settle(used - taken, taken_s=10.0)
    right.take(used, 10.0)
    assert settled.wait_s(10.0) == pytest.approx(right.wait_s(10.0), abs=1e-6, rel=1e-6)


def test_what_was_given_back_long_after_is_no_credit_for_later() -> None:
    """Only a burst goes at once, however much was taken in vain."""
    pacer = Pacer(60)
    pacer.take(1000, 0.0)
    pacer.settle(-1000, taken_s=0.0)
    assert departures(pacer, [500.0] + [0.0] * 9, [1.0] * 10).count(500.0) == 1


def test_what_is_given_back_of_a_minute_ago_is_no_credit_for_what_went_since() -> None:
    """Else two amounts that are a minute's each would go within a moment."""
    pacer = Pacer(6000)
    pacer.take(6000, 0.0)
    pacer.take(6000, 100.0)
    pacer.settle(-5900, taken_s=0.0)
    assert pacer.wait_s(101.0) == pytest.approx(59)


def went(pacer: Pacer, calls: list[tuple[float, float, float, float]]) -> list[tuple[float, float]]:
    """Return when each call goes and what it comes to.

    Each has the seconds from the one before until it is asked, what it is let go with, how much of that it comes to,
    and for how long it lasts.
    """
    now, times, ends = 0.0, [], list[tuple[float, float, float]]()
    for gap, amount, share, lasts_s in calls:
        now += gap
        wait_s = 1.0
        while wait_s > ROUNDING_S:
            while ends and ends[0][0] <= now:
                _, taken_s, left = heapq.heappop(ends)
                pacer.settle(-left, taken_s=taken_s)
            wait_s = pacer.wait_s(now)
            now = min(now + wait_s, ends[0][0] if ends else now + wait_s)
        pacer.take(amount, now)
        times.append((now, amount * share))
        heapq.heappush(ends, (now + lasts_s, now, amount * (1 - share)))
    return times


shares, times_s = st.sampled_from([0.0, 1.0]) | st.floats(0, 1), st.sampled_from([0.0, 50.0]) | st.floats(0, 90)
calls = st.tuples(st.just(0.0) | st.floats(0, 30), st.floats(0, 500), shares, times_s)


@given(per_minute=st.integers(100, 2000), calls=st.lists(calls, min_size=1, max_size=80))
def test_no_minute_sees_more_than_the_rate_whatever_is_given_back(
    per_minute: int, calls: list[tuple[float, float, float, float]]
) -> None:
    times = went(Pacer(per_minute), calls)
    for start, (began, _) in enumerate(times):
        within = [amount for at, amount in times[start:] if at - began < MINUTE_S - ROUNDING_S]
        assert sum(within[:-1]) <= per_minute + ROUNDING_S


def test_long_calls_behind_slow_ones_that_came_to_little_wait_for_the_minute() -> None:
    slow, long = [(0.0, 4000.0, 0.025, 50.0)] * 10, [(0.0, 4000.0, 1.0, 2.0)] * 40
    times = went(Pacer(60_000), [*slow, (14.0, 0.0, 1.0, 0.0), *long])
    assert max(sum(amount for at, amount in times if 0 <= at - began < MINUTE_S) for began, _ in times) <= 64_000


def test_calls_that_come_to_little_go_at_the_rate_of_what_they_come_to() -> None:
    """Not of what they are let go with, a sixteenth of which they take: that would be ten minutes."""
    times = went(Pacer(60_000), [(0.0, 1000.0, 0.06, 3.0)] * 600)
    assert times[-1][0] < 90
