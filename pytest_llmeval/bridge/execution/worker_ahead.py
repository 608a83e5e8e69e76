"""Responses that an xdist worker requests a few cases early, so that the way to the engine costs no time."""

import pytest

from pytest_llmeval.bridge.casework.case_start import new_run, read_row
from pytest_llmeval.bridge.casework.cases import PROMPT_FAULTS, CaseRun
from pytest_llmeval.bridge.casework.handles import CaseModel
from pytest_llmeval.bridge.casework.items import param_of
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.execution.ahead import ResponsesAhead
from pytest_llmeval.bridge.execution.body_functions import is_async
from pytest_llmeval.bridge.execution.output import OUTPUT, CaseOutput
from pytest_llmeval.bridge.workers import is_worker, upcoming

__all__ = ["AskedEarly"]

_DEPTH = 8


class AskedEarly:
    """Begins the next cases of a worker and requests their responses; without xdist it does nothing."""

    def __init__(self, session: pytest.Session, runtime: Runtime, responses: ResponsesAhead) -> None:
        self._session = session
        self._runtime = runtime
        self._responses = responses
        self._begun: dict[pytest.Item, tuple[CaseRun, CaseOutput]] = {}
        self._is_worker = is_worker(session.config)

    def run_of(self, item: pytest.Item) -> CaseRun | None:
        """Return the ``CaseRun`` of a case that was begun early, in its turn; None if it was not."""
        run, output = self._begun.pop(item, (None, None))
        if output is not None:
            output.put_on(item)
        return run

    def advance(self) -> None:
        """Request the responses of the next cases."""
        if not self._is_worker or len(self._begun) > _DEPTH // 2:
            return
        for item in upcoming(self._session, _DEPTH):
            is_wanted = self._responses.place_of(item) is not None and self._responses.is_used(item)
            if is_wanted and item not in self._begun and not is_async(item):
                self._begin(item)

    def _begin(self, item: pytest.Item) -> None:
        param = param_of(item)
        assert param is not None
        run = new_run(item, param, self._runtime)
        run.own.place = self._responses.place_of(item)
        output = CaseOutput()
        token = OUTPUT.set(output)
        try:
            read_row(run, param)
            model = CaseModel(param.model, self._runtime, eval_=param.eval, run=run)
            run.own.reply = model.respond_early()
        except PROMPT_FAULTS:
            return  # raised again in its turn
        finally:
            OUTPUT.reset(token)
        self._begun[item] = (run, output)
