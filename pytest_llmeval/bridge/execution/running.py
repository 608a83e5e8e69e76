"""Running cases in this process: their setup, their bodies, their models."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

import pytest

from pytest_llmeval.bridge.casework.calls import Calls
from pytest_llmeval.bridge.casework.case_start import new_run, read_row
from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
from pytest_llmeval.bridge.casework.fixtures import put_lacking_first
from pytest_llmeval.bridge.casework.items import RUN_KEY, CaseNow, param_of, run_of
from pytest_llmeval.bridge.casework.raised import is_miss
from pytest_llmeval.bridge.casework.turns import begin_turn, end_turn
from pytest_llmeval.bridge.execution.ahead import ResponsesAhead
from pytest_llmeval.bridge.execution.alone import is_watching
from pytest_llmeval.bridge.execution.bodies import BodiesAhead
from pytest_llmeval.bridge.execution.body_functions import body_of, is_async
from pytest_llmeval.bridge.execution.cleaning import clean_live_logs, clean_subtest, clean_warning
from pytest_llmeval.bridge.execution.judgements_ahead import JudgementsAhead
from pytest_llmeval.bridge.execution.other_loops import tell_of_loops
from pytest_llmeval.bridge.execution.outcomes import PASSED_OVER_ATTRIBUTE, Reporter
from pytest_llmeval.bridge.execution.worker_ahead import AskedEarly
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.errors import CaseError, ErrorKind, ScorerError
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.types import Response, Sample
from pytest_llmeval.engine.line import Line
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.scorers import ScoreBook, explain
from pytest_llmeval.scorers.book import begun_of, recorded_twice

__all__ = ["CaseRunner"]

_PATIENCE_S = 10.0
"""A prompt function that was called ahead and is not back by then may never be: a test goes on beside it."""


class CaseRunner:
    """The plugin object that runs cases; registered once a case is to run in this process."""

    def __init__(
        self,
        config: pytest.Config,
        calls: Calls,
        *,
        thresholds: Thresholds,
        max_connections: int,
        secrets: Iterable[str],
        line: Line | None = None,
        has_crashed: Callable[[], bool],
    ) -> None:
        """Prepare for the cases of this process.

        Args:
            config: of the session.
            calls: how they get answers.
            thresholds: the rules, which decide whether a miss fails its item.
            max_connections: requests in flight at most; twice as many bodies run ahead.
            secrets: values that no report may show.
            line: told of each case that begins, should this worker die in it; None elsewhere.
            has_crashed: whether another worker died.
        """
        self.calls = calls
        self.bodies: BodiesAhead | None = None
        self._line = line
        self._has_crashed = has_crashed
        self._window = 2 * max_connections
        self._reporter = Reporter(thresholds, Redactor(secrets), leaves=is_worker(config))
        self._responses: ResponsesAhead | None = None
        self._fault: CaseError | None = None
        self._is_begun = False
        self._reported = ""
        self._patience_s = _PATIENCE_S

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Find what can be requested and run ahead."""
        clean_live_logs(session.config, self._reporter.safe)
        self._responses = ResponsesAhead(session.items, self.calls, JudgementsAhead(self.calls))
        self._early = AskedEarly(session, self.calls, self._responses)
        self.bodies = BodiesAhead(
            session,
            self.calls,
            place_of=self._responses.place_of,
            announce=self._announce_ahead,
            has_crashed=self._has_crashed,
            window=self._window,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """Have a warning, which may quote an answer, show no secret and drive no terminal, and reach the controller."""
        clean_warning(warning_message, self._reporter.safe)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Call no prompt function beside a test that could see what it writes, but for one that does not come back.

        It is waited for once: no timer of other plugins runs yet that would end the wait.
        """
        param, is_alone = param_of(item), is_watching(item)
        if param is not None and self._line is not None:  # now: this worker may die before the setup
            self._meet(item, param)
        is_held = is_alone and self.calls.alone.acquire(timeout=self._patience_s)
        if is_alone:
            self._patience_s = _PATIENCE_S if is_held else 0
        try:
            return (yield)
        finally:
            if is_held:
                self.calls.alone.release()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Begin a case before anything can skip it, or take up what was gathered ahead of its turn.

        Nothing is asked ahead before the first one: other tests change the environment, the clock or the sockets.
        """
        __tracebackhide__ = True
        param = param_of(item)
        if param is not None:
            self._begin(item, param)
        return (yield)

    def _begin(self, item: pytest.Item, param: CaseParam) -> None:
        if self._responses is None or self.bodies is None:
            return
        if not self._is_begun:
            self._is_begun = True
            self._responses.start()
            self.bodies.begin(item)
        run = run_of(item)
        if run is None or run.has_run:  # pytest-retry sets a case up anew before it reports of it
            run = self._meet(item, param)
        begin_turn(CaseNow(run, param, self.calls))

    def _meet(self, item: pytest.Item, param: CaseParam) -> CaseRun:
        """Return what is gathered of a case from now on, or was ahead of its turn."""
        assert self._responses is not None and self.bodies is not None
        started = self.bodies.run_of(item) or self._early.run_of(item)
        run = item.stash[RUN_KEY] = started or new_run(item, param, self.calls)
        self._fault = None
        if started is None:
            run.position = self._responses.place_of(item)
            try:
                read_row(run, param)
            except CaseError as error:
                self._fault = error
        if self._line is not None:
            run.start = run.dump_start()
            self.calls.loop.run(self._line.begin(run.start, run.position))
        return run

    def _announce_ahead(self, run: CaseRun) -> None:
        if self._line is not None:
            self.calls.loop.run(self._line.begin_ahead(run.dump_start()))

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_setup")
    def pytest_runtest_setup_within(self, item: pytest.Item) -> None:
        """Let the cases behind ``item`` run and ask ahead; raise CaseError where its row is no longer what it was.

        The setup of other plugins has begun by now: what they tear down is there, and what is printed is captured.
        """
        if self.bodies is None or run_of(item) is None:
            return
        put_lacking_first(item)
        self.bodies.advance(item)
        self._early.advance()
        if self._fault is not None:
            raise self._fault

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Forget a body that ran ahead of a turn which never came to it, and note what came of a response."""
        if self.bodies is not None:
            self.bodies.forget(item)
        run = run_of(item)
        if run and self._responses:
            self._responses.note_end(item, run)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_teardown")
    def pytest_runtest_teardown_whole(self, item: pytest.Item) -> Generator[None, object, object]:
        """Settle what fixtures scored behind the body: it counts as what the body scored, also where one skips."""
        try:
            result = yield
        except pytest.skip.Exception:
            _settle_late(run_of(item))
            raise
        finally:
            if (run := run_of(item)) is not None and run.raised is not None:
                _close_unbegun(run)
        _settle_late(run_of(item))
        return result

    def pytest_sessionfinish(self) -> None:
        """Ask for nothing more."""
        if self._responses is not None and self.bodies is not None:
            self._responses.stop()
            self.bodies.stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep what the body of a case comes to: of a case that is tried again, pytest reports the first attempt."""
        try:
            return (yield)
        except BaseException as error:
            run = run_of(item)
            if run is not None:
                run.raised = error
                tell_of_loops(item, error)
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Settle the scores of a case once its whole body ran; an error of theirs counts before a miss of the body."""
        run = run_of(pyfuncitem)
        if run is not None:
            run.is_met = run.has_run = True
        try:
            result = yield
        except pytest.xfail.Exception:
            raise
        except (AssertionError, pytest.fail.Exception, BaseExceptionGroup) as miss:
            if run is not None and _never_ran(miss):
                raise CaseError(_why_it_never_ran(pyfuncitem), kind=ErrorKind.CODE) from None
            broken = _broken(run) if run is not None and is_miss(miss) else None
            if broken is not None:
                raise broken from miss
            raise
        else:
            if run is not None:
                _settle(run)
        finally:
            if run is not None:
                run.note_left()
        return result

    @pytest.hookimpl(tryfirst=True, specname="pytest_pyfunc_call")
    def pytest_pyfunc_call_async(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run the body of an async eval, whatever other async plugins are there; leave every other test to pytest."""
        run = run_of(pyfuncitem)
        if run is None or not is_async(pyfuncitem):
            return None
        assert self.bodies is not None
        self.bodies.run(pyfuncitem, run)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Decide the outcome of a case, and put its record on the report of its teardown."""
        run = run_of(item)
        if run is None:
            return (yield)
        error = call.excinfo.value if call.excinfo is not None else None
        is_passed_over = call.when == "call" and self._reporter.passes_over(run, error)
        with self._reporter.by_last_frame(item, run, call), _untried(item) if is_passed_over else nullcontext():
            report = yield
        last = run_of(item)
        if last is not None and last is not run:
            run, error = last, last.raised
        if call.when == "teardown":
            end_turn(run, self.calls)
        self._reporter.after(item, run, error, report)
        self._reported = report.nodeid
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Make what names a subtest of an eval harmless before it is shown or leaves this process."""
        if report.nodeid == self._reported:
            clean_subtest(report, self._reporter.safe)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_exception_interact(
        self, node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Have ``--pdb`` show what a miss said that fails nothing, of which the report holds no word."""
        is_untold = hasattr(report, PASSED_OVER_ATTRIBUTE)
        if is_untold and call.excinfo is not None and node.config.getoption("usepdb", False):
            report.longrepr = self._reporter.safe(str(node.repr_failure(call.excinfo)))
        try:
            return (yield)
        finally:
            if is_untold:
                report.longrepr = None


@contextmanager
def _untried(item: pytest.Item) -> Iterator[None]:
    """Have pytest-retry try a case no more, whose miss fails nothing: the condition of its mark says so."""
    if not item.config.pluginmanager.hasplugin("pytest-retry"):
        yield
        return
    mark = pytest.mark.flaky(condition=False).mark
    item.own_markers.insert(0, mark)
    try:
        yield
    finally:
        item.own_markers.remove(mark)


def _never_ran(error: BaseException) -> bool:
    """Whether this is what pytest says of a coroutine that nobody awaits: no word of any answer."""
    return isinstance(error, pytest.fail.Exception) and str(error).startswith("async def functions are not natively")


def _why_it_never_ran(item: pytest.Function) -> str:
    told = "the body of this eval did not run: "
    if body_of(item) is None:
        return f"{told}its function, or a decorator around it, gave a coroutine and is not async; write async def"
    if item.get_closest_marker("trio") is not None and not item.config.pluginmanager.hasplugin("trio"):
        return f"{told}its mark trio leaves it to pytest-trio, which is not there; install it, or take the mark out"
    return f"{told}the plugin that it is left to (mark anyio or trio, argument anyio_backend) did not run it"


def _settle(run: CaseRun, *, is_late: bool = False) -> None:
    """Raise what the scores and calls of a whole body come to: an error, or a miss."""
    unawaited = _unawaited(run)
    broken = _broken(run) or unawaited  # what a gather raised leaves its others behind, which are not the fault
    if broken is not None:
        raise broken
    if is_late:
        _check_ended(run.book)
    if run.book.misses:
        _miss(run.sample, run.response, run.book)


def _unawaited(run: CaseRun) -> CaseError | None:
    """Return the error of an async call that a body, or a fixture, made and did not await; None where there is none."""
    unbegun = _close_unbegun(run)
    if run.forgotten:
        name, todo = f"score.{run.forgotten[0]}", "await it, or the task or asyncio.gather(...) that it is in"
    elif unbegun:
        name = unbegun[0]
        todo = f"write await {name}(...), or {name}_sync(...) where the test is not async"
    else:
        return None
    return CaseError(f"{name}(...) was not awaited: {todo}", kind=ErrorKind.CODE)


def _close_unbegun(run: CaseRun) -> list[str]:
    """Close the async calls that nobody began to await, of which Python would warn in another test; return the names.

    Of a model such a call is none; one that stands in a task may have been given up, as another answer came first.
    """
    made = {"score": begun_of(run.book), **run.asks}
    return [f"{word}.{name}" for word, calls in made.items() for name in calls.close_unbegun()]


def _settle_late(run: CaseRun | None) -> None:
    """Raise what the scores and calls come to that were made behind a body, whose own were settled with it."""
    if run is None or not run.has_run or isinstance(run.raised, pytest.xfail.Exception):
        return
    try:
        if run.raised is None:
            _settle(run, is_late=True)
        elif is_miss(run.raised) and (broken := _broken(run)) is not None:
            raise broken
    except (CaseError, pytest.fail.Exception) as error:
        run.late = error
        raise


def _check_ended(book: ScoreBook) -> None:
    """Raise where a call of a case that is to be recorded runs on, in a thread say: its score would not count."""
    for name in begun_of(book).left()[:1]:
        told = f"score.{name}(...) still ran when its test had ended: wait for the thread, task or future that it is in"
        raise CaseError(told, kind=ErrorKind.CODE)


def _miss(sample: Sample, response: Response | None, score: ScoreBook) -> NoReturn:
    """Raise the misses of a case. ``--pdb`` stops here, behind the end of the test, and finds what that had."""
    pytest.fail(explain(score.misses), pytrace=False)


def _broken(run: CaseRun) -> CaseError | None:
    """Return the error of a call, of a scorer that broke or of a name that came twice; None where there is none."""
    failure = None if run.outcome == "error" or run.is_only_left else run.trouble  # a subtest told of it
    if failure is not None and failure.kind in MONEY_KINDS:
        return failure
    if run.book.errors:
        first = run.book.errors[0]
        return ScorerError(f"scorer {first.name}: {first.reason}")
    return recorded_twice(run.book) or failure
