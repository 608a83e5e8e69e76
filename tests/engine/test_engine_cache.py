"""Answers of earlier runs, and what decides that two requests are one."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.judge.verdict import Wanted
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Request, Response
from tests.core.judge.rubrics import NONCE, RUBRIC, reply
from tests.support.engine_parts import Rig, ask, broken, failure, say
from tests.support.virtual_time import run_virtual, settled

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


@pytest.mark.parametrize("is_ahead_first", [False, True], ids=["in its turn", "ahead, and then in its turn"])
def test_a_shared_call_ahead_goes_first_once_any_case_waits_for_it(is_ahead_first: bool) -> None:
    """Also one that did not begin it."""

    async def body() -> None:
        rig = Rig(cache="use", max_connections=1)
        rig.model.hold = asyncio.Event()
        waiting = rig.begin(ask("in flight", "in flight"))
        await settled()
        await rig.ahead(ask("a", "shared", position=0), 0)
        if is_ahead_first:
            await rig.ahead(ask("b", "shared", position=1), 1)
        await settled()
        waiting += rig.begin(ask("b", "shared", position=1))
        await settled()
        waiting += rig.begin(ask("later", "later"))
        await settled()
        rig.model.hold.set()
        await asyncio.gather(*waiting)
        assert rig.model.asked == ["in flight", "shared", "later"]

    run_virtual(body())


def test_an_answer_to_one_alone_makes_the_others_ask_themselves() -> None:
    async def body() -> None:
        rig = Rig(cache="use")
        answers = [say("no", refusal="no"), say("one"), say("two")]
        rig.model.answer = lambda request: answers.pop(0)
        results = await asyncio.gather(*rig.begin(ask("a"), ask("b"), ask("c")))
        assert [result.text for result in results] == ["no", "one", "two"]
        assert (len(rig.model.asked), rig.engine.counts.cached) == (3, 0)

    run_virtual(body())


@pytest.mark.parametrize(("failures", "requests"), [(1, 2), (2, 6), (6, 6)])
def test_after_a_failed_call_one_of_those_who_wait_makes_the_next_for_all(failures: int, requests: int) -> None:
    """After a second one nobody waits any more: where a server is down, each would cost the time limit."""

    async def body() -> None:
        rig = Rig(cache="use")
        complete = rig.model.complete

        async def after_a_second(request: Request) -> Response:
            await asyncio.sleep(1)
            return await complete(request)

        rig.model.complete = after_a_second  # type: ignore[method-assign]  # the one model of this test
        answers: list[Response | Exception] = [broken() for _ in range(failures)]
        rig.model.answer = lambda request: answers.pop(0) if answers else say("better")
        ends = await asyncio.gather(*rig.begin(*(ask(str(n)) for n in range(6))), return_exceptions=True)
        assert [getattr(end, "text", None) for end in ends] == [None] * failures + ["better"] * (6 - failures)
        assert len(rig.model.asked) == requests
        assert rig.engine.counts.cached == 6 - requests
        assert asyncio.get_running_loop().time() <= 3

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


def test_what_an_older_version_took_for_a_verdict_is_asked_for_anew() -> None:
    async def body() -> None:
        rig = Rig()
        await rig.engine.ask(ask(role="judge"))
        earlier(rig)
        rig.model.answer = lambda request: say(reply())
        wanted = Wanted(rubric=RUBRIC, nonce=NONCE)
        said = [(await rig.engine.ask(ask(name, role="judge", wanted=wanted))).text for name in "bc"]
        assert said == 2 * [reply()]
        assert (len(rig.model.asked), rig.engine.counts.cached) == (2, 1)

    run_virtual(body())


def test_only_what_is_known_is_told_to_who_wants_no_new_answer() -> None:
    """What has come and what is under way, of this case and, by the cache, of others; nobody is asked for the rest."""

    async def body() -> None:
        rig = Rig()
        rig.model.answer = lambda request: say(reply())
        wanted = Wanted(rubric=RUBRIC, nonce=NONCE)
        known = replace(wanted, only_known=True)
        error = await failure(rig.engine.ask(ask("a", role="judge", wanted=known)))
        assert (error.kind, error.attempts, rig.model.asked) == (ErrorKind.NOT_CACHED, 0, [])
        under_way = rig.begin(ask("a", role="judge", wanted=wanted))
        await settled()
        cases = [ask(name, role="judge", wanted=known) for name in "aab"]
        responses = await asyncio.gather(*(rig.engine.ask(each) for each in cases), *under_way)
        assert {response.text for response in responses} == {reply()} and len(rig.model.asked) == 1
        assert [(await rig.engine.ask(each)).text for each in cases] == 3 * [reply()]
        assert len(rig.model.asked) == 1

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
        "draw": st.integers(1, 2),
        "role": st.sampled_from(["model", "judge"]),
    }
)
askers = st.fixed_dictionaries(
    {
        "sample": st.text(max_size=3),
        "suite": st.text(max_size=3),
        "position": st.none() | st.integers(0, 9),
        "nth": st.integers(1, 2),
    }
)


def cache_key(question: dict[str, Any], asker: dict[str, Any], account: str) -> str | None:
    """Return the key under which an answer is kept."""
    rig = Rig()
    rig.model.facts = {key: question[key] for key in ("provider", "base_url", "model")}
    rig.model.account = account
    made = {key: question[key] for key in ("text", "params", "epoch", "draw", "role")}
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
    question = {"provider": "p", "base_url": "u", "model": "m", "text": "q", "epoch": 1, "draw": 1, "role": "model"}
    keys = {cache_key({**question, "params": each}, {}, "a") for each in (params, shuffled)}
    assert len(keys) == 1


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (1.0, True), (0, False), (0, 0.0), (1, "1"), ([], {})])
def test_values_that_python_takes_for_equal_are_not_to_the_key(one: object, other: object) -> None:
    question = {"provider": "p", "base_url": "u", "model": "m", "text": "q", "epoch": 1, "draw": 1, "role": "model"}
    assert len({cache_key({**question, "params": {"x": value}}, {}, "a") for value in (one, other)}) == 2
