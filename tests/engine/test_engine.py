"""The engine as those who ask see it: every call once, kept before it is told, and an end that leaves nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind, ModelError, StoreError
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Ask, CacheMode, Response, Usage
from pytest_llmeval.engine.journal import Kept
from tests.support.engine_parts import MemoryJournal, Rig, ask, broken, say
from tests.support.virtual_time import run_virtual, settled


async def failure(work: "asyncio.Future[Response]") -> CallError:
    """Return the error with which an ask ends."""
    with pytest.raises(CallError) as caught:
        await work
    return caught.value


async def kinds(*work: "asyncio.Future[Response]") -> list[ErrorKind | None]:
    """Return the kind of the error of each ask; None where it was answered."""
    results = await asyncio.gather(*work, return_exceptions=True)
    return [result.kind if isinstance(result, CallError) else None for result in results]


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


# The cache


def test_without_a_cache_every_case_has_its_own_call() -> None:
    async def body() -> None:
        rig = Rig()
        await asyncio.gather(*rig.begin(ask("a"), ask("b")))
        assert rig.model.asked == ["q", "q"]

    run_virtual(body())


def earlier(rig: Rig) -> None:
    """Let what the journal keeps be that of an earlier run."""
    rig.journal.earlier = [kept.call for kept in rig.journal.kept]
    rig.journal.batches = []


def test_an_answer_of_an_earlier_run_is_used_again_at_no_cost() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        first = await rig.engine.ask(ask())
        earlier(rig)
        again = await rig.engine.ask(ask("another case"))
        assert again == replace(first, cached=True, cost_usd=0.0)
        assert (rig.model.asked, rig.engine.counts.cached) == (["q"], 1)

    run_virtual(body())


def test_refreshing_asks_anew_and_the_newest_answer_is_used_later() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        await rig.engine.ask(ask())
        earlier(rig)
        fresh = Rig(cache="refresh", journal=rig.journal)
        fresh.model.answer = lambda request: say("newer")
        assert (await fresh.engine.ask(ask())).text == "newer"
        assert (await rig.engine.ask(ask("b"))).text == "newer"

    run_virtual(body())


def test_only_the_cache_means_no_call() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        await rig.engine.ask(ask())
        earlier(rig)
        only = Rig(cache="only", journal=rig.journal)
        assert (await only.engine.ask(ask("b"))).text == "q"
        error = await failure(*only.begin(ask(text="new")))
        assert (error.kind, error.attempts) == (ErrorKind.NOT_CACHED, 0)
        assert only.model.asked == []

    run_virtual(body())


def test_with_a_cache_equal_requests_of_many_cases_in_flight_are_one_call() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        rig.model.hold = asyncio.Event()
        tasks = rig.begin(*(ask(str(n)) for n in range(4)))
        await settled()
        rig.model.hold.set()
        responses = await asyncio.gather(*tasks)
        assert rig.model.asked == ["q"]
        assert sorted(response.cached for response in responses) == [False, True, True, True]
        assert sum(response.cost_usd or 0 for response in responses) == pytest.approx(0.1)

    run_virtual(body())


@pytest.mark.parametrize("first", [broken(), say("no", refusal="no")], ids=["failed", "refused"])
def test_what_is_no_answer_to_others_makes_them_ask_themselves(first: Response | Exception) -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        answers = [first, say("one"), say("two")]
        rig.model.answer = lambda request: answers.pop(0)
        results = await asyncio.gather(*rig.begin(ask("a"), ask("b"), ask("c")), return_exceptions=True)
        assert len(rig.model.asked) == 3
        assert [getattr(result, "text", None) for result in results[1:]] == ["one", "two"]
        assert rig.engine.counts.cached == 0

    run_virtual(body())


@pytest.mark.parametrize("answer", [say(refusal="I will not"), say(finish_reason=None)], ids=["refusal", "no reason"])
def test_a_refusal_and_an_answer_without_an_end_serve_no_later_run(answer: Response) -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        rig.model.answer = lambda request: answer
        response = await rig.engine.ask(ask())
        assert response == replace(answer, cache_key=None)
        assert [kept.call.cache_key for kept in rig.journal.kept] == [None]

    run_virtual(body())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
questions = st.fixed_dictionaries(
    {
        "provider": st.sampled_from(["openai", "anthropic"]),
        "base_url": st.sampled_from(["http://a/v1", "http://b/v1"]),
        "model": st.sampled_from(["x", "y"]),
        "text": st.sampled_from(["q", "Q", "q "]),
        "params": st.dictionaries(
            st.sampled_from(["t", "seed"]),
            st.sampled_from([0, 0.0, 1, 1.0, True, False, "1", None]) | json_values,
            max_size=2,
        ),
        "epoch": st.integers(1, 2),
        "nth": st.integers(1, 2),
        "role": st.sampled_from(["model", "judge"]),
    }
)
askers = st.fixed_dictionaries(
    {"sample": st.text(max_size=3), "suite": st.text(max_size=3), "position": st.none() | st.integers(0, 9)}
)


def cache_key(question: dict[str, Any], asker: dict[str, Any], account: str) -> str | None:
    """Return the key under which an answer is kept."""
    rig = Rig()
    rig.model.facts = {key: question[key] for key in ("provider", "base_url", "model")}
    rig.model.account = account
    made = {key: question[key] for key in ("text", "params", "epoch", "nth", "role")}
    return run_virtual(rig.engine.ask(ask(**{**made, **asker}))).cache_key


@given(one=questions, other=questions, asker=askers, another=askers, data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_key_of_an_answer_is_all_that_decides_it(
    one: dict[str, Any], other: dict[str, Any], asker: dict[str, Any], another: dict[str, Any], data: st.DataObject
) -> None:
    """Provider, address, model, messages, params, epoch, repetition and role; who asks, with which key, is not."""
    key = cache_key(one, asker, "first account")
    assert key is not None
    assert len(key) == 64
    assert cache_key(one, another, "second account") == key
    changed = data.draw(st.sampled_from(sorted(one)))
    different = {**one, changed: other[changed]}
    assert (cache_key(different, asker, "a") == key) == (canonical(different) == canonical(one))


@given(params=st.dictionaries(st.text(max_size=3), json_values, max_size=3), data=st.data())
@settings(max_examples=50, deadline=None)
def test_the_order_of_params_is_nothing_to_the_key(params: dict[str, Any], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    question = {"provider": "p", "base_url": "u", "model": "m", "text": "q", "epoch": 1, "nth": 1, "role": "model"}
    keys = {cache_key({**question, "params": each}, {}, "a") for each in (params, shuffled)}
    assert len(keys) == 1


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (1.0, True), (0, False), (0, 0.0), (1, "1"), ([], {})])
def test_values_that_python_takes_for_equal_are_not_to_the_key(one: object, other: object) -> None:
    question = {"provider": "p", "base_url": "u", "model": "m", "text": "q", "epoch": 1, "nth": 1, "role": "model"}
    assert len({cache_key({**question, "params": {"x": value}}, {}, "a") for value in (one, other)}) == 2


# The journal


class Watched(MemoryJournal):
    """Notes what was answered to whom when something is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[Response]] = []
        self.told_before: list[int] = []

    def keep(self, answers: Sequence[Kept]) -> None:
        self.told_before.append(sum(task.done() for task in self.tasks))
        super().keep(answers)


