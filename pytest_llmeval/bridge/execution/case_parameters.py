"""The values that ``parametrize`` gives to cases: some for one case alone, some as parameters of fixtures."""

from types import ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture
from pytest_llmeval.bridge.casework.items import PARAM, function_name, params_of

__all__ = ["group_of", "is_own_parameter", "late_parameter", "makers_of_values", "own_parameters"]


def group_of(item: pytest.Item) -> tuple[Any, ...]:
    """Return a key that is equal for cases that get the same values of shared fixtures."""
    given = params_of(item).items()
    made = tuple((name, id(value)) for name, value in given if name != PARAM and not is_own_parameter(item, name))
    return (item.parent, function_name(item), made)


def is_own_parameter(item: pytest.Item, name: str) -> bool:
    """Whether ``parametrize`` gives the case a value directly, with no fixture made of it that outlives the case.

    A fixture of pytest's that calls ``setup_method`` or ``setup_function`` is of the same module, but no parameter.
    """
    definition = chosen_fixture(item, name)
    if name not in params_of(item) or definition is None:
        return False
    return bool(definition.scope == "function" and definition.func.__module__ == "_pytest.python")


def own_parameters(item: pytest.Item) -> dict[str, Any]:
    """Return the values that ``parametrize`` gives to this case alone, by name."""
    return {name: value for name, value in params_of(item).items() if is_own_parameter(item, name)}


def makers_of_values(config: pytest.Config) -> frozenset[str]:
    """Return the packages of plugins that take part in making a fixture's value, by ``pytest_fixture_setup``."""
    plugins = (each.plugin for each in config.pluginmanager.hook.pytest_fixture_setup.get_hookimpls())
    modules = (plugin if isinstance(plugin, ModuleType) else type(plugin) for plugin in plugins)
    names = (getattr(each, "__module__" if isinstance(each, type) else "__name__") for each in modules)
    return frozenset(str(name).partition(".")[0] for name in names) - {"_pytest"}


def late_parameter(item: pytest.Item, makers: frozenset[str]) -> str:
    """Return the name of a parameter whose value a plugin replaces when the case is set up; empty if there is none.

    pytest-lazy-fixtures does so: ``parametrize`` is given objects that stand for fixtures.
    """
    given = own_parameters(item) if makers else {}
    return next((name for name, value in given.items() if _is_of(value, makers)), "")


def _is_of(value: Any, packages: frozenset[str]) -> bool:
    if type(value) is dict:
        return any(_is_of(each, packages) for pair in value.items() for each in pair)
    if type(value) in (list, set, tuple):
        return any(_is_of(each, packages) for each in value)
    return str(type(value).__module__).partition(".")[0] in packages
