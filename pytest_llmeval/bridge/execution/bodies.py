"""Bodies of async evals that run before their turn, many at a time.

A body may run ahead if pytest's order cannot be seen from it: it uses this plugin's fixtures, and fixtures of the
project with scope module, package or session that are set up already. All others run in their turn. Bodies after a test
that needs the process for itself start when that test has ended.
"""

import asyncio
import concurrent.futures
import contextvars
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.case_start import new_run, read_row
from pytest_llmeval.bridge.casework.cases import AHEAD, CaseRun, given_up
from pytest_llmeval.bridge.casework.fixtures import judge_of, uses
from pytest_llmeval.bridge.casework.handles import CaseModel
from pytest_llmeval.bridge.casework.items import CURRENT, CaseNow, param_of
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.execution.body_functions import Body, arguments_of, body_of, is_async
from pytest_llmeval.bridge.execution.case_parameters import group_of, own_parameters
from pytest_llmeval.bridge.execution.needs import PURE, SHARED, BodyNeeds
from pytest_llmeval.bridge.execution.output import OUTPUT, CaseOutput, keep_apart
from pytest_llmeval.bridge.execution.shared_fixtures import SharedFixtures
from pytest_llmeval.bridge.workers import is_worker, upcoming
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CaseError
from pytest_llmeval.scorers.book import begun_of

__all__ = ["BodiesAhead"]

_CRASHED = "a worker died"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """A body that was started before its turn."""

    run: CaseRun
    result: "concurrent.futures.Future[BaseException | None]"
    """Future of what ``_carried`` returns."""
    output: CaseOutput


class BodiesAhead:
    """Starts the bodies of the next cases, and hands out their results when their turn comes."""

    def __init__(
        self,
        session: pytest.Session,
        runtime: Runtime,
        *,
        place_of: Callable[[pytest.Item], int | None],
        announce: Callable[[CaseRun], object],
        has_crashed: Callable[[], bool],
        window: int,
    ) -> None:
        """Find out whether anything keeps all bodies in their turn.

        Args:
            session: whose items run.
            runtime: has the event loop of the bodies, and answers their calls.
            place_of: returns the place of a case among those whose responses are requested ahead.
            announce: told of each case whose body is about to start.
            has_crashed: returns whether another process of the session died.
            window: the most bodies that are started and whose turn has not come.
        """
        self._session = session
        self._runtime = runtime
        self._place_of = place_of
        self._announce = announce
        self._has_crashed = has_crashed
        self._window = window
        self._started: dict[pytest.Item, _Body] = {}
        self._met: set[pytest.Item] = set()
        """The items whose turn has come: another plugin's run loop may use an order other than that of the session."""
        self._index = -1
        """Index of the item whose turn it is, in a process that is not a worker."""
        self._needs = BodyNeeds(session)
        if not self._needs.obstacle and not keep_apart(session.config):
            self._needs.obstacle = "output cannot be kept apart"
        self._shared = SharedFixtures(session.items if not self._needs.obstacle else ())

    def run_of(self, item: pytest.Item) -> CaseRun | None:
        """Return the ``CaseRun`` of a body that was started ahead, in its case's turn; None if none was."""
        body = self._started.get(item)
        return body.run if body is not None else None

    def begin(self, item: pytest.Item) -> None:
        """Start bodies from ``item`` on: it is the first case whose turn has come."""
        self._index = self._session.items.index(item) - 1
        self.advance()

    def advance(self, item: pytest.Item | None = None) -> None:
        """Start bodies after ``item``, whose turn it is; with None, from the first item on.

        Once a worker has died, none are started: one of the bodies may have ended it, and may end the next worker that
        gets it.
        """
        if item is not None:
            self._met.add(item)
        if self._needs.obstacle or (item is not None and self._needs.is_alone(item)):
            return
        group = group_of(item) if item is not None else None
        # Only if this function's fixtures are shared: comparing the groups of a whole window takes time.
        is_open = item is not None and self._shared.is_group(group) and self._needs.shares(item)
        behind = self._upcoming(item)
        if self._has_crashed():  # asked after the queue: a crash is noted before its items are dealt anew
            self._needs.obstacle = _CRASHED
            return
        for other in behind:
            if len(self._started) >= self._window or self._needs.is_alone(other):
                break
            is_open = is_open and group_of(other) == group
            if other in self._started or other in self._met or not is_async(other) or param_of(other) is None:
                continue
            need = self._needs.need(other)
            values = self._shared.values_for(other, is_open=is_open) if need == SHARED else {}
            if values is not None and need in (PURE, SHARED):
                self._start(other, values)

    def run(self, item: pytest.Function, run: CaseRun) -> None:
        """Run the body of the case whose turn it is to its end, and raise what it raises."""
        self._shared.take(item)
        body = self._started.get(item)
        if body is None:
            run.turn = self._needs.why_in_turn(item)
            function = body_of(item)
            assert function is not None
            result = self._runtime.bodies.submit(
                _carried(functools.partial(function, **arguments_of(function, item.funcargs)), run)
            )
        else:
            result = body.result
        self.advance(item)  # after this one, whose own calls go first
        start = now()
        try:
            raised = _waited_for(result)
            if raised is not None:
                raise raised
        except BaseException as error:
            if isinstance(error, pytest.fail.Exception) and not result.done():  # a time limit ended the wait
                self._tell_of_holder(item, error)
            result.cancel()
            raise
        finally:
            if body is not None:
                del self._started[item]
                self._needs.note_used(item)
                run.waited.seconds += now() - start
                body.output.put_on(item)

    def _tell_of_holder(self, item: pytest.Item, error: BaseException) -> None:
        """Add to a time limit's error the name of the other body that blocks the event loop of both."""
        name = self._runtime.bodies.blocked_by()
        if name in {other.nodeid for other in self._started if other is not item}:
            error.add_note(f"{name} holds the event loop of all bodies: await asyncio.to_thread(...) for what blocks")

    def forget(self, item: pytest.Item) -> None:
        """Give up the body of a case that ends without running it in its turn."""
        self._met.add(item)  # a hook may have skipped it before its setup
        body = self._started.pop(item, None)
        if body is not None:
            body.result.cancel()
            self._needs.note_given_up(item)

    def stop(self) -> None:
        """Give up all bodies whose turn did not come."""
        for body in self._started.values():
            body.result.cancel()
        self._started.clear()

    def _upcoming(self, item: pytest.Item | None) -> Sequence[pytest.Item]:
        items = self._session.items
        if is_worker(self._session.config):
            return upcoming(self._session, self._window)
        if item is not None:
            self._index = _place_of(item, items, max(self._index, 0))
        return items[self._index + 1 : self._index + 1 + self._window]

    def _start(self, item: pytest.Item, shared: Mapping[str, Any]) -> None:
        param = param_of(item)
        assert param is not None and isinstance(item, pytest.Function)
        run, output = new_run(item, param, self._runtime), CaseOutput()
        try:
            read_row(run, param)
        except CaseError:
            return  # raised again in its turn
        run.turn, run.own.place = AHEAD, self._place_of(item)
        self._announce(run)
        if uses(item, "response"):
            run.own.reply = concurrent.futures.Future()
        run.model = model = CaseModel(param.model, self._runtime, eval_=param.eval, run=run)
        ours = _fixture_values(run, model, judge_of(run, param, self._runtime))
        values = {**ours, **shared, **own_parameters(item)}
        context = contextvars.copy_context()
        context.run(OUTPUT.set, output)
        context.run(CURRENT.set, CaseNow(run, param, self._runtime))
        function = body_of(item)  # now: by its turn another plugin may have replaced it
        assert function is not None
        result = self._runtime.bodies.submit(
            _within(context, functools.partial(_body, function, values, model, run), run, item.nodeid)
        )
        if (reply := run.own.reply) is not None:
            # If the loop ends before the body begins, nothing else tells its case.
            result.add_done_callback(lambda _: reply.cancel())
        self._started[item] = _Body(run=run, result=result, output=output)


