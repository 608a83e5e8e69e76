"""Running cases in this process: their setup, their bodies, their models."""

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

from pytest_llmeval.bridge.cases import CaseParam, CaseRun
from pytest_llmeval.bridge.handles import CaseModel
from pytest_llmeval.bridge.items import RUN_KEY, param_of, run_of, suite_of
from pytest_llmeval.bridge.outcomes import Reporter
from pytest_llmeval.core.errors import CaseError, DatasetError, ErrorKind, ScorerError
from pytest_llmeval.core.loop import LoopThread
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.types import Backend, CaseKey, Sample
from pytest_llmeval.scorers import ScoreBook, explain
from pytest_llmeval.store.records import utc_now

__all__ = ["AsyncBodies", "CaseRunner", "model_for"]

RUNNER_KEY = pytest.StashKey["CaseRunner"]()


class CaseRunner:
    """The plugin object that runs cases; registered once a case is to run in this process."""

    def __init__(
        self, config: pytest.Config, *, open_model: Callable[[str], Backend], thresholds: Thresholds | None
    ) -> None:
        """Prepare for the cases of this process.

        Args:
            config: of the session.
            open_model: returns the backend of a model's name; called once for each.
            thresholds: the rules, which decide whether a miss fails its item; None for none.
        """
        self.loop = LoopThread()
        self.open_model = open_model
        self._backends: dict[str, Backend] = {}
        self._reporter = Reporter(thresholds)
        config.stash[RUNNER_KEY] = self

    def backend(self, name: str) -> Backend:
        """Return the backend of a model, opened on first use."""
        if name not in self._backends:
            self._backends[name] = self.open_model(name)
        return self._backends[name]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Read the row of a case again before its fixtures are made."""
        param = param_of(item)
        if param is None:
            return
        key = CaseKey(
            nodeid=item.nodeid,
            suite=suite_of(item, param),
            sample_id=param.sample_id,
            model=param.model,
            epoch=param.epoch,
        )
        item.stash[RUN_KEY] = CaseRun(key=key, sample=_no_sample(param), book=ScoreBook(), started_at=utc_now())
        item.stash[RUN_KEY].sample = _read(param)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Settle the scores of a case once its whole body ran."""
        result = yield
        run = run_of(pyfuncitem)
        if run is not None:
            _settle(run.book)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Decide the outcome of a case, and put its record on the report of its teardown."""
        run = run_of(item)
        if run is not None:
            self._reporter.before(item, run, call)
        report = yield
        if run is not None:
            self._reporter.after(item, run, call, report)
        return report

    def pytest_unconfigure(self) -> None:
        """Close the models and end the loop."""
        for backend in self._backends.values():
            self.loop.run(backend.aclose())
        self.loop.close()


class AsyncBodies:
    """Runs the coroutine functions among the evals, whatever other async plugins are there."""

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run the body of an async eval; leave every other test to pytest."""
        if run_of(pyfuncitem) is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        if "anyio_backend" in pyfuncitem.funcargs:
            return None
        self._loop.run(pyfuncitem.obj(**_arguments(pyfuncitem)))
        return True


def model_for(config: pytest.Config, run: CaseRun, param: CaseParam) -> CaseModel:
    """Return the model under test, bound to a case."""
    runner = config.stash[RUNNER_KEY]
    return CaseModel(runner.backend(param.model), eval_=param.eval, run=run, loop=runner.loop)


def _no_sample(param: CaseParam) -> Sample:
    return Sample(id=param.sample_id, input=None)


def _read(param: CaseParam) -> Sample:
    try:
        return param.eval.dataset.read(param.ref)
    except DatasetError as error:
        raise CaseError(str(error), kind=ErrorKind.CODE) from None


def _arguments(item: pytest.Function) -> Mapping[str, Any]:
    names = inspect.signature(item.obj).parameters
    return {name: item.funcargs[name] for name in names if name in item.funcargs}


def _settle(book: ScoreBook) -> None:
    """Raise what the scores of a whole body come to: an error where a scorer broke, else a miss."""
    if book.errors:
        first = book.errors[0]
        raise ScorerError(f"scorer {first.name}: {first.reason}")
    if book.misses:
        pytest.fail(explain(book.misses), pytrace=False)
