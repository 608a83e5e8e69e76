"""The suites that functions make cases of, noted before ``--lf`` and node ids take theirs out of those."""

from collections.abc import Generator
from typing import Protocol

import pytest

from pytest_llmeval.bridge.casework.items import cases_in, suite_of
from pytest_llmeval.bridge.collection.tally import Tally

__all__ = ["MadeSuites"]


class _Counting(Protocol):
    tally: Tally

    def is_meant(self, item: pytest.Item) -> bool:
        """Whether ``-m`` asks for a case."""


class MadeSuites:
    """Has them counted: of what pytest leaves out as it collects, whole parameter sets too, nobody is shown a case."""

    def __init__(self, conductor: _Counting) -> None:
        self._conductor = conductor

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Generator[None, object, object]:
        """Note the suites of a function's cases, ``-m`` applied."""
        made = yield
        found: dict[str, str] = self._conductor.tally.made
        for item, param in cases_in(made if isinstance(made, list) else ()):
            suite = suite_of(item, param)
            if suite not in found and self._conductor.is_meant(item):
                found[suite] = param.eval.suite
        return made