def _place_of(item: pytest.Item, items: Sequence[pytest.Item], start: int) -> int:
    """Return the index of an item, searching from ``start`` first: items usually run in their order."""
    try:
        return items.index(item, start)
    except ValueError:
        return items.index(item)


def _waited_for(result: "concurrent.futures.Future[BaseException | None]") -> BaseException | None:
    """Wait for a body to end and return what it raised; raise CaseError if it was cancelled."""
    try:
        return result.result()
    except concurrent.futures.CancelledError:
        raise given_up() from None


async def _within(context: contextvars.Context, body: Body, run: CaseRun, name: str) -> BaseException | None:
    return await asyncio.get_running_loop().create_task(_carried(body, run), name=name, context=context)


async def _carried(body: Body, run: CaseRun) -> BaseException | None:
    """Run a body and return the exception that it raises; raise only if the body itself is cancelled.

    Raised here, SystemExit would end the loop of all bodies, and asyncio would replace a TimeoutError or CancelledError
    by one without a traceback. The coroutine is made here as well: if one were given up before it began, Python would
    warn that it was never awaited. The calls that the body leaves in tasks are noted before those tasks go on.
    """
    run.task, process, status = asyncio.current_task(), os.getpid(), 1
    try:
        await body()
        status, run.forgotten = 0, begun_of(run.book).in_tasks()
    except BaseException as raised:
        if isinstance(raised, asyncio.CancelledError) and run.task is not None and run.task.cancelling():
            raise
        status = 0 if isinstance(raised, SystemExit) and not raised.code else 1
        return raised
    finally:
        if os.getpid() != process:  # a child that the body forked: it would run everything else on this loop
            os._exit(status)
    return None


async def _body(function: Body, values: dict[str, Any], model: CaseModel, run: CaseRun) -> None:
    """Run a body; first wait for the answer that it takes as a fixture, if it takes one."""
    if run.own.reply is not None:
        response = await model.respond_ahead()
        values = {"response": response, "llmeval_response": response, **values}
    await function(**arguments_of(function, values))


def _fixture_values(run: CaseRun, model: CaseModel, judge: CaseModel | None) -> dict[str, Any]:
    """Return the values of this plugin's fixtures for a case, by both of their names; ``response`` is not included."""
    values = {"sample": run.sample, "model": model, "judge": judge, "score": run.book}
    return {f"{prefix}{name}": value for name, value in values.items() for prefix in ("", "llmeval_")}
