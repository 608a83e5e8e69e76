"""Classes next to those that node ids name: pytest does not look into them, so their evals are left out."""

import warnings
from collections.abc import Generator, Iterator

import pytest

from pytest_llmeval.bridge.casework.items import cases_in
from pytest_llmeval.bridge.collection.eval_modules import mentions_us
from pytest_llmeval.bridge.stages.marked_functions import MarkedFunctions

__all__ = ["UnnamedClasses"]


class UnnamedClasses:
    """The plugin object that has such evals counted, as they make the run partial; no item is made, no dataset read."""

    def __init__(self, functions: MarkedFunctions) -> None:
        self._functions = functions
        self._met: dict[str, pytest.Class] = {}
        self._collected = set[str]()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note which classes there are, and which of them are collected."""
        self._collected.add(collector.nodeid)
        report = yield
        self._met |= {node.nodeid: node for node in report.result or () if isinstance(node, pytest.Class)}
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look into the other classes, and those within them, if cases are to run."""
        paths = {item.path for item, _ in cases_in(items)}
        self._functions.names_only = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes that nobody asked for
            while paths and (unnamed := list(self._unnamed())):
                for node in unnamed:
                    if node.path in paths or mentions_us(node.path):
                        node.ihook.pytest_make_collect_report(collector=node)
                    self._collected.add(node.nodeid)
        self._functions.names_only = False

    def _unnamed(self) -> Iterator[pytest.Class]:
        return (node for nodeid, node in self._met.items() if nodeid not in self._collected)
