"""The engine as those who ask see it: every call once, kept before it is told, and an end that leaves nothing."""

import asyncio
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind, ModelError
from pytest_llmeval.core.types import Ask, CacheMode, Response
from tests.support.engine_parts import Rig, ask, broken, failure, kinds, say
from tests.support.virtual_time import run_virtual, settled

# Every call once


def test_an_ask_is_answered_by_the_model_and_kept() -> None:
    async def body() -> None:
        rig = Rig()
        response = await rig.engine.ask(ask(text="what?"))
        assert response.text == "what?"
        (kept,) = rig.journal.kept
        assert (kept.case, kept.call.response, kept.call.status) == (ask().case, "what?", "ok")
        assert kept.call.cache_key == response.cache_key
        assert (rig.engine.counts.answered, rig.opened) == (1, ["m"])

    run_virtual(body())


def test_equal_asks_in_flight_are_one_call() -> None:
    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        tasks = rig.begin(ask(), ask(), ask())
        await settled()
        rig.model.hold.set()
        assert len({response.text for response in await asyncio.gather(*tasks)}) == 1
        assert rig.model.asked == ["q"]
        assert len(rig.journal.kept) == 1

    run_virtual(body())


@pytest.mark.parametrize(
    "other",
    [
        ask("b"),
        ask(epoch=2),
        ask(suite="other"),
        ask(text="Q"),
        ask(nth=2),
        ask(role="judge"),
        ask(params={"temperature": 0}),
    ],
)
def test_asks_that_differ_are_calls_of_their_own(other: Ask) -> None:
    async def body() -> None:
        rig = Rig()
        await asyncio.gather(*rig.begin(ask(), other))
        assert len(rig.model.asked) == len(rig.journal.kept) == 2

    run_virtual(body())


def test_an_ask_after_the_end_is_told_what_is_in_the_journal() -> None:
    """As a rerun asks, another process, and a session that goes on with a run."""

    async def body() -> None:
        rig = Rig()
        rig.model.answer = lambda request: say("once", refusal="no", model="real", attempts=2, latency_s=1.5)
        first = await rig.engine.ask(ask())
        assert await rig.engine.ask(ask()) == first
        resumed = Rig(journal=rig.journal)
        assert await resumed.engine.ask(ask()) == first
        assert (rig.model.asked, resumed.model.asked) == (["q"], [])
        assert (rig.engine.counts.recalled, resumed.engine.counts.recalled, resumed.opened) == (1, 1, [])

    run_virtual(body())


def test_a_failed_call_is_made_anew_by_the_next_ask() -> None:
    async def body() -> None:
        rig = Rig()
        answers: list[Response | Exception] = [broken(), say("better")]
        rig.model.answer = lambda request: answers.pop(0)
        first, second = rig.begin(ask(), ask())
        assert await kinds(first, second) == [ErrorKind.SERVER_ERROR] * 2
        assert (await rig.engine.ask(ask())).text == "better"
        assert (rig.model.asked, rig.engine.counts.failed) == (["q", "q"], 1)
        assert len(rig.journal.kept) == 1

    run_virtual(body())


def test_one_that_asks_again_at_once_shares_its_call_with_those_who_ask_later() -> None:
    """The others who waited for the failed call hear of it after the new one has begun."""

    async def body() -> None:
        rig = Rig()
        answers: list[Response | Exception] = [broken(), say("better")]
        rig.model.answer = lambda request: answers.pop(0)

        async def persistent() -> Response:
            try:
                return await rig.engine.ask(ask())
            except CallError:
                rig.model.hold = asyncio.Event()
                return await rig.engine.ask(ask())

        tasks = [asyncio.ensure_future(persistent()), *rig.begin(ask())]
        await settled()
        assert rig.model.hold is not None
        later = rig.begin(ask())
        await settled()
        rig.model.hold.set()
        assert await kinds(*tasks, *later) == [None, ErrorKind.SERVER_ERROR, None]
        assert rig.model.asked == ["q", "q"]
        await rig.engine.aclose()

    run_virtual(body())


def test_a_caller_that_gives_up_leaves_the_call_to_others() -> None:
    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        given_up, patient = rig.begin(ask(), ask())
        await settled()
        given_up.cancel()
        await settled()
        rig.model.hold.set()
        assert (await patient).text == "q"
        assert given_up.cancelled()
        assert (await rig.engine.ask(ask())).text == "q"
        assert rig.model.asked == ["q"]

    run_virtual(body())


