"""What ``parametrize`` gives to the cases of a function: values of one case alone, and parameters of fixtures."""

from types import ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture
from pytest_llmeval.bridge.casework.items import PARAM, function_name, params_of

__all__ = ["group_of", "is_own_parameter", "late_parameter", "makers_of_values", "own_parameters"]


def group_of(item: pytest.Item) -> tuple[Any, ...]:
    """Return a key that cases share which get the same values of shared fixtures."""
    given = params_of(item).items()
    made = tuple((name, id(value)) for name, value in given if name != PARAM and not is_own_parameter(item, name))
    return (item.parent, function_name(item), made)


def is_own_parameter(item: pytest.Item, name: str) -> bool:
    """Whether ``parametrize`` gives each case a value of its own, of which nothing is made that outlives the case.

    A fixture of pytest that calls ``setup_method`` or ``setup_function`` is of the same module, and no parameter.
    """
    definition = chosen_fixture(item, name)
    if name not in params_of(item) or definition is None:
        return False
    return bool(definition.scope == "function" and definition.func.__module__ == "_pytest.python")


def own_parameters(item: pytest.Item) -> dict[str, Any]:
    """Return what ``parametrize`` gives to this case alone, by name."""
    return {name: value for name, value in params_of(item).items() if is_own_parameter(item, name)}


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
