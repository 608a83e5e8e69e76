"""What is kept, what it may cost, and how the calls of a session end."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_llmeval.core.costs import FREE, Prices
from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError
from pytest_llmeval.core.types import CacheMode, CallName, Kept, Response, Usage
from tests.support.engine_parts import FakeModel, MemoryJournal, Rig, ask, broken, failure, kinds, say
from tests.support.virtual_time import run_virtual, settled

# The journal


class Watched(MemoryJournal):
    """Notes what was answered to whom when something is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[Response]] = []
        self.told_before: list[int] = []

    def keep(self, answers: Sequence[Kept], **calls: Sequence[CallName]) -> None:
        if answers:
            self.told_before.append(sum(task.done() for task in self.tasks))
        super().keep(answers, **calls)


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
        rig.model.hold = asyncio.Event()
        one, two = rig.begin(ask("a"), ask("b"))
        await settled()
        rig.journal.fault = StoreError("disk full")
        rig.model.hold.set()
        error = await failure(one)
        assert str(error) == "the answer came and could not be stored: disk full"
        assert (error.kind, error.attempts) == (ErrorKind.STORAGE, 1)
        assert await kinds(two) == [ErrorKind.STORAGE]
        later = await failure(*rig.begin(ask("c")))
        assert (str(later), later.kind, later.attempts) == ("no further call is made: disk full", ErrorKind.STORAGE, 0)
        assert [str(fault) for fault in rig.faults] == ["disk full"]
        assert len(rig.model.asked) == 3
        assert (await rig.engine.ask(ask("before"))).text == "q"
        assert await rig.engine.claim(5, 5) == []

    run_virtual(body())


@pytest.mark.parametrize("prices", [None, FREE], ids=["paid", "free"])
def test_the_journal_knows_the_calls_in_flight(prices: Prices | None) -> None:
    """Before they are sent; not those that wait for a slot, nor that failed, nor of a model that is free."""

    async def body() -> None:
        rig = Rig(max_connections=2)
        rig.model.prices, rig.model.hold = prices, asyncio.Event()
        rig.model.answer = lambda request: broken() if rig.model.text_of(request) == "bad" else say()
        tasks = rig.begin(ask("a"), ask("b", "bad"), ask("c"))
        await settled()
        assert len(rig.model.asked) == 2
        assert {case.sample_id for case, _ in rig.journal.begun} == ({"a", "b"} if prices is None else set())
        rig.model.hold.set()
        assert await kinds(*tasks) == [None, ErrorKind.SERVER_ERROR, None]
        await settled()
        assert rig.journal.begun == set()

    run_virtual(body())


def test_what_cannot_be_noted_is_not_asked() -> None:
    async def body() -> None:
        rig = Rig()
        rig.journal.fault = StoreError("disk full")
        error = await failure(*rig.begin(ask("a")))
        assert (str(error), error.kind, error.attempts) == (
            "not asked: the answer could not be stored: disk full",
            ErrorKind.STORAGE,
            0,
        )
        assert (rig.model.asked, rig.limiter.in_flight, rig.limiter.requests) == ([], 0, 0)

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


def test_a_failed_call_gives_its_money_back() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=0.25)
        answers: list[Response | Exception] = [broken(), say(), say()]
        rig.model.answer = lambda request: answers.pop(0)
        assert await kinds(*rig.begin(ask("a"), ask("b"), ask("c"))) == [ErrorKind.SERVER_ERROR, None, None]

    run_virtual(body())


def test_a_call_that_is_given_up_gives_its_money_back() -> None:
    """All that was set aside for the answer that never came may be spent by another engine."""
    prices = Prices(input_usd_per_million=10_000, output_usd_per_million=20_000)
    dear = ask(params={"max_tokens": 50})

    async def body() -> None:
        rig = Rig(max_cost_usd=1.05)
        rig.model.prices = prices
        rig.model.hold = asyncio.Event()
        (given_up,) = rig.begin(dear)
        await settled()
        assert rig.model.asked == ["q"]
        assert rig.budget.start("m", 0.1) is None
        await rig.engine.aclose()
        assert await kinds(given_up) == [ErrorKind.INTERRUPTED]
        assert rig.budget.spent_usd == 0
        later = Rig(shared_budget=rig.budget)
        later.model.prices = prices
        later.model.answer = lambda request: say(cost_usd=1.05)
        (answered,) = later.begin(dear)
        await settled()
        assert later.model.asked == ["q"]
        assert (await answered).text == "yes"
        assert later.budget.spent_usd == 1.05

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
        rig.journal.read_fault = StoreError("it is closed")
        assert await kinds(*rig.begin(ask("late"))) == [ErrorKind.INTERRUPTED]
        assert rig.faults == []

    run_virtual(body())


def test_a_model_that_cannot_be_closed_keeps_no_other_open() -> None:
    """All answers are kept by then: the run is none the worse for it."""

    class Broken(FakeModel):
        async def aclose(self) -> None:
            raise OSError("it broke")

    async def body() -> None:
        rig = Rig()
        rig.models = {"a": FakeModel(rig.limiter), "b": Broken(rig.limiter), "c": FakeModel(rig.limiter)}
        for name in rig.models:
            await rig.engine.ask(ask(name, model=name))
        await rig.engine.aclose()
        assert [model.closed for model in rig.models.values()] == [1, 0, 1]

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


@pytest.mark.parametrize(
    ("kind", "usages", "spent_usd"),
    [
        (ErrorKind.FILTERED, [Usage(input_tokens=10, output_tokens=5)], 0.2),
        (ErrorKind.FILTERED, [], 0.0),
        (ErrorKind.TIMEOUT, [Usage()], 1.04),
        (ErrorKind.TIMEOUT, [], 0.0),
        (ErrorKind.SERVER_ERROR, [Usage(input_tokens=10, output_tokens=5), Usage()], 1.24),
    ],
)
def test_an_answer_that_is_none_to_use_is_paid_for_all_the_same(
    kind: ErrorKind, usages: list[Usage], spent_usd: float
) -> None:
    """By its tokens where the server tells them, else as the longest answer that it may have been."""

    async def body() -> None:
        rig = Rig(max_cost_usd=5.0)
        rig.model.prices = Prices(input_usd_per_million=10_000, output_usd_per_million=20_000)
        rig.model.answer = lambda request: CallError("it broke", kind=kind, usages=tuple(usages))
        (error,) = await kinds(*rig.begin(ask(params={"max_tokens": 50})))
        assert error == kind
        assert rig.budget.spent_usd == pytest.approx(spent_usd, abs=0.05)

    run_virtual(body())
