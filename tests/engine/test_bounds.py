"""What is set aside for a call before its answer has come: of the money, and of the tokens of a minute."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.types import Ask, Request, Response, Usage
from pytest_llmeval.engine.bounds import Lengths, bound
from tests.support.engine_parts import FakeModel, Rig, ask, kinds, say
from tests.support.virtual_time import run_virtual

PRICES = Prices(input_usd_per_million=10_000, output_usd_per_million=20_000)
"""A cent for each token in, two for each that comes back."""


def picture(sample: str = "a") -> Ask:
    """Return an ask that shows a picture of a megabyte, for an answer of ten tokens."""
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_400_000}}
    request = Request(messages=({"role": "user", "content": [shown]},), params={"max_tokens": 10})
    return Ask(case=ask(sample).case, model="m", request=request)


def test_a_picture_is_let_go_with_what_a_picture_costs() -> None:
    """And not with what its data would cost as text, which is seventy times as much."""

    async def body() -> None:
        rig = Rig(max_cost_usd=50.0)
        rig.model.prices = PRICES
        assert await kinds(*rig.begin(picture())) == [None]

    run_virtual(body())


def test_a_picture_takes_the_tokens_of_a_picture_from_its_minute() -> None:
    async def body() -> None:
        rig = Rig(tpm=60_000)
        rig.model.hold = asyncio.Event()
        tasks = rig.begin(picture("a"), picture("b"))
        await asyncio.sleep(6)
        assert len(rig.model.asked) == 2
        rig.model.hold.set()
        await asyncio.gather(*tasks)

    run_virtual(body())


class Rambling(FakeModel):
    """Takes five seconds for an answer of as many tokens as it was told; ``ended`` says when each came."""

    tokens = 2000
    ended: tuple[float, ...] = ()

    async def complete(self, request: Request) -> Response:
        async with self._slot():
            await asyncio.sleep(5)
        self.ended = (*self.ended, asyncio.get_running_loop().time())
        return say(usage=Usage(input_tokens=10, output_tokens=self.tokens))


@pytest.mark.parametrize(("tokens", "calls"), [(2000, 40), (100, 200)])
def test_the_tokens_of_a_minute_are_kept_where_nothing_bounds_the_answers(tokens: int, calls: int) -> None:
    """They are taken to be as long as those before were, and the minute is made use of."""

    async def body() -> None:
        rig = Rig(tpm=10_000, max_connections=32)
        model = rig.models["m"] = Rambling(rig.limiter)
        model.tokens = tokens
        start = asyncio.get_running_loop().time()
        await asyncio.gather(*rig.begin(*(ask(str(n)) for n in range(calls))))
        minutes = (sum(at <= end < at + 60 for end in model.ended) for at in model.ended)
        assert max(minutes) * (tokens + 10) <= 1.2 * 10_000
        assert asyncio.get_running_loop().time() - start <= 60 * (calls * (tokens + 10) / 10_000 + 1)

    run_virtual(body())


def test_lengths_are_of_a_model_in_one_role_and_of_answers() -> None:
    """A judge that reasons for long is no model of long answers, and a likelihood is no short one."""
    lengths, most = Lengths(), Usage(input_tokens=10, output_tokens=None)
    judging, likely = replace(ask(), role="judge"), ask(params={LOGPROB_OF: "a"})
    lengths.taken(judging, most, say(usage=Usage(input_tokens=10, output_tokens=3000)))
    assert lengths.expected(ask(), most) == 10 + 1024
    lengths.taken(likely, most, say(usage=Usage(input_tokens=10, output_tokens=0)))
    assert lengths.expected(ask(), most) == 10 + 1024
    lengths.taken(ask(), most, say(usage=Usage(input_tokens=10, output_tokens=50)))
    assert (lengths.expected(ask(), most), lengths.expected(judging, most)) == (60, 3010)
    assert bound(FakeModel(Rig().limiter), likely).output_tokens == 0


@pytest.mark.parametrize(
    ("params", "bound_usd"),
    [
        ({"max_tokens": 50}, 1.05),
        ({"max_tokens": 50, "n": 3}, 3.05),
        ({"max_tokens": 50, "n": 0}, 1.05),
        ({"max_tokens": 50, "n": None}, 1.05),
        ({"max_tokens": 50, "tools": [{"name": "x" * 386}]}, 2.09),
        ({"max_tokens": 50, "response_format": {"type": "x" * 388}}, 2.09),
        ({"max_tokens": 50, "system": "x" * 400}, 2.09),
    ],
)
def test_all_that_a_call_may_cost_is_set_aside(params: dict[str, Any], bound_usd: float) -> None:
    """Every choice of the answer, and what is read beside the messages: with a cent less it does not go."""

    async def end(max_cost_usd: float) -> ErrorKind | None:
        rig = Rig(max_cost_usd=max_cost_usd)
        rig.model.prices = PRICES
        (kind,) = await kinds(*rig.begin(ask(params=params)))
        return kind

    assert run_virtual(end(bound_usd)) is None
    assert run_virtual(end(bound_usd - 0.01)) == ErrorKind.BUDGET
