"""Which plugins that keep state for the current test a body uses.

A plugin for soft assertions, for example, keeps failed ones until its hooks for the test ask for them: from a body that
runs ahead they would count for another test.
"""

from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.code_digests import names_in
from pytest_llmeval.bridge.execution.own_code import globals_of

__all__ = ["keeping_plugin"]

_FOR_EACH_TEST = "pytest_runtest_"
_HARMLESS = frozenset({"_pytest", "pytest", "pytest_llmeval"})
_BESIDE = {
    "allure_pytest": ("allure", "allure_commons"),
    "pytest_playwright": ("playwright",),
    "pytest_randomly": ("random",),
}
"""Modules outside of a plugin's package in which the plugin keeps state for each test."""
_FUNCTIONS = (BuiltinFunctionType, FunctionType, MethodType, type)


def keeping_plugin(config: pytest.Config, function: Callable[..., Any]) -> str:
    """Return a text that says which name in a test belongs to a plugin with hooks for each test; empty if none does."""
    homes = _homes(config, function)
    found = ((name, _among(module, homes)) for name, module in _named(function))
    return next((f"{plugin} may keep {name!r} for each test" for name, plugin in found if plugin), "")


def _homes(config: pytest.Config, function: Callable[..., Any]) -> dict[str, str]:
    """Return the modules of plugins that have hooks for each test, each with the name of the plugin."""
    homes = dict[str, str]()
    manager = config.pluginmanager
    for _, plugin in manager.list_name_plugin():  # in their order, which is the same in every process
        callers = manager.get_hookcallers(plugin) or () if plugin is not None else ()
        if not any(each.name.startswith(_FOR_EACH_TEST) for each in callers):
            continue
        is_module = isinstance(plugin, ModuleType)
        module = str(getattr(plugin, "__name__" if is_module else "__module__", ""))
        package = module.partition(".")[0]
        if package not in _HARMLESS:
            is_conftest = module.rpartition(".")[2] == "conftest"
            is_whole = is_conftest or (is_module and hasattr(plugin, "__path__"))
            home = module if is_whole else _home(module, function.__module__)
            for each in (home, *_BESIDE.get(package, ())):
                homes.setdefault(each, f"{'conftest' if is_conftest else 'plugin'} {module!r}")
    return homes


def _home(module: str, test: str) -> str:
    """Return the package of a plugin's module, or the module alone if the test is in that package."""
    package = module.rpartition(".")[0]
    return module if not package or f"{test}.".startswith(f"{package}.") else package


def _among(module: str, homes: dict[str, str]) -> str:
    return next((plugin for home, plugin in homes.items() if f"{module}.".startswith(f"{home}.")), "")


def _named(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield each name in the code of a test with each module that its value, or the value's type, comes from."""
    names, known = sorted(names_in(function)), globals_of(function)
    values = [(name, known[name]) for name in names if name in known]
    modules = [pytest, *(value for _, value in values if issubclass(type(value), ModuleType))]
    values += [(name, vars(each)[name]) for each in modules for name in names if name in vars(each)]
    yield from ((name, name) for name in names)  # modules imported within the function
    yield from ((name, module) for name, value in [*values, *_layers(function)] for module in _modules_of(value))


def _layers(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield a function and those that it wraps, each with its name."""
    while function is not None:
        yield getattr(function, "__name__", ""), function
        function = getattr(function, "__wrapped__", None)


def _modules_of(value: Any) -> Iterator[str]:
    """Yield the modules of a value, of its type, and of the function that a decorator may have put in its place."""
    # A lazy object of the user's is asked for its true type only: for more it would be made.
    kind = type(value)
    yield str(kind.__module__)
    if issubclass(kind, ModuleType):
        yield str(getattr(value, "__name__", ""))
    elif issubclass(kind, _FUNCTIONS):
        yield str(value.__module__)
        yield str(getattr(value, "__globals__", {}).get("__name__"))
        yield str(type(getattr(value, "__self__", None)).__module__)
