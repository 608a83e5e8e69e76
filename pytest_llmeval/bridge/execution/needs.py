"""Which async bodies may run before their turn, and why others may not.

A body may if it uses only this plugin's fixtures and no other plugin that keeps state for each test. With fixtures of
the project it may once they are made, if they stay.
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
from pytest_llmeval.bridge.execution.plugin_state import keeping_plugin
from pytest_llmeval.bridge.workers import is_worker

__all__ = ["PURE", "SHARED", "BodyNeeds", "foreign_fixtures"]

PURE = "pure"
"""Need of a body that takes no fixture of the project."""
SHARED = "shared"
"""Need of a body whose fixtures of the project are all shared by several tests."""
_XUNIT = re.compile(r"_xunit_(\w+?)_fixture_")
"""Names of pytest's fixtures that call ``setup_method`` and the like."""


class BodyNeeds:
    """Reasons that keep async bodies in their turn: all of a session, those of one test, or of one function."""

    def __init__(self, session: pytest.Session) -> None:
        """Look through all items of the session."""
        config = session.config
        self._is_worker = is_worker(config)
        self._makers = makers_of_values(config)
        self._of_group: dict[object, str] = {}
        self._unused: Counter[object] = Counter()
        """Bodies of a group that were given up, less those used, among the started ones; at least 0."""
        self._alone: dict[pytest.Item, str] = {}
        """The tests that need the process for themselves, with the reason."""
        self.obstacle = "none is an async eval"
        """The reason that keeps every body in its turn; empty if none does."""
        if any(is_async(item) and param_of(item) is not None for item in session.items):
            self._alone = {item: why for item in session.items if (why := why_alone(item))}
            self.obstacle = _obstacle(config)

    def is_alone(self, item: pytest.Item) -> bool:
        """Whether a test needs the process for itself, so that no body may run beside it."""
        return item in self._alone

    def need(self, item: pytest.Item) -> str:
        """Return ``PURE`` or ``SHARED`` for a body that may run ahead, else why it must run in its turn."""
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
        """Whether ``need`` returns ``SHARED``; cases of a function known to share nothing are not examined singly."""
        return self._of_group.get(group_of(item), SHARED) == SHARED and self.need(item) == SHARED

    def why_in_turn(self, item: pytest.Item) -> str:
        """Return why a body was not run ahead, for the last lines of the output."""
        if self.obstacle:
            return self.obstacle
        need = self.need(item)
        pure = "not known in time under xdist" if self._is_worker else "first behind other tests"
        return {PURE: pure, SHARED: "first of its function"}.get(need, need)

    def note_used(self, item: pytest.Item) -> None:
        """Count a body that ran ahead and was used in its turn."""
        group = group_of(item)
        self._unused[group] = max(0, self._unused[group] - 1)

    def note_given_up(self, item: pytest.Item) -> None:
        """Count a body that was started in vain: a fixture skipped its case, say."""
        self._unused[group_of(item)] += 1


def _obstacle(config: pytest.Config) -> str:
    """Return the reason that keeps every body of a session in its turn; an empty string if none does."""
    if config.getoption("usepdb", False) or config.getoption("trace", False):  # whose plugins may be switched off
        return "--pdb"
    if config.getoption("capture", "") == "no":
        return "-s"
    if config.getoption("setupshow", False):
        return "--setup-show"
    if config.pluginmanager.hasplugin("TestmonCollect"):  # both attribute what runs in a test's turn to that test
        return "--testmon"
    return "--cov-context" if config.getoption("cov_context", None) else ""


def _need_of(item: pytest.Item) -> str:
    """Return ``PURE`` or ``SHARED`` if the bodies of a function may run ahead, else why they may not."""
    function = plain_function(body_of(item))
    taken = parameters_of(function)
    if "request" in taken:
        return "takes the fixture request"
    if told := seen(functools.partial(keeping_plugin, item.config), function):
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
    """Whether pytest-asyncio adds a fixture to each test for its event loop, on which no body of ours runs."""
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
