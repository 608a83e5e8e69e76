"""What a body needs of pytest's order: nothing, fixtures that stay, or its turn.

Nothing is needed where it uses this plugin's fixtures alone, and tells no other plugin of its test.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture, is_ours
from pytest_llmeval.bridge.casework.items import PARAM
from pytest_llmeval.bridge.execution.body_functions import body_of, is_made_async, parameters_of, plain_function
from pytest_llmeval.bridge.execution.dormant import needed_fixtures
from pytest_llmeval.bridge.execution.own_code import seen
from pytest_llmeval.bridge.execution.plugin_state import told_plugin

__all__ = [
    "PURE",
    "SHARED",
    "group_of",
    "lasting_fixtures",
    "late_parameter",
    "makers_of_values",
    "need_of",
    "own_parameters",
    "remade_fixtures",
]

PURE = "pure"
SHARED = "shared"
_XUNIT = re.compile(r"_xunit_(\w+?)_fixture_")
"""The names of pytest's fixtures that call ``setup_method`` and the like."""


def need_of(item: pytest.Item) -> str:
    """Return whether the bodies of a function need nothing, fixtures that stay, or their turn, and then why."""
    function = plain_function(body_of(item))
    taken = parameters_of(function)
    if "request" in taken:
        return "takes the fixture request"
    if told := seen(functools.partial(told_plugin, item.config), function):
        return told
    is_shared = False
    for name, chosen in _foreign(item):
        if chosen is None:
            return f"fixture {name!r} is made by hand"
        why = _why_not_shared(name, chosen)
        if why:
            return why
        is_shared = True
    return SHARED if is_shared else PURE


def _foreign(item: pytest.Item) -> Iterator[tuple[str, "pytest.FixtureDef[Any] | None"]]:
    """Yield the fixtures of a test that are not this plugin's, of which a body may see something."""
    taken = parameters_of(plain_function(body_of(item)))
    for name in needed_fixtures(item):
        chosen = chosen_fixture(item, name)
        if name == "request" or _is_parameter(item, name) or is_ours(item, name):
            continue
        if chosen is None or name in taken or not _is_asyncios(chosen):
            yield name, chosen


def lasting_fixtures(item: pytest.Item) -> "Mapping[str, pytest.FixtureDef[Any]] | None":
    """Return what a test gets that is not this plugin's, if all of it stays from when it is made to the session's end.

    None where something of it does not, or has parameters: a value for another one takes its place.
    """
    found = {name: chosen for name, chosen in _foreign(item) if chosen is not None}
    lasts = all(chosen.scope == "session" and chosen.params is None for chosen in found.values())
    return found if lasts else None


def remade_fixtures(items: Iterable[pytest.Item]) -> set[str]:
    """Return the names of fixtures that tests among ``items`` parametrize: they are made again in between."""
    params = ((item, getattr(item, "callspec").params) for item in items if hasattr(item, "callspec"))  # noqa: B009
    return {name for item, each in params for name in each if name != PARAM and not _is_parameter(item, name)}


def _is_parameter(item: pytest.Item, name: str) -> bool:
    """Whether ``parametrize`` gives each case a value of its own, of which nothing is made that outlives the case.

    A fixture of pytest that calls ``setup_method`` or ``setup_function`` is of the same module, and no parameter.
    """
    callspec, definition = getattr(item, "callspec", None), chosen_fixture(item, name)
    if callspec is None or name not in callspec.params or definition is None:
        return False
    return bool(definition.scope == "function" and definition.func.__module__ == "_pytest.python")


def _is_asyncios(definition: Any) -> bool:
    """Whether a fixture is one that pytest-asyncio gives to each test, for a loop on which no body of ours runs."""
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


def own_parameters(item: pytest.Item) -> dict[str, Any]:
    """Return what ``parametrize`` gives to this case alone, by name."""
    params = getattr(item, "callspec").params  # noqa: B009 - a case has one
    return {name: value for name, value in params.items() if _is_parameter(item, name)}


def makers_of_values(config: pytest.Config) -> frozenset[str]:
    """Return the packages of plugins that take part when a fixture's value is made, by ``pytest_fixture_setup``."""
    plugins = (each.plugin for each in config.pluginmanager.hook.pytest_fixture_setup.get_hookimpls())
    modules = (plugin if isinstance(plugin, ModuleType) else type(plugin) for plugin in plugins)
    names = (getattr(each, "__module__" if isinstance(each, type) else "__name__") for each in modules)
    return frozenset(str(name).partition(".")[0] for name in names) - {"_pytest"}


def late_parameter(item: pytest.Item, makers: frozenset[str]) -> str:
    """Return the name of a parameter of a case of which a plugin makes something else once the case is set up.

    As pytest-lazy-fixtures does: ``parametrize`` is given objects that stand for fixtures. Empty where there is none.
    """
    given = own_parameters(item) if makers else {}
    return next((name for name, value in given.items() if _is_of(value, makers)), "")


def _is_of(value: Any, packages: frozenset[str]) -> bool:
    if type(value) is dict:
        return any(_is_of(each, packages) for pair in value.items() for each in pair)
    if type(value) in (list, set, tuple):
        return any(_is_of(each, packages) for each in value)
    return str(type(value).__module__).partition(".")[0] in packages


def group_of(item: pytest.Item) -> tuple[Any, ...]:
    """Return what cases have in common whose shared fixtures have the same values."""
    callspec = getattr(item, "callspec", None)
    params = callspec.params.items() if callspec is not None else ()
    made = tuple((name, id(value)) for name, value in params if not _is_parameter(item, name))
    return (item.parent, getattr(item, "originalname", item.name), made)
