"""Which async bodies may run before their turn, and why others may not.

A body may where it uses this plugin's fixtures alone and speaks to no other plugin that keeps something for each test;
with fixtures of the project it may once these are made, if they stay.
"""

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture, is_ours
from pytest_llmeval.bridge.casework.items import param_of
from pytest_llmeval.bridge.execution.ahead import MOST_UNUSED, may_not_run
from pytest_llmeval.bridge.execution.alone import why_alone
from pytest_llmeval.bridge.execution.body_functions import (
    body_of,
    is_async,
    is_made_async,
    parameters_of,
    plain_function,
)
from pytest_llmeval.bridge.execution.case_parameters import group_of, is_own_parameter, late_parameter, makers_of_values
from pytest_llmeval.bridge.execution.dormant import needed_fixtures
from pytest_llmeval.bridge.execution.own_code import seen
from pytest_llmeval.bridge.execution.plugin_state import told_plugin
from pytest_llmeval.bridge.workers import is_worker

__all__ = ["PURE", "SHARED", "BodyNeeds", "foreign_fixtures"]

PURE = "pure"
"""Of a body that needs no fixture of the project."""
SHARED = "shared"
"""Of one that needs only such fixtures as several tests share."""
_XUNIT = re.compile(r"_xunit_(\w+?)_fixture_")
"""The names of pytest's fixtures that call ``setup_method`` and the like."""


class BodyNeeds:
    """What keeps the async bodies of a session in their turn: all of them, those of one test, or of one function."""

    def __init__(self, session: pytest.Session) -> None:
        """Look through all items of the session."""
        config = session.config
        self._is_worker = is_worker(config)
        self._makers = makers_of_values(config)
        self._of_group: dict[object, str] = {}
        self._unused: Counter[object] = Counter()
        """How many more bodies of a group were given up than looked at, of those that were started."""
        self._alone: dict[pytest.Item, str] = {}
        """The tests that have the process for themselves, with the reason."""
        self.obstacle = "none is an async eval"
        """What keeps every body in its turn; empty where nothing does."""
        if any(is_async(item) and param_of(item) is not None for item in session.items):
            self._alone = {item: why for item in session.items if (why := why_alone(item))}
            self.obstacle = _obstacle(config)

    def is_alone(self, item: pytest.Item) -> bool:
        """Whether a test has the process for itself, so that no body may run beside it."""
        return item in self._alone

    def need(self, item: pytest.Item) -> str:
        """Return ``PURE`` or ``SHARED`` for what may run ahead, else why a body must run in its turn."""
        if may_not_run(item):
            return "a mark may skip it"
        if item in self._alone:
            return self._alone[item]
        if late := late_parameter(item, self._makers):
            return f"parameter {late!r} is made for each test"
        group = group_of(item)
        if self._unused[group] >= MOST_UNUSED:
            return "others of its function were skipped"
        if group not in self._of_group:
            self._of_group[group] = _need_of(item)
        return self._of_group[group]

    def shares(self, item: pytest.Item) -> bool:
        """Whether ``need`` returns ``SHARED``; of a function known to share nothing, no case is looked at for that."""
        return self._of_group.get(group_of(item), SHARED) == SHARED and self.need(item) == SHARED

    def why_in_turn(self, item: pytest.Item) -> str:
        """Return why a body was not run ahead, for the last lines."""
        if self.obstacle:
            return self.obstacle
        need = self.need(item)
        pure = "not known in time under xdist" if self._is_worker else "first behind other tests"
        return {PURE: pure, SHARED: "first of its function"}.get(need, need)

    def note_used(self, item: pytest.Item) -> None:
        """Count a body that ran ahead and was looked at in its turn."""
        group = group_of(item)
        self._unused[group] = max(0, self._unused[group] - 1)

    def note_given_up(self, item: pytest.Item) -> None:
        """Count a body that was started for nothing: a fixture skipped its case, say."""
        self._unused[group_of(item)] += 1


def _obstacle(config: pytest.Config) -> str:
    """Return what keeps every body of a session in its turn; an empty text where nothing does."""
    if config.getoption("usepdb", False) or config.getoption("trace", False):  # whose plugins may be switched off
        return "--pdb"
    if config.getoption("capture", "") == "no":
        return "-s"
    if config.getoption("setupshow", False):
        return "--setup-show"
    if config.pluginmanager.hasplugin("TestmonCollect"):  # both note what runs in the turn of a test as of that test
        return "--testmon"
    return "--cov-context" if config.getoption("cov_context", None) else ""


def _need_of(item: pytest.Item) -> str:
    """Return ``PURE`` or ``SHARED`` where the bodies of a function may run ahead, else why they may not."""
    function = plain_function(body_of(item))
    taken = parameters_of(function)
    if "request" in taken:
        return "takes the fixture request"
    if told := seen(functools.partial(told_plugin, item.config), function):
        return told
    is_shared = False
    for name, chosen in foreign_fixtures(item):
        if chosen is None:
            return f"fixture {name!r} is made by hand"
        why = _why_not_shared(name, chosen)
        if why:
            return why
        is_shared = True
    return SHARED if is_shared else PURE


def foreign_fixtures(item: pytest.Item) -> Iterator[tuple[str, "pytest.FixtureDef[Any] | None"]]:
    """Yield the fixtures of a test that are not this plugin's and that its body may depend on."""
    taken = parameters_of(plain_function(body_of(item)))
    for name in needed_fixtures(item):
        chosen = chosen_fixture(item, name)
        if name == "request" or is_own_parameter(item, name) or is_ours(item, name):
            continue
        if chosen is None or name in taken or not _is_asyncios(chosen):
            yield name, chosen


def _is_asyncios(definition: Any) -> bool:
    """Whether pytest-asyncio gives a fixture to each test, for an event loop on which no body of ours runs."""
    name: str = definition.argname
    if definition.func.__module__ != "pytest_asyncio.plugin":
        return False
    return name == "event_loop_policy" or name.endswith("_scoped_runner")


def _why_not_shared(name: str, definition: Any) -> str:
    function: Callable[..., Any] = definition.func
    if definition.scope in ("function", "class"):
        xunit, each = _XUNIT.match(name), "test" if definition.scope == "function" else "class"
        return f"{xunit[1]} runs for each {each}" if xunit else f"fixture {name!r} is made for each {each}"
    if is_made_async(function):
        return f"fixture {name!r} is async"
    return ""
