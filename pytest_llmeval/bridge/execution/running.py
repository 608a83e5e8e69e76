"""Running cases in this process, hook by hook: their setup, their bodies, their reports."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.case_start import new_run, read_row
from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
from pytest_llmeval.bridge.casework.fixtures import put_failing_first
from pytest_llmeval.bridge.casework.items import RUN_KEY, CaseNow, param_of, run_of
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.casework.turns import begin_turn, end_turn
from pytest_llmeval.bridge.execution.ahead import ResponsesAhead
from pytest_llmeval.bridge.execution.alone import is_watching
from pytest_llmeval.bridge.execution.bodies import BodiesAhead
from pytest_llmeval.bridge.execution.body_functions import is_async
from pytest_llmeval.bridge.execution.cleaning import clean_live_logs, clean_subtest, clean_warning
from pytest_llmeval.bridge.execution.judgements_ahead import JudgementsAhead
from pytest_llmeval.bridge.execution.other_loops import tell_of_loops
from pytest_llmeval.bridge.execution.outcomes import PASSED_OVER_ATTRIBUTE, Reporter
from pytest_llmeval.bridge.execution.settling import check_missed_body, close_unbegun, settle, settle_late
from pytest_llmeval.bridge.execution.worker_ahead import AskedEarly
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.errors import CaseError
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Response
from pytest_llmeval.engine.line import Line
from pytest_llmeval.models.redaction import Redactor

__all__ = ["CaseRunner"]

_PATIENCE_S = 10.0
"""Seconds that a test waits for a prompt function that is being called ahead: it may never return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """The objects that work ahead of the turns of cases, made once it is known which items run."""

    responses: ResponsesAhead
    early: AskedEarly
    bodies: BodiesAhead

    def gathered(self, item: pytest.Item) -> CaseRun | None:
        """Return the ``CaseRun`` that a case whose turn has come got ahead of it; None if it got none."""
        return self.bodies.run_of(item) or self.early.run_of(item)