def test_nobody_is_told_an_answer_that_is_not_kept() -> None:
    async def body() -> None:
        journal = Watched()
        rig = Rig(journal=journal)
        journal.tasks = rig.begin(ask("a"), ask("b"))
        await asyncio.gather(*journal.tasks)
        assert journal.told_before == [0]
        await rig.engine.ask(ask("c"))
        assert len(journal.kept) == 3

    run_virtual(body())


def test_answers_of_one_moment_are_kept_together_a_few_at_a_time() -> None:
    """Alone each commit is dear; all of them at once would keep the first one waiting."""

    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        tasks = rig.begin(*(ask(str(n)) for n in range(7)))
        await settled()
        rig.model.hold.set()
        await asyncio.gather(*tasks)
        assert [len(batch) for batch in rig.journal.batches] == [4, 3]

    run_virtual(body())


def test_when_nothing_can_be_kept_no_call_is_made_any_more() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.ask(ask("before"))
        rig.journal.fault = StoreError("disk full")
        one, two = rig.begin(ask("a"), ask("b"))
        error = await failure(one)
        assert str(error) == "the answer came and could not be kept: disk full"
        assert (error.kind, error.attempts) == (ErrorKind.STORAGE, 1)
        assert await kinds(two) == [ErrorKind.STORAGE]
        later = await failure(*rig.begin(ask("c")))
        assert (str(later), later.kind, later.attempts) == ("no further call is made: disk full", ErrorKind.STORAGE, 0)
        assert [str(fault) for fault in rig.faults] == ["disk full"]
        assert len(rig.model.asked) == 3
        assert (await rig.engine.ask(ask("before"))).text == "q"
        assert await rig.engine.claim(5, 5) == []

    run_virtual(body())


