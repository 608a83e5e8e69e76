"""The engine asked over its socket, by lines of this process and by one that is killed."""

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Request, Response, Usage
from pytest_llmeval.engine.line import Line
from pytest_llmeval.engine.switchboard import Switchboard
from tests.support.engine_parts import Rig, ask, failure, say
from tests.support.offices import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path that is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="llmeval-"))
    yield folder / "s"
    shutil.rmtree(folder)


class Office:
    """An engine, the switchboard before it, and lines to it."""

    def __init__(self, path: Path, rig: Rig) -> None:
        self.path, self.rig = path, rig
        self.begun: list[str] = []
        self.switchboard = Switchboard(rig.engine, path, on_begin=self.begun.append)
        self.lines: list[Line] = []
        self.told: list[str] = []
        """Why no further case is to start, as the lines were told."""
        self.on_told: Callable[[], None] = lambda: None

    def line(self) -> Line:
        """Return a new line; it connects with its first ask."""
        self.lines.append(Line(self.path, self._tell))
        return self.lines[-1]

    def _tell(self, reason: str) -> None:
        self.told.append(reason)
        self.on_told()

    async def is_told(self, reasons: int) -> None:
        """Return once so many reasons were told."""
        while len(self.told) < reasons:
            event = asyncio.Event()
            self.on_told = event.set
            await event.wait()


@asynccontextmanager
async def office(path: Path, rig: Rig | None = None) -> AsyncIterator[Office]:
    """Open for a test, and end everything after it."""
    rooms = Office(path, rig or Rig())
    await rooms.switchboard.open()
    try:
        yield rooms
    finally:
        for line in rooms.lines:
            if line._opening is not None:
                await hang_up(line)
        await rooms.switchboard.aclose()
        await rooms.rig.engine.aclose()


async def hang_up(line: Line) -> None:
    """End the connection of a line, as the end of its process does."""
    assert line._opening is not None and line._listening is not None
    line._opening.result().close()
    await line._listening


async def until(condition: Callable[[], bool]) -> None:
    """Return once something holds that the other end brings about."""
    while not condition():
        await asyncio.sleep(0.001)


# Asks and answers


