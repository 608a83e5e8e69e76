"""The classes that node ids do not name: evals in them are left out, and pytest does not look into them."""

from collections.abc import Generator

import pytest

from pytest_llmeval.bridge.casework.items import cases_in
from pytest_llmeval.bridge.collection.selection import mentions_us

__all__ = ["UnnamedClasses"]


class UnnamedClasses:
    """Has the cases made of such evals, as pytest does of the functions beside them; none becomes an item."""

    def __init__(self) -> None:
        self._met: dict[str, pytest.Class] = {}
        self._collected = set[str]()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note which classes there are, and which are looked into."""
        self._collected.add(collector.nodeid)
        report = yield
        self._met |= {node.nodeid: node for node in report.result or () if isinstance(node, pytest.Class)}
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look into the others where cases are to run, and into classes in these."""
        while any(cases_in(items)) and (unnamed := self._unnamed()):
            for node in unnamed:
                node.ihook.pytest_make_collect_report(collector=node)

    def _unnamed(self) -> list[pytest.Class]:
        left = [node for nodeid, node in self._met.items() if nodeid not in self._collected]
        return [node for node in left if mentions_us(node.path)]
