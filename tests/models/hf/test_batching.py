"""How waiting requests become batches, and what happens to them when something goes wrong."""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.hf.batching import Batcher, Job, OutOfMemory, batches

ANY = 2**31
"""Positions that bound nothing."""


def job(tokens: int, room: int = 10, group: str = "g") -> Job:
    return Job(group=group, tokens=tokens, room=room)


@contextmanager
def batcher(run: Callable[[Sequence[Job]], None]) -> Iterator[Batcher]:
    made = Batcher(run, lambda group: 10_000, lambda group: ANY, gather_s=0.3)
    yield made
    made.close()


def answer_all(jobs: Sequence[Job]) -> None:
    for each in jobs:
        each.answer(Response(text=str(each.tokens)))


SIZES = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=40)


@given(SIZES, st.integers(1, 2000), st.integers(1, 500))
def test_a_batch_fits_into_the_budget_and_holds_like_lengths(
    sizes: list[tuple[int, int]], budget: int, positions: int
) -> None:
    jobs = [job(*size) for size in sizes]
    found = batches(jobs, budget, positions)
    assert sorted(map(id, (each for batch in found for each in batch))) == sorted(map(id, jobs))
    for batch in found:
        longest = max(each.tokens for each in batch) + max(each.room for each in batch)
        assert (len(batch) * longest <= budget and longest <= positions) or len(batch) == 1
    lengths = [each.tokens for batch in found for each in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_what_waits_together_is_answered_together() -> None:
    ran: list[list[int]] = []

    def run(jobs: Sequence[Job]) -> None:
        ran.append([each.tokens for each in jobs])
        answer_all(jobs)

    with batcher(run) as made:
        jobs = [job(tokens) for tokens in (3, 1, 2)]
        for each in jobs:
            made.submit(each)
        assert [each.future.result(5).text for each in jobs] == ["3", "1", "2"]
    assert ran == [[3, 2, 1]]


def test_a_batch_is_of_one_group_and_the_oldest_goes_first() -> None:
    ran: list[str] = []

    def run(jobs: Sequence[Job]) -> None:
        ran.extend({str(each.group) for each in jobs})
        answer_all(jobs)

    with batcher(run) as made:
        jobs = [job(1, group=group) for group in "baba"]
        for each in jobs:
            made.submit(each)
        for each in jobs:
            each.future.result(5)
    assert ran == ["b", "a"]


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    """The size that fitted is remembered: what comes later is not tried in vain."""
    sizes: list[int] = []

    def run(jobs: Sequence[Job]) -> None:
        sizes.append(len(jobs))
        if len(jobs) > 2:
            raise OutOfMemory("17 GiB")
        answer_all(jobs)

    with batcher(run) as made:
        for expected in ([8, 4, 2, 2, 2, 2], [2, 2]):
            jobs = [job(5) for _ in range(8 if len(expected) > 2 else 4)]
            for each in jobs:
                made.submit(each)
            assert {each.future.result(5).text for each in jobs} == {"5"}
            assert sizes == expected
            sizes.clear()


def test_what_was_answered_before_memory_ran_out_is_not_asked_again() -> None:
    seen: list[int] = []

    def run(jobs: Sequence[Job]) -> None:
        seen.append(len(jobs))
        jobs[0].answer(Response(text="early"))
        if len(jobs) > 1:
            raise OutOfMemory("no")

    with batcher(run) as made:
        jobs = [job(tokens) for tokens in (4, 3, 2)]
        for each in jobs:
            made.submit(each)
        assert {each.future.result(5).text for each in jobs} == {"early"}
    assert seen[0] == 3
    assert sum(seen) <= 3 + 2 + 1


def test_a_request_that_does_not_fit_alone_is_an_error() -> None:
    def run(jobs: Sequence[Job]) -> None:
        raise OutOfMemory("17 GiB")

    with batcher(run) as made:
        one = job(100, room=7)
        made.submit(one)
        with pytest.raises(CallError, match="no memory for 100 tokens and room for 7 more: 17 GiB") as caught:
            one.future.result(5)
    assert caught.value.kind == ErrorKind.TOO_LARGE


class Panic(BaseException):
    """As Rust's panics come to Python: as no Exception."""


@pytest.mark.parametrize("kind", [RuntimeError, Panic])
def test_a_model_that_breaks_fails_its_batch_and_goes_on(kind: type[BaseException]) -> None:
    def run(jobs: Sequence[Job]) -> None:
        if jobs[0].tokens == 1:
            raise kind("boom")
        answer_all(jobs)

    with batcher(run) as made:
        first, second = job(1), job(2, group="other")
        made.submit(first)
        with pytest.raises(CallError, match=f"the model broke: {kind.__name__}: boom"):
            first.future.result(5)
        made.submit(second)
        assert second.future.result(5).text == "2"


def test_a_request_that_was_given_up_is_not_run() -> None:
    gate, ran = threading.Event(), []

    def run(jobs: Sequence[Job]) -> None:
        gate.wait(5)
        ran.append([each.tokens for each in jobs])
        answer_all(jobs)

    with batcher(run) as made:
        jobs = [job(tokens, group=str(tokens)) for tokens in (1, 2, 3)]
        for each in jobs:
            made.submit(each)
        jobs[1].future.cancel()
        gate.set()
        assert jobs[2].future.result(5).text == "3"
    assert ran == [[1], [3]]


def test_closing_fails_what_waits_and_takes_nothing_more() -> None:
    gate = threading.Event()

    def run(jobs: Sequence[Job]) -> None:
        gate.wait(5)
        answer_all(jobs)

    with batcher(run) as made:
        running, waiting = job(1), job(2, group="later")
        made.submit(running)
        made.submit(waiting)
        threading.Timer(0.3, gate.set).start()
        made.close()
        with pytest.raises(CallError, match="closed"):
            waiting.future.result(5)
        with pytest.raises(CallError, match="closed"):
            made.submit(job(3))


def test_a_group_whose_batches_cannot_be_formed_fails_and_others_are_served() -> None:
    """As where a model's configuration is unheard of, or a GPU tells nothing any more: nobody waits for ever."""

    def budget(group: Hashable) -> int:
        if group == "strange":
            raise AttributeError("no such size")
        return 100

    made = Batcher(answer_all, budget, lambda group: ANY, gather_s=0.05)
    jobs = [job(1, group="strange"), job(2, group="strange"), job(3)]
    for each in jobs:
        made.submit(each)
    for each in jobs[:2]:
        with pytest.raises(CallError, match="the model broke: AttributeError: no such size") as caught:
            each.future.result(5)
        assert caught.value.kind == ErrorKind.SERVER_ERROR
    assert jobs[2].future.result(5).text == "3"
    made.close()
