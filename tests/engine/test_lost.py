"""Attempts that were paid for and gave nothing to use, before one that did."""

import asyncio
import contextlib
from collections import Counter

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Request, Response, Usage
from pytest_llmeval.models.http.retry import RetryPolicy, call_with_retries
from tests.support.engine_parts import FakeModel, Rig, ask, kinds, say
from tests.support.virtual_time import run_virtual, settled

PRICES = Prices(input_usd_per_million=10_000, output_usd_per_million=20_000)
TOLD = Usage(input_tokens=10, output_tokens=5)
"""0.2 USD."""


@pytest.mark.parametrize(
    ("lost", "spent_usd", "recorded_usd"),
    [
        ((), 0.1, 0.1),
        ((TOLD,), 0.3, 0.3),
        ((Usage(),), 1.15, 0.1),
        ((TOLD, Usage(), TOLD), 1.55, 0.5),
    ],
)
def test_an_answer_costs_what_the_attempts_before_it_cost_too(
    lost: tuple[Usage, ...], spent_usd: float, recorded_usd: float
) -> None:
    """The budget takes an attempt of which nothing was told as the longest answer; what is recorded was told."""

    async def body() -> None:
        rig = Rig(max_cost_usd=5.0)
        rig.model.prices = PRICES
        rig.model.answer = lambda request: say(lost=lost, attempts=1 + len(lost))
        response = await rig.engine.ask(ask(params={"max_tokens": 50}))
        assert rig.budget.spent_usd == pytest.approx(spent_usd)
        assert response.cost_usd == pytest.approx(recorded_usd)
        (kept,) = rig.journal.kept
        assert kept.call.cost_usd == response.cost_usd
        assert (kept.call.input_tokens, kept.call.output_tokens, kept.call.attempts) == (10, 5, 1 + len(lost))

    run_virtual(body())


@pytest.mark.parametrize(("limit", "asked"), [(10.0, 1), (50.0, 3)])
def test_a_model_that_never_tells_a_cost_spends_all_the_same(limit: float, asked: int) -> None:
    """Where nothing bounds its answers, each that is lost counts as its prompt and 1,024 tokens: here as 20.53 USD."""

    async def body() -> None:
        rig = Rig(max_cost_usd=limit)
        rig.model.prices = PRICES
        rig.model.answer = lambda request: CallError("no answer", kind=ErrorKind.TIMEOUT, usages=(Usage(),))
        ended = await kinds(*rig.begin(*map(ask, "abcdef")))
        assert ended == [ErrorKind.TIMEOUT] * asked + [ErrorKind.BUDGET] * (6 - asked)
        assert rig.budget.spent_usd == pytest.approx(20.53 * asked)

    run_virtual(body())


def test_a_judge_that_told_no_price_yet_is_not_asked_where_a_model_was_refused_for_want_of_money() -> None:
    """It is taken to cost its prompt and 1,024 tokens, where the last cent was left to it."""

    async def body() -> None:
        rig = Rig(max_cost_usd=3.01)
        rig.model.prices, rig.models["j"] = PRICES, rig.model
        rig.model.answer = lambda request: say(cost_usd=1.0)
        assert [(await kinds(*rig.begin(ask(sample))))[0] for sample in "abcd"] == 3 * [None] + [ErrorKind.BUDGET]
        assert await kinds(*rig.begin(ask(role="judge", model="j"))) == [ErrorKind.BUDGET]
        assert rig.budget.spent_usd == pytest.approx(3.0)

    run_virtual(body())


def test_what_is_lost_behind_a_dear_answer_is_taken_to_be_as_dear() -> None:
    async def body() -> None:
        rig = Rig(max_cost_usd=100.0)
        rig.model.prices = PRICES
        answers = [say(cost_usd=30.0), say(lost=(Usage(),), cost_usd=1.0)]
        rig.model.answer = lambda request: answers.pop(0)
        for sample in "ab":
            await rig.engine.ask(ask(sample))
        assert rig.budget.spent_usd == pytest.approx(61.0)

    run_virtual(body())


