"""Answers that somebody waits for ahead of the case that will ask for them."""

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from pytest_llmeval.core.errors import CallError
from tests.support.engine_parts import Rig, ask
from tests.support.virtual_time import run_virtual, settled


def test_an_answer_that_was_waited_for_ahead_is_kept_for_its_case() -> None:
    async def body() -> None:
        rig = Rig()
        assert await rig.engine.claim(1, 1) == [0]
        early = await rig.engine.answer_ahead(ask(position=0), 0)
        assert early is await rig.engine.ask(ask(position=0))
        assert (rig.model.asked, rig.engine.counts.recalled) == (["q"], 0)

    run_virtual(body())


@pytest.mark.parametrize("role", ["model", "judge"])
def test_what_a_case_has_had_is_not_asked_for_ahead_of_it(role: Literal["model", "judge"]) -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.claim(1, 1)
        await rig.engine.ask(ask(position=0))
        await rig.engine.ask(replace(ask(text="later"), role=role))
        asked = list(rig.model.asked)
        assert await rig.engine.answer_ahead(replace(ask(text="more"), role=role), 0) is None
        assert rig.model.asked == asked

    run_virtual(body())


def test_a_judgement_may_be_ahead_of_a_case_that_has_its_response() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.claim(1, 1)
        await rig.engine.ask(ask(position=0))
        assert (await rig.engine.answer_ahead(replace(ask(text="judge"), role="judge"), 0)) is not None

    run_virtual(body())


def test_no_judgement_is_begun_ahead_of_a_case_that_ended_without_its_response() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.claim(1, 1)
        await rig.engine.answer_ahead(ask(position=0), 0)
        await rig.engine.release(0)
        asked = list(rig.model.asked)
        assert await rig.engine.answer_ahead(replace(ask(text="judge"), role="judge"), 0) is None
        assert rig.model.asked == asked

    run_virtual(body())


def test_whoever_waits_ahead_is_told_of_the_end() -> None:
    async def body() -> None:
        rig = Rig()
        rig.model.hold = asyncio.Event()
        await rig.engine.claim(1, 1)
        early = asyncio.get_running_loop().create_task(rig.engine.answer_ahead(ask(position=0), 0))
        await settled()
        await rig.engine.aclose()
        with pytest.raises(CallError, match="the session ends"):
            await early

    run_virtual(body())