@pytest.mark.parametrize("cache", ["off", "use"])
def test_when_nothing_can_be_found_no_call_is_made_any_more(cache: CacheMode) -> None:
    """It may have been answered, and paid, before."""

    async def body() -> None:
        rig = Rig(cache=cache)
        rig.journal.read_fault = StoreError("damaged")
        error = await failure(*rig.begin(ask()))
        assert (error.kind, error.attempts) == (ErrorKind.STORAGE, 0)
        assert "damaged" in str(error)
        rig.journal.read_fault = None
        assert await kinds(*rig.begin(ask())) == [ErrorKind.STORAGE]
        assert (rig.model.asked, len(rig.faults)) == ([], 1)

    run_virtual(body())


def test_whatever_keeping_raises_nobody_waits_for_ever() -> None:
    async def body() -> None:
        met: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: met.append(context))
        rig = Rig()
        rig.journal.fault = OverflowError("a bug")
        assert await kinds(*rig.begin(ask("a"), ask("b"))) == [ErrorKind.STORAGE] * 2
        assert [str(context["exception"]) for context in met] == ["a bug"]

    run_virtual(body())


# Money and tokens


def test_at_the_limit_of_the_money_no_further_call_is_made() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=0.55)
        ends = await kinds(*rig.begin(*(ask(str(n)) for n in range(10))))
        assert ends == [None] * 5 + [ErrorKind.BUDGET] * 5
        assert len(rig.model.asked) == len(rig.journal.kept) == 5

    run_virtual(body())


def test_the_first_priced_call_goes_alone() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=10.0)
        rig.model.hold = asyncio.Event()
        tasks = rig.begin(*(ask(str(n)) for n in range(5)))
        await settled()
        assert len(rig.model.asked) == 1
        rig.model.hold.set()
        await asyncio.gather(*tasks)
        assert len(rig.model.asked) == 5

    run_virtual(body())


def test_a_failed_or_cancelled_call_gives_its_money_back() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=0.25)
        answers: list[Response | Exception] = [broken(), say(), say()]
        rig.model.answer = lambda request: answers.pop(0)
        assert await kinds(*rig.begin(ask("a"), ask("b"), ask("c"))) == [ErrorKind.SERVER_ERROR, None, None]

    run_virtual(body())


def test_those_that_wait_for_the_budget_are_told_of_a_stop() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=1.0)
        rig.model.hold = asyncio.Event()
        first, waiting = rig.begin(ask("a"), ask("b"))
        await settled()
        rig.engine.stop(ErrorKind.INTERRUPTED, "stopped")
        assert await kinds(waiting) == [ErrorKind.INTERRUPTED]
        rig.model.hold.set()
        assert (await first).text == "q"

    run_virtual(body())


def test_answers_from_before_cost_nothing_of_the_budget() -> None:
    async def body() -> None:
        journal = MemoryJournal()
        await Rig(journal=journal).engine.ask(ask())
        rig = Rig(journal=journal, max_cost_usd=0.0)
        assert [(await rig.engine.ask(ask())).text for _ in range(3)] == ["q"] * 3

    run_virtual(body())


def test_tokens_that_an_answer_did_not_take_are_free_for_the_next_call() -> None:
    """``max_tokens`` is the room that is kept for it until it has come."""

    async def body() -> None:
        rig = Rig(tpm=1000)
        await asyncio.gather(*rig.begin(*(ask(str(n), params={"max_tokens": 1000}) for n in range(3))))
        assert asyncio.get_running_loop().time() < 3

    run_virtual(body())


