"""Which responses are requested ahead: each place once, in order, in a window, by whoever claims."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.engine.places import Places
from tests.support.virtual_time import run_virtual, settled


def test_places_come_in_order_and_as_many_as_are_wanted() -> None:
    async def body() -> None:
        places = Places(100)
        assert [await places.claim(7, 3) for _ in range(4)] == [[0, 1, 2], [3, 4, 5], [6], []]

    run_virtual(body())


def test_no_more_are_open_than_the_window_holds() -> None:
    async def body() -> None:
        places = Places(4)
        assert await places.claim(10, 16) == [0, 1, 2, 3]
        waiting = asyncio.ensure_future(places.claim(10, 16))
        await settled()
        assert not waiting.done()
        places.take(2)
        assert await waiting == [4]

    run_virtual(body())


def test_a_place_whose_case_came_first_is_never_given_out() -> None:
    async def body() -> None:
        places = Places(10)
        for place in (0, 2, 3, 6):
            places.take(place)
        assert await places.claim(7, 10) == [1, 4, 5]
        assert await places.claim(7, 10) == []

    run_virtual(body())


def test_those_that_wait_learn_that_nothing_is_left() -> None:
    """The last place is taken by its own case while the window is full."""

    async def body() -> None:
        places = Places(1)
        assert await places.claim(2, 5) == [0]
        waiting = [asyncio.ensure_future(places.claim(2, 5)) for _ in range(3)]
        await settled()
        places.take(1)
        places.take(0)
        assert await asyncio.gather(*waiting) == [[], [], []]

    run_virtual(body())


def test_closing_sends_all_away() -> None:
    async def body() -> None:
        places = Places(1)
        await places.claim(9, 1)
        waiting = [asyncio.ensure_future(places.claim(9, 1)) for _ in range(3)]
        await settled()
        places.close()
        assert await asyncio.gather(*waiting) == [[], [], []]
        places.take(0)
        assert await places.claim(9, 1) == []

    run_virtual(body())


def test_places_of_a_process_that_died_are_given_out_again_first() -> None:
    async def body() -> None:
        places = Places(6)
        assert await places.claim(10, 4) == [0, 1, 2, 3]
        assert await places.claim(10, 1) == [4]
        places.take(1)  # its case has come all the same
        places.give_back([0, 1, 3, 7])  # 7 was nobody's
        assert await places.claim(10, 10) == [0, 3, 5, 6]

    run_virtual(body())


def test_what_is_given_back_goes_to_who_waits() -> None:
    async def body() -> None:
        places = Places(2)
        assert await places.claim(2, 2) == [0, 1]
        places.take(0)
        places.give_back([1])
        assert await places.claim(2, 2) == [1]

        full = Places(2)
        await full.claim(9, 2)
        waiting = asyncio.ensure_future(full.claim(9, 2))
        await settled()
        full.give_back([0, 1])
        assert await waiting == [0, 1]

    run_virtual(body())


def test_one_that_gives_up_waiting_takes_no_place() -> None:
    async def body() -> None:
        places = Places(1)
        await places.claim(9, 1)
        given_up, patient = (asyncio.ensure_future(places.claim(9, 1)) for _ in range(2))
        await settled()
        given_up.cancel()
        places.take(0)
        assert await patient == [1]
        await asyncio.wait([given_up])

    run_virtual(body())


@given(
    order=st.integers(0, 12).flatmap(lambda total: st.permutations(range(total))),
    deaths=st.lists(st.integers(0, 2**12 - 1), max_size=12),
    window=st.integers(1, 8),
    claimers=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
@settings(max_examples=150)
def test_every_place_is_given_out_once_or_taken_before(
    order: list[int], deaths: list[int], window: int, claimers: list[int]
) -> None:
    """Several processes claim, cases ask for themselves, processes die with places in hand: none is lost or doubled."""
    places, total, given = Places(window), len(order), list[int]()
    taken, in_hand, given_back = set[int](), set[int](), list[int]()

    async def claim(most: int) -> None:
        while claimed := await places.claim(total, most):
            assert len(claimed) <= most
            assert claimed == sorted(claimed)
            assert not (taken | in_hand) & set(claimed)
            in_hand.update(claimed)
            given.extend(claimed)
            assert len(in_hand) <= window

    async def body() -> None:
        tasks = [asyncio.ensure_future(claim(most)) for most in claimers]
        await settled()
        for place, death in zip(order, deaths + [0] * total, strict=False):
            dead = sorted(each for each in in_hand if death >> each & 1)
            in_hand.difference_update(dead)
            given_back.extend(dead)
            places.give_back(dead)
            await settled()
            taken.add(place)
            in_hand.discard(place)
            places.take(place)
            await settled()
        await asyncio.gather(*tasks)

    run_virtual(body())
    for place in range(total):
        assert given.count(place) <= 1 + given_back.count(place)
    assert given == sorted(given) or given_back
