"""Fixtures of the project that several bodies share: a body may run ahead if its fixtures are made and stay."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import is_ours
from pytest_llmeval.bridge.casework.items import PARAM, params_of
from pytest_llmeval.bridge.execution.case_parameters import group_of, is_own_parameter
from pytest_llmeval.bridge.execution.needs import foreign_fixtures

__all__ = ["SharedFixtures"]

_Definitions = Mapping[str, pytest.FixtureDef[Any]]


class SharedFixtures:
    """Keeps the fixture values that cases got in their turns."""

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        """Find the fixtures that the tests of a session have made several times."""
        self._remade = _remade_fixtures(items)
        self._made: dict[pytest.FixtureDef[Any], Any] = {}
        """The values of fixtures that stay until the session ends."""
        self._lasting: dict[object, _Definitions | None] = {}
        """For each group of cases, its shared fixtures if all of them stay until the session ends; else None."""
        self._group: object = None
        self._of_group: Mapping[str, Any] = {}
        """The values of the case whose body ran last, which belongs to ``_group``."""

    def take(self, item: pytest.Function) -> None:
        """Keep the fixture values of a case whose body runs in its turn."""
        self._group = group_of(item)
        self._of_group = {name: item.funcargs[name] for name in item.funcargs if not is_ours(item, name)}
        for name, definition in (self._lasting_of(item) or {}).items():
            self._made[definition] = item.funcargs[name]

    def is_group(self, group: object) -> bool:
        """Whether the case whose body ran last is of this group."""
        return group == self._group

    def values_for(self, item: pytest.Item, *, is_open: bool) -> Mapping[str, Any] | None:
        """Return the values that a case will get; None if one is not made yet, or may be made anew before its turn.

        ``is_open`` says that all cases from the one whose body ran last up to this one are of one group.
        """
        if is_open:
            return self._of_group
        lasting = self._lasting_of(item)
        if lasting is None or not self._made.keys() >= set(lasting.values()):
            return None
        return {name: self._made[definition] for name, definition in lasting.items()}

    def _lasting_of(self, item: pytest.Item) -> _Definitions | None:
        key = group_of(item)
        if key not in self._lasting:
            found = _lasting_fixtures(item)
            self._lasting[key] = found if found is not None and self._remade.isdisjoint(found) else None
        return self._lasting[key]


def _lasting_fixtures(item: pytest.Item) -> _Definitions | None:
    """Return the fixtures of a test that are not this plugin's, if all of them stay until the session ends.

    None if one of them does not, or has parameters: its value is replaced for another parameter.
    """
    found = {name: chosen for name, chosen in foreign_fixtures(item) if chosen is not None}
    lasts = all(chosen.scope == "session" and chosen.params is None for chosen in found.values())
    return found if lasts else None


def _remade_fixtures(items: Iterable[pytest.Item]) -> set[str]:
    """Return the names of fixtures that tests among ``items`` parametrize: they are made again for other parameters."""
    return {name for item in items for name in params_of(item) if name != PARAM and not is_own_parameter(item, name)}
