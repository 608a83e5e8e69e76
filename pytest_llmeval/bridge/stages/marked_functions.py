"""The functions with the marker ``llmeval``: those that were asked for get cases, the others are counted."""

from collections.abc import Callable, Generator, Iterable
from functools import partial

import pytest

from pytest_llmeval.bridge.casework.items import function_of, made_of, odd_place, param_of, suite_named
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.config.async_modes import drop_backend
from pytest_llmeval.bridge.stages.earlier_selection import EarlierSelection
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.stages.tally import Tally

__all__ = ["MarkedFunctions"]


class MarkedFunctions:
    """The plugin object that parametrizes marked functions as pytest collects them."""

    def __init__(self, selection: Selection, earlier: EarlierSelection, prepared: PreparedOnce, tally: Tally) -> None:
        self._selection = selection
        self._earlier = earlier
        self._prepared = prepared
        self._tally = tally
        self.met = set[str]()
        """Node ids of all marked functions found, whether they were asked for or not."""
        self.caseless = set[str]()
        """Node ids of functions that were asked for and have no case."""
        self.misplaced: dict[str, str] = {}
        """Problems of tests on which the marker can make no case, by node id."""
        self.names_only = False
        """Whether, for now, only the suites of functions are noted and no cases are made."""
        self._name: Callable[[object, str], str | None] | None = None

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, obj: object) -> None:
        """Remove what a mode of anyio added to an eval: its backend is not a parameter of an eval."""
        drop_backend(collector, obj)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        """Make the cases of a marked function that was asked for, before anybody adds parameter sets."""
        marker = metafunc.definition.get_closest_marker("llmeval")
        if marker is not None:
            self._generate(metafunc, marker)
        try:
            return (yield)
        finally:
            self._name = None

    def _generate(self, metafunc: pytest.Metafunc, marker: pytest.Mark) -> None:
        where = metafunc.definition.nodeid
        self.met.add(where)
        waits = self._waits(metafunc.definition)
        if waits or self.names_only:
            (self._tally.waiting_suites if waits else self._tally.unnamed).add(suite_named(marker, metafunc))
            return
        from pytest_llmeval.bridge.collection.parameter_sets import value_name

        prepared = self._prepared.get()
        if prepared is None or not prepared.maker.parametrize(metafunc, marker):
            self.caseless.add(where)
        if prepared is not None:
            self._name = partial(value_name, config=metafunc.config, where=where, problems=prepared.maker.problems)

    @pytest.hookimpl(trylast=True)
    def pytest_make_parametrize_id(self, val: object, argname: str) -> str | None:
        """Name a value of an eval's parameter set that pytest would name by position; leave other tests to pytest."""
        return self._name(val, argname) if self._name is not None else None

    def find_misplaced(self, items: Iterable[pytest.Item]) -> None:
        """Find marked tests among all items that can have no case, because pytest generates no tests from them."""
        for item in items:
            place = odd_place(item)
            if not place or function_of(item.nodeid) in self.met:
                continue
            if self._waits(item):
                self.met.add(function_of(item.nodeid))
            else:
                message = f"{item.nodeid}: marker llmeval needs a plain function or class, found {place}"
                self.misplaced[item.nodeid] = message

    def _waits(self, item: pytest.Item) -> bool:
        """Whether nobody asked for a marked function; if so, count it.

        With ``--resume`` the run's ``-m``, which is looked up first, may ask for it. If the environment or the ini file
        sets ``--resume``, the run is looked up only once an eval is found that may run: that costs imports.
        """
        if item.config.getoption("llmeval_resume") or not self._selection.waits(item):
            self._earlier.look_up()
        if not self._selection.waits(item):
            return False
        folder = None if self._selection.attack_waits(item) else self._selection.waits_in(item)
        self._tally.waiting[str(folder or "")] += 1
        return True

    def is_marked(self, item: pytest.Item) -> bool:
        """Whether an item, which is not a case, is the only one that pytest made of a known marked function."""
        return item.get_closest_marker("llmeval") is not None and made_of(item) in self.met

    def problems_of(self, items: Iterable[pytest.Item]) -> list[str]:
        """Return the problems of those ``items`` on which the marker can make no case."""
        found = self.misplaced
        return [found[item.nodeid] for item in items if item.nodeid in found] if found else []

    def caseless_among(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Return those ``items`` that stand for a function that was asked for and has no case."""
        return [item for item in items if self.is_caseless(item)] if self.caseless or self.misplaced else []

    def is_caseless(self, item: pytest.Item) -> bool:
        """Whether ``item`` stands for a function that was asked for and has no case."""
        return param_of(item) is None and (made_of(item) in self.caseless or item.nodeid in self.misplaced)