class CaseRunner:
    """The plugin object that runs cases; registered once a case is to run in this process."""

    def __init__(
        self,
        config: pytest.Config,
        runtime: Runtime,
        *,
        thresholds: Thresholds,
        max_connections: int,
        secrets: Iterable[str],
        line: Line | None,
        has_crashed: Callable[[], bool],
    ) -> None:
        """Prepare for the cases of this process.

        Args:
            config: of the session.
            runtime: through which the cases make calls.
            thresholds: the rules, which decide whether a miss fails its item.
            max_connections: the most requests in flight; twice as many bodies run ahead.
            secrets: values that no report may show.
            line: told of each case that begins, in case this worker dies in it; None elsewhere.
            has_crashed: returns whether another worker died.
        """
        self._runtime = runtime
        self._line = line
        self._has_crashed = has_crashed
        self._window = 2 * max_connections
        self._reporter = Reporter(thresholds, Redactor(secrets), leaves=is_worker(config))
        self._ahead: _Ahead | None = None
        self._is_begun = False
        """Whether the turn of the first case has come."""
        self._fault: CaseError | None = None
        """Error of reading the row of the case whose turn it is: the row is no longer what it was."""
        self._reported = ""
        """Node id of the case that was reported last."""
        self._patience_s = _PATIENCE_S

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Find the responses that can be requested ahead and the bodies that can run ahead."""
        clean_live_logs(session.config, self._reporter.safe)
        responses = ResponsesAhead(session.items, self._runtime, JudgementsAhead(self._runtime))
        early = AskedEarly(session, self._runtime, responses)
        bodies = BodiesAhead(
            session,
            self._runtime,
            place_of=responses.place_of,
            announce=self._announce_ahead,
            has_crashed=self._has_crashed,
            window=self._window,
        )
        self._ahead = _Ahead(responses=responses, early=early, bodies=bodies)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Say why ``response == "..."`` does not hold, whatever the answer is."""
        if op != "==" or {type(left), type(right)} != {Response, str}:
            return None
        return [f"{shown_value(left)} == {shown_value(right)}", "a Response equals no string: compare response.text"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """Make a recorded warning, which may quote an answer, safe before it is shown or sent to the controller."""
        clean_warning(warning_message, self._reporter.safe)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep prompt functions from being called ahead beside a test that could notice what they write.

        A test waits for a function that is being called now, but only for a while, and not at all once a function did
        not return in time: no timer of another plugin runs yet that would end the wait.
        """
        param, ahead = param_of(item), self._ahead
        is_alone = ahead is not None and ahead.responses.calls_prompts and is_watching(item)
        if param is not None and self._line is not None and ahead is not None:
            self._meet(item, param, ahead)  # now: this worker may die before the setup
        is_held = is_alone and self._runtime.alone.acquire(timeout=self._patience_s)
        if is_alone:
            self._patience_s = _PATIENCE_S if is_held else 0
        try:
            return (yield)
        finally:
            if is_held:
                self._runtime.alone.release()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Begin a case before anything can skip it, or take up the ``CaseRun`` that it got ahead of its turn.

        Nothing is asked ahead before the first case: other tests change the environment, the clock or sockets.
        """
        __tracebackhide__ = True
        param = param_of(item)
        if param is not None and self._ahead is not None:
            self._begin(item, param, self._ahead)
        return (yield)

    def _begin(self, item: pytest.Item, param: CaseParam, ahead: _Ahead) -> None:
        if not self._is_begun:
            self._is_begun = True
            ahead.responses.start()
            ahead.bodies.begin(item)
        run = run_of(item)
        if run is None or run.has_run:  # pytest-retry sets a case up again before reporting it
            run = self._meet(item, param, ahead)
        begin_turn(CaseNow(run, param, self._runtime))

    def _meet(self, item: pytest.Item, param: CaseParam, ahead: _Ahead) -> CaseRun:
        """Return the ``CaseRun`` of a case, the one from ahead of its turn if there is one."""
        started = ahead.gathered(item)
        run = item.stash[RUN_KEY] = started or new_run(item, param, self._runtime)
        self._fault = None
        if started is None:
            run.own.place = ahead.responses.place_of(item)
            try:
                read_row(run, param)
            except CaseError as error:
                self._fault = error
        if self._line is not None:
            run.start = run.dump_start()
            self._runtime.loop.run(self._line.begin(run.start, run.own.place))
        return run

    def _announce_ahead(self, run: CaseRun) -> None:
        if self._line is not None:
            self._runtime.loop.run(self._line.begin_ahead(run.dump_start()))

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_setup")
    def pytest_runtest_setup_within(self, item: pytest.Item) -> None:
        """Let the cases after ``item`` run and ask ahead; raise CaseError if the row of ``item`` has changed.

        By now the setup of other plugins has begun: what they tear down exists, and printed output is captured.
        """
        if self._ahead is None or run_of(item) is None:
            return
        put_failing_first(item)
        self._ahead.bodies.advance(item)
        self._ahead.early.advance()
        if self._fault is not None:
            raise self._fault

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Give up a body that ran ahead if its turn never came, and note whether the response was used."""
        if self._ahead is None:
            return
        self._ahead.bodies.forget(item)
        run = run_of(item)
        if run is not None:
            self._ahead.responses.note_end(item, run)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_teardown")
    def pytest_runtest_teardown_whole(self, item: pytest.Item) -> Generator[None, object, object]:
        """Settle the scores of fixtures in the teardown: they count like the body's, even if a fixture skips."""
        try:
            result = yield
        except pytest.skip.Exception:
            settle_late(run_of(item))
            raise
        finally:
            if (run := run_of(item)) is not None and run.raised is not None:
                close_unbegun(run)
        settle_late(run_of(item))
        return result

    def pytest_sessionfinish(self) -> None:
        """Ask for nothing more."""
        if self._ahead is not None:
            self._ahead.responses.stop()
            self._ahead.bodies.stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep the exception of a case's body: if a plugin tries a case again, pytest reports the first attempt."""
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
        """Settle the scores of a case once its whole body ran; an error in them counts before a miss of the body."""
        run = run_of(pyfuncitem)
        if run is not None:
            run.is_met = run.has_run = True
        try:
            result = yield
        except pytest.xfail.Exception:
            raise
        except (AssertionError, pytest.fail.Exception, BaseExceptionGroup) as miss:
            if run is not None:
                check_missed_body(pyfuncitem, run, miss)
            raise
        else:
            if run is not None:
                settle(run)
        finally:
            if run is not None:
                run.calls.note_left()
        return result

    @pytest.hookimpl(tryfirst=True, specname="pytest_pyfunc_call")
    def pytest_pyfunc_call_async(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run the body of an async eval, even if other async plugins are installed; leave other tests to pytest."""
        run = run_of(pyfuncitem)
        if run is None or self._ahead is None or not is_async(pyfuncitem):
            return None
        self._ahead.bodies.run(pyfuncitem, run)
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
            end_turn(run, self._runtime)
        self._reporter.after(item, run, error, report)
        self._reported = report.nodeid
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Make the texts of an eval's subtest safe before they are shown or leave this process."""
        if report.nodeid == self._reported:
            clean_subtest(report, self._reporter.safe)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_exception_interact(
        self, node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Let ``--pdb`` show the message of a miss that fails nothing: the passed report has no message."""
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
    """Keep pytest-retry from repeating a case whose miss fails nothing, by its own mark with a false condition."""
    if not item.config.pluginmanager.hasplugin("pytest-retry"):
        yield
        return
    mark = pytest.mark.flaky(condition=False).mark
    item.own_markers.insert(0, mark)
    try:
        yield
    finally:
        item.own_markers.remove(mark)