def test_a_model_is_opened_once_and_one_that_cannot_be_had_is_told_to_each_ask() -> None:
    async def body() -> None:
        rig = Rig()
        await asyncio.gather(*rig.begin(*(ask(str(n)) for n in range(5))))
        assert rig.opened == ["m"]

        def refuse(name: str) -> Any:
            raise ModelError(f"{name}: no such model")

        rig = Rig()
        rig.engine._open_model = refuse
        error = await failure(*rig.begin(ask()))
        assert (str(error), error.kind, error.attempts) == ("m: no such model", ErrorKind.BAD_REQUEST, 0)

    run_virtual(body())


def test_a_request_that_json_cannot_hold_is_refused_before_anything_is_asked() -> None:
    async def body() -> None:
        rig = Rig()
        for value in (float("nan"), object(), {1, 2}):
            error = await failure(*rig.begin(ask(params={"x": value})))
            assert (error.kind, error.attempts) == (ErrorKind.BAD_REQUEST, 0)
        assert rig.opened == []

    run_virtual(body())


# Ahead


def test_a_call_that_was_begun_ahead_is_the_one_its_case_gets() -> None:
    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        assert await rig.engine.claim(5, 2) == [0, 1]
        await rig.engine.ahead(ask(), 0)
        await settled()
        (task,) = rig.begin(ask(position=0))
        await settled()
        rig.model.hold.set()
        assert (await task).text == "q"
        assert rig.model.asked == ["q"]

    run_virtual(body())


def test_calls_ahead_go_after_those_that_cases_wait_for() -> None:
    async def body() -> None:
        rig = Rig(max_connections=1)
        rig.model.hold = asyncio.Event()
        for n in range(3):
            await rig.ahead(ask(str(n), f"ahead {n}"), n)
        await settled()
        tasks = rig.begin(ask("urgent", "urgent"))
        await settled()
        rig.model.hold.set()
        await asyncio.gather(*tasks)
        assert rig.model.asked[:2] == ["ahead 0", "urgent"]
        await rig.engine.aclose()

    run_virtual(body())


@pytest.mark.parametrize("cache", ["off", "use"])
def test_a_call_ahead_goes_first_once_its_case_waits_for_it(cache: CacheMode) -> None:
    """Before those of cases that come sooner and have not asked; a later ask changes nothing more."""

    async def body() -> None:
        rig = Rig(cache=cache, max_connections=1)
        rig.model.hold = asyncio.Event()
        for n in range(4):
            await rig.ahead(ask(str(n), f"ahead {n}"), n)
        await settled()
        tasks = rig.begin(ask("3", "ahead 3"), ask("later", "later"), ask("3", "ahead 3"))
        await settled()
        rig.model.hold.set()
        await asyncio.gather(*tasks)
        await settled()
        assert rig.model.asked == ["ahead 0", "ahead 3", "later", "ahead 1", "ahead 2"]

    run_virtual(body())


def test_a_failure_ahead_is_told_once_and_then_the_call_is_made_anew() -> None:
    async def body() -> None:
        rig = Rig()
        answers: list[Response | Exception] = [broken(), say("better")]
        rig.model.answer = lambda request: answers.pop(0)
        await rig.ahead(ask(), 0)
        await settled()
        assert rig.engine.peek(ask()) is None
        assert await kinds(*rig.begin(ask())) == [ErrorKind.SERVER_ERROR]
        assert (await rig.engine.ask(ask())).text == "better"

    run_virtual(body())


def test_a_look_finds_what_is_there_and_nothing_else() -> None:
    async def body() -> None:
        rig = Rig()
        assert rig.engine.peek(ask()) is None
        rig.model.hold = asyncio.Event()
        await rig.ahead(ask(), 0)
        await settled()
        assert rig.engine.peek(ask()) is None
        rig.model.hold.set()
        await settled()
        found = rig.engine.peek(ask(position=0))
        assert found is not None
        assert found.text == "q"
        assert rig.model.asked == ["q"]
        assert (await rig.engine.ask(ask())) == found

    run_virtual(body())


def test_asks_and_looks_make_room_in_the_window() -> None:
    async def body() -> None:
        rig = Rig(window=8)
        places = await rig.engine.claim(20, 16)
        assert places == list(range(8))
        for place in places:
            await rig.engine.ahead(ask(str(place)), place)
        await settled()
        waiting = asyncio.ensure_future(rig.engine.claim(20, 16))
        for place in places:
            assert rig.engine.peek(ask(str(place), position=place)) is not None
        assert await waiting == list(range(8, 16))
        await rig.engine.ask(ask("8", position=8))
        assert await rig.engine.claim(20, 16) == [16]

    run_virtual(body())


def test_any_thread_may_look() -> None:
    async def body() -> None:
        rig = Rig()
        for n in range(20):
            await rig.ahead(ask(str(n)), n)
        await settled()
        found = await asyncio.to_thread(lambda: [rig.engine.peek(ask(str(n), position=n)) for n in range(20)])
        assert [each.text if each else None for each in found] == ["q"] * 20

    asyncio.run(body())