@pytest.mark.parametrize(
    ("params", "wait_s"),
    [
        ({"max_tokens": 595}, 35),
        ({"max_completion_tokens": 595}, 35),
        ({"max_tokens": "595"}, 0),
        ({"max_tokens": -(10**9)}, 0),
    ],
)
def test_a_call_is_let_go_with_the_tokens_it_may_take(params: dict[str, Any], wait_s: float) -> None:
    async def body() -> None:
        rig = Rig(tpm=1000)
        rig.model.answer = lambda request: say(usage=Usage())  # the server does not say what it took
        await rig.engine.ask(ask("a", params=params))
        await rig.engine.ask(ask("b", params={"max_tokens": 1000}))
        assert asyncio.get_running_loop().time() == pytest.approx(wait_s, abs=1)
        (third,) = rig.begin(ask("c"))
        await third
        assert asyncio.get_running_loop().time() >= 60

    run_virtual(body())


# The end


def test_stopping_fails_what_waits_and_lets_what_is_in_flight_be_kept() -> None:
    async def body() -> None:
        rig = Rig(max_connections=1)
        rig.model.hold = asyncio.Event()
        in_flight, waiting = rig.begin(ask("a"), ask("b"))
        claiming = asyncio.ensure_future(rig.engine.claim(0, 1))
        await settled()
        rig.engine.stop(ErrorKind.INTERRUPTED, "stopped")
        rig.engine.stop(ErrorKind.STORAGE, "too late")
        error = await failure(waiting)
        assert (str(error), error.kind, error.attempts) == ("stopped", ErrorKind.INTERRUPTED, 0)
        assert await kinds(*rig.begin(ask("c"))) == [ErrorKind.INTERRUPTED]
        assert await claiming == []
        rig.model.hold.set()
        assert (await in_flight).text == "q"
        assert (await rig.engine.ask(ask("a"))).text == "q"
        assert rig.model.asked == ["q"]

    run_virtual(body())


def test_draining_waits_until_what_is_paid_is_kept() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.drain(5)
        assert asyncio.get_running_loop().time() == 0
        rig.model.hold = asyncio.Event()
        await rig.ahead(ask(), 0)
        await settled()
        rig.engine.stop(ErrorKind.INTERRUPTED, "stopped")
        asyncio.get_running_loop().call_later(1.5, rig.model.hold.set)
        await rig.engine.drain(5)
        assert asyncio.get_running_loop().time() == 1.5
        assert len(rig.journal.kept) == 1

    run_virtual(body())


def test_draining_waits_no_longer_than_it_is_told() -> None:
    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        (task,) = rig.begin(ask())
        await settled()
        await rig.engine.drain(2)
        assert asyncio.get_running_loop().time() == 2
        await rig.engine.aclose()
        assert await kinds(task) == [ErrorKind.INTERRUPTED]

    run_virtual(body())


@pytest.mark.parametrize("cache", ["off", "use"])
def test_closing_gives_up_what_is_in_flight_and_closes_the_models(cache: CacheMode) -> None:
    """No task of the engine is left: ``run_virtual`` looks."""

    async def body() -> None:
        rig = Rig(cache=cache, max_connections=2)
        rig.model.hold = asyncio.Event()
        for n in range(4):
            await rig.ahead(ask(str(n), f"q{n % 3}"), n)
        claiming = asyncio.ensure_future(rig.engine.claim(0, 5))
        await settled()
        await rig.engine.aclose()
        assert await claiming == []
        assert (rig.model.closed, rig.limiter.in_flight) == (1, 0)
        assert await kinds(*rig.begin(ask("late"))) == [ErrorKind.INTERRUPTED]

    run_virtual(body())


def test_an_answer_that_came_in_the_last_moment_is_kept_all_the_same() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.ahead(ask(), 0)
        while not rig.engine._keeping._unkept:
            await asyncio.sleep(0)
        await rig.engine.aclose()
        assert [kept.call.response for kept in rig.journal.kept] == ["q"]

    run_virtual(body())