def test_each_attempt_is_weighed_against_what_those_before_it_left() -> None:
    """Also those of other calls in flight: six whose first attempts give nothing never spend above the limit."""

    async def body(limit: float) -> list[ErrorKind | None]:
        rig = Rig(max_cost_usd=limit)
        rig.model.prices = PRICES
        lost = Usage(input_tokens=1, output_tokens=50)  # 1.01 USD, and 1.05 were set aside
        rig.model.answer = lambda request: say(lost=(lost,), cost_usd=1.01)
        asks = [ask(sample, params={"max_tokens": 50}) for sample in "abcdef"]
        ended = await kinds(*rig.begin(*asks))
        assert rig.budget.spent_usd <= limit
        return ended

    found = {limit: Counter(run_virtual(body(limit))) for limit in (1.05, 2.1, 4.2, 7.5, 12.2)}
    assert found[1.05] == found[4.2] == {ErrorKind.BUDGET: 6}
    assert found[12.2] == {None: 6}


def test_what_was_lost_before_an_answer_makes_the_next_one_no_dearer() -> None:
    """Where answers have no bound, they are taken to cost what the dearest attempt did, not the dearest call."""

    async def body() -> None:
        rig = Rig(max_cost_usd=0.65)
        rig.model.prices = PRICES
        answers = [say(lost=(TOLD,), cost_usd=0.2), say(cost_usd=0.2)]
        rig.model.answer = lambda request: answers.pop(0)
        for sample in "ab":
            await rig.engine.ask(ask(sample))
        assert rig.budget.spent_usd == pytest.approx(0.6)

    run_virtual(body())


def test_whoever_is_told_an_answer_again_lost_nothing_for_it() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        rig.model.prices = PRICES
        rig.model.answer = lambda request: say(lost=(TOLD,))
        assert await kinds(*rig.begin(ask("a"), ask("b"))) == [None, None]
        told = [await rig.engine.ask(ask(sample)) for sample in "abc"]
        assert [(each.lost, each.cost_usd) for each in told] == [((), pytest.approx(0.3)), ((), 0), ((), 0)]

    run_virtual(body())


class Retrying(FakeModel):
    """Gives nothing to use, for 1.01 USD an attempt."""

    async def complete(self, request: Request) -> Response:
        async def attempt() -> Response:
            usage = Usage(input_tokens=1, output_tokens=50)
            raise AttemptError(ErrorKind.MALFORMED_RESPONSE, "no JSON", retryable=True, usage=usage)

        return await call_with_retries(attempt, policy=RetryPolicy(), slot=self._slot)


def test_a_call_that_may_not_be_tried_again_tells_what_it_gave() -> None:
    """It was asked and paid for."""

    async def body() -> CallError:
        rig = Rig(max_cost_usd=1.5)
        rig.models["m"] = Retrying(rig.limiter)
        rig.models["m"].prices = PRICES
        with pytest.raises(CallError) as caught:
            await rig.engine.ask(ask(params={"max_tokens": 50}))
        return caught.value

    error = run_virtual(body())
    why = "it may cost $1.0500, and $0.4900 of --max-cost $1.5000 are left; "
    assert str(error).startswith(f"no JSON; not tried again: {why}")
    assert (error.kind, error.attempts) == (ErrorKind.BUDGET, 1)
    assert error.cost_usd == pytest.approx(1.01)


class Backing(FakeModel):
    """Is refused, and waits for its next attempt; the server that is asked ``slow`` says nothing for ever."""

    async def complete(self, request: Request) -> Response:
        with contextlib.suppress(AttemptError):
            async with self._slot():
                if self.text_of(request) == "slow":
                    await asyncio.Event().wait()
                raise AttemptError(ErrorKind.RATE_LIMITED, "429", retryable=True)
        await asyncio.Event().wait()
        raise AssertionError


def test_a_call_that_waits_for_its_next_attempt_at_the_end_is_not_in_flight() -> None:
    """Nor one that waits for a slot: of neither anything may be billed."""

    async def body() -> None:
        rig = Rig(max_connections=2)
        rig.models["m"] = Backing(rig.limiter)
        tasks = rig.begin(ask("a"), ask("b", "slow"), ask("c"))
        await settled()
        await rig.engine.aclose()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {case.sample_id for case, _ in rig.journal.begun} == {"b"}

    run_virtual(body())
