"""The retry loop by itself: what it tells of the attempts that were paid for and gave nothing to use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.http.retry import RetryPolicy, call_with_retries
from tests.support.asking import Ask
from tests.support.fault_server import FaultServer
from tests.support.virtual_time import run_virtual

POLICY = RetryPolicy(timeout_s=60.0)
TOLD, UNTOLD = Usage(input_tokens=10, output_tokens=5), Usage()


def broken(usage: Usage | None) -> AttemptError:
    return AttemptError(ErrorKind.SERVER_ERROR, "broken off", retryable=True, usage=usage)


class Attempts:
    """What comes of each attempt, in order."""

    def __init__(self, *ends: Response | AttemptError) -> None:
        self._ends = list(ends)

    async def __call__(self) -> Response:
        end = self._ends.pop(0)
        if isinstance(end, AttemptError):
            raise end
        return end


def test_an_answer_carries_what_was_lost_before_it() -> None:
    """Of each attempt that was answered; its own tokens stay its own."""
    attempts = Attempts(broken(TOLD), broken(None), broken(UNTOLD), Response(text="yes", usage=TOLD))
    response = run_virtual(call_with_retries(attempts, policy=POLICY))
    assert (response.lost, response.usage, response.attempts) == ((TOLD, UNTOLD), TOLD, 4)


def test_an_answer_at_once_lost_nothing() -> None:
    assert run_virtual(call_with_retries(Attempts(Response(text="yes")), policy=POLICY)).lost == ()


def test_a_call_that_gets_no_slot_any_more_tells_what_it_took_before() -> None:
    """Another one was refused for good meanwhile, say."""
    entered = 0

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        nonlocal entered
        entered += 1
        if entered > 2:
            raise CallError("not asked: stopped", kind=ErrorKind.QUOTA, attempts=0)
        yield

    with pytest.raises(CallError, match=r"^broken off; not tried again: stopped$") as caught:
        run_virtual(call_with_retries(Attempts(broken(TOLD), broken(UNTOLD)), policy=POLICY, slot=slot))
    assert (caught.value.kind, caught.value.attempts) == (ErrorKind.QUOTA, 2)
    assert caught.value.usages == (TOLD, UNTOLD)


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ("truncate-1", (UNTOLD,)),
        ("chunkcut-1", (UNTOLD,)),
        ("sse-cut-1", (UNTOLD,)),
        ("rst-1", ()),
        ("close-1", ()),
        ("nohttp-1", (UNTOLD,)),
        ("status-503-1", ()),
    ],
)
def test_an_answer_that_was_cut_off_may_be_paid_for(
    server: FaultServer, ask: Ask, fault: str, lost: tuple[Usage, ...]
) -> None:
    """Nobody told its tokens; where nothing had come, be it no HTTP, there is none."""
    response = ask(server.spec(f"fault-{fault}"))
    assert (response.lost, response.attempts) == (lost, 2)
