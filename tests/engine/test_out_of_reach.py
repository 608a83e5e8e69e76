"""A server that is not there, or only asks to wait: its calls end soon, and one that comes back is waited for."""

import asyncio
from collections.abc import Callable

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.http.retry import RetryPolicy, call_with_retries
from tests.support.desks import desk
from tests.support.virtual_time import run_virtual


def refused() -> AttemptError:
    return AttemptError(ErrorKind.CONNECTION, "connection refused", retryable=True, is_unsent=True)


class Server:
    """Does what ``state`` says of the time, and keeps when it was asked."""

    def __init__(self, state: Callable[[float], AttemptError | None], *, patience_s: float = 120.0) -> None:
        self._state = state
        self.asked_s: list[float] = []
        self._slot = desk(patience_s=patience_s).limiter.slots("a")

    async def __call__(self) -> Response:
        now = asyncio.get_running_loop().time()
        self.asked_s.append(now)
        fault = self._state(now)
        if fault is not None:
            raise fault
        return Response(text="yes")

    async def call(self) -> Response | CallError:
        try:
            return await call_with_retries(self, policy=RetryPolicy(), slot=self._slot)
        except CallError as error:
            return error


async def in_turn(server: Server, count: int) -> list[Response | CallError]:
    return [await server.call() for _ in range(count)]


def test_where_nobody_answers_for_a_minute_each_further_call_is_one_request() -> None:
    """A thousand rows, one after the other as sync bodies ask, take little more than that minute."""
    server = Server(lambda _: refused())
    ends = run_virtual(in_turn(server, 1000))
    assert server.asked_s[-1] < 80
    assert len(server.asked_s) < 1100
    assert all(isinstance(end, CallError) and end.kind == ErrorKind.CONNECTION for end in ends)
    assert isinstance(ends[0], CallError)
    assert ends[0].attempts == 6
    assert isinstance(ends[-1], CallError)
    assert ends[-1].attempts == 1
    assert str(ends[-1]) == (
        "connection refused; no connection there has succeeded for a minute, so it is not tried again"
    )


def test_the_tries_of_one_call_alone_give_up_no_server_however_long_they_take() -> None:
    async def attempt() -> Response:
        await asyncio.sleep(15)
        raise refused()

    async def body() -> Response:
        return await call_with_retries(attempt, policy=RetryPolicy(), slot=desk().limiter.slots("a"))

    with pytest.raises(CallError, match="^connection refused; gave up after 6 attempts$"):
        run_virtual(body())


def test_a_server_that_restarts_is_waited_for() -> None:
    """Also once more after it answered, however long ago it was away before: so briefly that six tries outlast it."""
    server = Server(lambda now: refused() if now < 0.1 or 200 <= now < 200.1 else None)

    async def body() -> list[Response | CallError]:
        first = await server.call()
        await asyncio.sleep(200 - asyncio.get_running_loop().time())
        return [first, await server.call()]

    assert [end.attempts > 1 for end in run_virtual(body()) if isinstance(end, Response)] == [True, True]


@pytest.mark.parametrize(
    "answer",
    [
        AttemptError(ErrorKind.SERVER_ERROR, "broken", retryable=True),
        AttemptError(ErrorKind.CONNECTION, "cut off", retryable=True),
    ],
    ids=["an error of its own", "an answer that was cut off"],
)
def test_whoever_says_anything_is_there(answer: AttemptError) -> None:
    server = Server(lambda now: answer if int(now) % 30 == 0 else refused())

    async def body() -> int:
        for _ in range(100):
            await server.call()
            await asyncio.sleep(30 - asyncio.get_running_loop().time() % 30)
        last = await server.call()
        return last.attempts if isinstance(last, CallError) else 0

    assert run_virtual(body()) == 6


def test_no_answer_in_time_says_neither() -> None:
    """It neither ends the minute nor begins it."""
    late = AttemptError(ErrorKind.TIMEOUT, "late", retryable=True)
    server = Server(lambda now: late if 20 < now < 40 else refused())
    run_virtual(in_turn(server, 100))
    assert server.asked_s[-1] < 80
    silent = Server(lambda _: late)
    ends = run_virtual(in_turn(silent, 20))
    assert {end.attempts for end in ends if isinstance(end, CallError)} == {6}


def test_a_connection_that_fails_now_and_then_is_tried_again() -> None:
    """Of a server that works on each answer for long, or that nothing was asked of for a while."""
    server = Server(lambda now: refused() if now in (0, 600) else None)

    async def body() -> list[Response | CallError]:
        first = asyncio.create_task(server.call())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(600 - asyncio.get_running_loop().time())
        return [await server.call()]

    assert [end.attempts for end in run_virtual(body()) if isinstance(end, Response)] == [2]


def test_a_time_limit_that_ends_before_there_is_a_connection_counts_for_that_minute() -> None:
    """Its call is over; the next one finds out less."""

    async def body() -> list[Response | CallError]:
        fault = AttemptError(ErrorKind.TIMEOUT, "no connection within 5 s", is_unsent=True)
        server = Server(lambda now: fault if now < 60 else refused())
        ends = []
        for _ in range(21):
            ends.append(await server.call())
            await asyncio.sleep(3)
        return ends

    ends = run_virtual(body())
    assert [end.attempts for end in ends] == 21 * [1]
    assert "no connection there has succeeded for a minute" in str(ends[-1])