def test_an_ask_over_the_line_is_answered_as_in_the_engine(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            whole = say("yes", refusal="r", model="real", attempts=3, latency_s=0.25, usage=Usage(input_tokens=7))
            rooms.rig.model.answer = lambda request: whole
            over = await rooms.line().ask(ask())
            assert over == await rooms.rig.engine.ask(ask()) == replace(whole, cache_key=None)

    run(body())


def test_lines_that_ask_the_same_get_one_answer(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            rooms.rig.model.hold = asyncio.Event()
            asks = [asyncio.ensure_future(rooms.line().ask(ask())) for _ in range(3)]
            await until(lambda: len(rooms.switchboard._writers) == 3 and bool(rooms.rig.model.asked))
            rooms.rig.model.hold.set()
            assert {response.text for response in await asyncio.gather(*asks)} == {"q"}
            assert (await rooms.line().ask(ask())).text == "q"
            assert rooms.rig.model.asked == ["q"]

    run(body())


def test_an_error_keeps_its_kind_and_numbers_on_the_way(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            rooms.rig.model.answer = lambda request: CallError("no", kind=ErrorKind.TIMEOUT, attempts=4, latency_s=1.5)
            error = await failure(rooms.line().ask(ask()))
            assert (str(error), error.kind, error.attempts, error.latency_s) == ("no", ErrorKind.TIMEOUT, 4, 1.5)

    run(body())


def test_asks_overtake_each_other(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            line = rooms.line()
            rooms.rig.model.hold = asyncio.Event()
            slow = asyncio.ensure_future(line.ask(ask("slow")))
            await until(lambda: bool(rooms.rig.model.asked))
            hold, rooms.rig.model.hold = rooms.rig.model.hold, None
            assert (await line.ask(ask("quick"))).text == "q"
            assert not slow.done()
            hold.set()
            assert (await slow).text == "q"

    run(body())


def test_large_texts_pass_both_ways(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            text = "é\ud800" * 2_500_000
            assert (await rooms.line().ask(ask(text=text))).text == text

    run(body())


def test_what_json_cannot_hold_is_a_fault_of_the_request(socket: Path) -> None:
    """As it is in the engine's own process."""

    async def body() -> None:
        async with office(socket) as rooms:
            line = rooms.line()
            for value in (float("nan"), float("inf"), object(), {1, 2}):
                wrong = ask(params={"x": value})
                error = await failure(line.ask(wrong))
                assert (error.kind, error.attempts) == (ErrorKind.BAD_REQUEST, 0)
                assert str(error) == str(await failure(rooms.rig.engine.ask(wrong)))
                assert (await failure(line.ahead(wrong, 0))).kind == ErrorKind.BAD_REQUEST
            assert rooms.rig.model.asked == []

    run(body())


def test_a_bug_in_the_engine_is_an_error_of_who_asked_and_is_shown(socket: Path) -> None:
    async def body() -> None:
        met: list[BaseException] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: met.append(context["exception"]))
        async with office(socket) as rooms:
            rooms.rig.model.answer = lambda request: LookupError("secret details")
            error = await failure(rooms.line().ask(ask()))
            assert (str(error), error.kind) == ("the engine broke: LookupError: *** details", ErrorKind.CODE)
            await until(lambda: bool(met))
            assert [str(each) for each in met] == ["secret details"]

    run(body())


def test_a_look_over_the_line_finds_nothing() -> None:
    assert Line(Path("nowhere"), lambda reason: None).peek(ask()) is None


def test_a_line_waits_for_an_engine_that_comes_up_later(socket: Path) -> None:
    async def body() -> None:
        line = Line(socket, lambda reason: None)
        asking = asyncio.ensure_future(line.ask(ask()))
        await asyncio.sleep(0.05)
        async with office(socket) as rooms:
            rooms.lines.append(line)
            assert (await asking).text == "q"

    run(body())


def test_a_line_waits_for_an_engine_as_long_as_the_process_that_is_to_start_it_lives(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = iter([7] * 20)
    monkeypatch.setattr("pytest_llmeval.engine.line.os.getppid", lambda: next(parents, 1))

    async def body() -> None:
        line = Line(socket, lambda reason: None)
        assert (await failure(line.ask(ask()))).kind == ErrorKind.INTERRUPTED
        assert await line.claim(5, 5) == []

    run(body())


# Places


def test_lines_share_the_places(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            one, other = rooms.line(), rooms.line()
            places = [await line.claim(6, 2) for line in (one, other, one, other)]
            assert places == [[0, 1], [2, 3], [4, 5], []]
            await one.ahead(ask("0", position=0), 0)
            assert (await other.ask(ask("0", position=0))).text == "q"
            assert rooms.rig.model.asked == ["q"]

    run(body())


def test_places_of_a_line_that_ends_are_given_out_again(socket: Path) -> None:
    """Those whose calls it had not begun."""

    async def body() -> None:
        async with office(socket) as rooms:
            gone, other = rooms.line(), rooms.line()
            assert await gone.claim(6, 4) == [0, 1, 2, 3]
            await gone.ahead(ask("1", position=1), 1)
            await gone.ask(ask("2", position=2))
            await hang_up(gone)
            await until(lambda: not rooms.switchboard._writers)
            assert await other.claim(6, 10) == [0, 3, 4, 5]

    run(body())


def test_places_that_come_free_are_not_given_to_a_line_that_has_ended(socket: Path) -> None:
    """It waited for them when it ended."""

    async def body() -> None:
        async with office(socket, Rig(window=2)) as rooms:
            gone, other = rooms.line(), rooms.line()
            assert await other.claim(6, 2) == [0, 1]
            waiting = asyncio.ensure_future(gone.claim(6, 2))
            await until(lambda: bool(rooms.rig.engine.places._claimers))
            await hang_up(gone)
            assert await waiting == []
            await until(lambda: len(rooms.switchboard._writers) == 1)
            for place in (0, 1):
                await other.ask(ask(str(place), position=place))
            assert await other.claim(6, 2) == [2, 3]

    run(body())


def test_a_case_whose_process_dies_before_it_asks_holds_no_place(socket: Path) -> None:
    """Whoever began its call ahead; the other cases whose calls were begun will ask, in another process."""

    async def body() -> None:
        async with office(socket, Rig(window=2)) as rooms:
            dying, other = rooms.line(), rooms.line()
            assert await other.claim(6, 2) == [0, 1]
            for place in (0, 1):
                await other.ahead(ask(str(place), position=place), place)
            await dying.begin("case", 1)
            await dying.ask(ask("sync"))
            waiting = asyncio.ensure_future(other.claim(6, 2))
            await until(lambda: bool(rooms.rig.engine.places._claimers))
            await hang_up(dying)
            assert await waiting == [2]

    run(body())


# Ends


def test_a_stop_reaches_every_line_also_a_later_one(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            for _ in range(2):
                await rooms.line().claim(1, 1)
            rooms.switchboard.broadcast_stop("interrupted")
            await rooms.is_told(2)
            await rooms.line().claim(1, 1)
            await rooms.is_told(3)
            assert rooms.told == ["interrupted"] * 3

    run(body())


def test_when_the_engine_goes_every_ask_fails_and_no_case_starts(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            line = rooms.line()
            rooms.rig.model.hold = asyncio.Event()
            waiting = [asyncio.ensure_future(failure(line.ask(ask(str(n))))) for n in range(3)]
            claiming = asyncio.ensure_future(line.claim(0, 1))
            assert await claiming == []
            await until(lambda: len(rooms.rig.model.asked) == 3)
            await rooms.switchboard.aclose()
            errors = [*await asyncio.gather(*waiting), await failure(line.ask(ask("later")))]
            assert {(error.kind, error.attempts) for error in errors} == {(ErrorKind.INTERRUPTED, 0)}
            assert {str(error) for error in errors} == {"the process that makes the calls is gone"}
            assert await line.claim(9, 9) == []
            assert (await failure(line.ahead(ask(), 0))).kind == ErrorKind.INTERRUPTED
            assert rooms.told == ["the process that makes the calls is gone"]

    run(body())


def test_an_answer_for_a_line_that_has_gone_disturbs_nobody(socket: Path) -> None:
    async def body() -> None:
        async with office(socket) as rooms:
            gone, other = rooms.line(), rooms.line()
            rooms.rig.model.hold = asyncio.Event()
            asking = asyncio.ensure_future(failure(gone.ask(ask("gone"))))
            await until(lambda: bool(rooms.rig.model.asked))
            await hang_up(gone)
            await asking
            await until(lambda: not rooms.switchboard._writers)
            rooms.rig.model.hold.set()
            assert (await other.ask(ask("gone"))).text == "q"

    run(body())


def test_a_process_that_is_killed_gives_its_places_back_and_its_calls_go_on(socket: Path) -> None:
    async def body() -> None:
        rig = Rig(window=4)
        hold = asyncio.Event()
        complete = rig.model.complete

        async def by_speed(request: Request) -> Response:
            if rig.model.text_of(request).startswith("slow"):
                await hold.wait()
            return await complete(request)

        rig.model.complete = by_speed  # type: ignore[method-assign]  # the one model of this test
        async with office(socket, rig) as rooms:
            command = [sys.executable, "-m", "tests.support.asker", str(socket)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                lines = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(3)]
                assert lines == ["[0, 1, 2, 3]", "quick", "ready"]
                process.send_signal(signal.SIGKILL)
                process.wait()
            await until(lambda: not rooms.switchboard._writers)
            line = rooms.line()
            assert await line.claim(10, 10) == [1, 2, 3]
            rest = asyncio.ensure_future(line.claim(10, 10))
            hold.set()
            for sample, place in (("0", 0), ("mine", None)):
                assert (await line.ask(ask(sample, f"slow {sample}", position=place))).text == f"slow {sample}"
            assert await rest == [4]
            assert sorted(rig.model.asked) == ["quick", "quick", "slow 0", "slow mine"]

    run(body())
