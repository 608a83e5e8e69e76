"""Notes the suites for which functions made cases, before ``--lf`` and node ids remove cases."""

from collections.abc import Generator

import pytest

from pytest_llmeval.bridge.casework.items import cases_in, suite_of
from pytest_llmeval.bridge.stages.earlier_selection import EarlierSelection
from pytest_llmeval.bridge.stages.tally import Tally

__all__ = ["MadeSuites"]


class MadeSuites:
    """The plugin object that notes them: no later hook sees what pytest leaves out while it collects."""

    def __init__(self, tally: Tally, earlier: EarlierSelection) -> None:
        self._tally = tally
        self._earlier = earlier

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Generator[None, object, object]:
        """Note the suites of a function's cases that ``-m`` selects."""
        made = yield
        found = self._tally.made
        for item, param in cases_in(made if isinstance(made, list) else ()):
            suite = suite_of(item, param)
            if suite not in found and self._earlier.is_meant(item):
                found[suite] = param.eval.suite
        return made