# A server that asks to wait


def busy(asked_s: float, kind: ErrorKind = ErrorKind.RATE_LIMITED) -> AttemptError:
    return AttemptError(kind, "slow down", retryable=True, retry_after_s=asked_s)


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.SERVER_ERROR], ids=str)
@pytest.mark.parametrize("asked_s", [1.0, 20.0, 60.0, 119.0])
def test_a_server_that_only_asks_to_wait_holds_up_no_session_for_hours(asked_s: float, kind: ErrorKind) -> None:
    """After ten minutes each further call is one request, and no other waits for its sake."""
    server = Server(lambda _: busy(asked_s, kind))
    ends = run_virtual(in_turn(server, 1000))
    assert server.asked_s[-1] < 600 + 120 + 20
    assert len(server.asked_s) < 1000 + 600
    assert all(isinstance(end, CallError) and end.kind == kind for end in ends)
    assert isinstance(ends[-1], CallError)
    assert ends[-1].attempts == 1
    assert str(ends[-1]) == (
        "slow down; it has asked to wait for minutes on end and answered nothing, so it is not tried again"
    )


@pytest.mark.parametrize("asked_s", [1.0, 30.0, 60.0])
def test_an_outage_of_nine_minutes_is_waited_for(asked_s: float) -> None:
    """A cold start, or a deployment: the calls that began in it end, and no other one fails at once."""
    server = Server(lambda now: busy(asked_s, ErrorKind.SERVER_ERROR) if now < 540 else None)
    ends = run_virtual(in_turn(server, 1000))
    faults = [end for end in ends if isinstance(end, CallError)]
    assert len(faults) <= 540 / asked_s / 2
    assert all(end.attempts > 1 for end in faults)


def test_a_server_that_answers_after_each_wait_is_waited_for_each_time() -> None:
    """However many waits there are."""
    server = Server(lambda _: busy(60.0) if len(server.asked_s) % 2 else None)
    assert [end.attempts for end in run_virtual(in_turn(server, 50)) if isinstance(end, Response)] == [2] * 50


def test_the_first_answer_has_waits_kept_again() -> None:
    server = Server(lambda now: busy(50.0) if now < 700 or 1000 <= now < 1060 else None)

    async def body() -> list[Response | CallError]:
        while server.asked_s[-1:] < [700.0]:
            await server.call()
            await asyncio.sleep(1)
        await asyncio.sleep(1000 - asyncio.get_running_loop().time())
        return await in_turn(server, 1)

    assert [end.attempts for end in run_virtual(body()) if isinstance(end, Response)] == [3]


@pytest.mark.parametrize(
    "kind",
    [ErrorKind.BAD_REQUEST, ErrorKind.FILTERED, ErrorKind.MALFORMED_RESPONSE, ErrorKind.TRUNCATED_STREAM],
    ids=str,
)
def test_an_answer_that_is_none_to_use_is_one_after_which_waits_are_kept(kind: ErrorKind) -> None:
    """A server that filters each answer, say, and now and then asks to wait."""
    server = Server(lambda _: busy(60.0) if len(server.asked_s) % 2 else AttemptError(kind, "none to use"))
    ends = run_virtual(in_turn(server, 50))
    assert [(end.kind, end.attempts) for end in ends if isinstance(end, CallError)] == [(kind, 2)] * 50


def test_a_wait_that_is_long_over_is_none_of_those_in_a_row() -> None:
    """The server was asked nothing since, and may have been well all the while."""
    server = Server(lambda now: busy(100.0) if now % 2000 < 1 else None)

    async def body() -> list[Response | CallError]:
        for turn in range(12):
            await asyncio.sleep(2000 * turn - asyncio.get_running_loop().time())
            call = asyncio.create_task(server.call())
            await asyncio.sleep(1)
            call.cancel()
        await asyncio.sleep(2000 * 12 - asyncio.get_running_loop().time())
        return [await server.call()]

    assert [end.attempts for end in run_virtual(body())] == [2]


def test_time_in_which_nothing_was_asked_is_no_wait() -> None:
    """Of a body that computes for long behind a call that was refused, say."""
    server = Server(lambda now: busy(50.0) if now in (0, 600) else None)

    async def body() -> list[Response | CallError]:
        first = asyncio.create_task(server.call())
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(600 - asyncio.get_running_loop().time())
        return [await server.call()]

    assert [end.attempts for end in run_virtual(body()) if isinstance(end, Response)] == [2]


def test_who_gives_calls_longer_waits_longer() -> None:
    """``--timeout-s`` beyond ten minutes is what one is ready to wait."""
    server = Server(lambda now: busy(100.0) if now < 1150 else None, patience_s=1200.0)
    assert [isinstance(end, Response) for end in run_virtual(in_turn(server, 13))][-1]
