"""Which plugins a body speaks to that keep something of the test whose turn it is.

A plugin for soft assertions, say, keeps what a body tells it until the hooks for that test ask for it: told ahead of
the turn, it would count for another test.
"""

from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.code_digests import names_in
from pytest_llmeval.bridge.execution.alone import globals_of

__all__ = ["told_plugin"]

_FOR_EACH_TEST = "pytest_runtest_"
_HARMLESS = frozenset({"_pytest", "pytest", "pytest_llmeval"})
_BESIDE = {"allure_pytest": ("allure", "allure_commons"), "pytest_randomly": ("random",)}
"""Modules outside of a plugin's package of which it keeps something for each test."""
_FUNCTIONS = (BuiltinFunctionType, FunctionType, MethodType, type)


def told_plugin(config: pytest.Config, function: Callable[..., Any]) -> str:
    """Return what the code of a test names of a plugin whose hooks run for each test; an empty text where nothing."""
    homes = _homes(config, function)
    found = ((name, _among(module, homes)) for name, module in _named(function))
    return next((f"plugin {plugin!r} keeps {name!r} for each test" for name, plugin in found if plugin), "")


def _homes(config: pytest.Config, function: Callable[..., Any]) -> dict[str, str]:
    """Return the modules of such plugins, each with the plugin's name: its whole package, unless that has the test."""
    homes, own = {}, _package(function.__module__)
    manager = config.pluginmanager
    for plugin in manager.get_plugins():
        module = str(getattr(plugin, "__name__" if isinstance(plugin, ModuleType) else "__module__", ""))
        package = _package(module)
        callers = manager.get_hookcallers(plugin) or ()
        if package not in _HARMLESS and any(each.name.startswith(_FOR_EACH_TEST) for each in callers):
            home = module if package == own else package
            homes.update(dict.fromkeys((home, *_BESIDE.get(package, ())), home))
    return homes


def _package(module: str) -> str:
    return module.partition(".")[0]


def _among(module: str, homes: dict[str, str]) -> str:
    return next((plugin for home, plugin in homes.items() if f"{module}.".startswith(f"{home}.")), "")


def _named(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield each name in the code of a test, with a module that what it names is of."""
    names, known = sorted(names_in(function)), globals_of(function)
    values = [(name, known[name]) for name in names if name in known]
    modules = [pytest, *(value for _, value in values if issubclass(type(value), ModuleType))]
    values += [(name, vars(each)[name]) for each in modules for name in names if name in vars(each)]
    yield from ((name, name) for name in names)  # what is imported within
    yield from ((name, module) for name, value in [*values, *_layers(function)] for module in _modules_of(value))


def _layers(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield a test with what decorators put around it."""
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
