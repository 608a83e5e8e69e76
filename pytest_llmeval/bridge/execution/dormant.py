"""Fixtures that a plugin adds to every test and that do nothing for a test which does not use the plugin.

They keep no body from running ahead: otherwise a plugin that is merely installed would make all bodies run one by one.
A case that uses such a fixture has the process for itself: a cassette, an open database or settings affect the whole
process.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture
from pytest_llmeval.bridge.casework.items import case_function
from pytest_llmeval.bridge.collection.code_digests import names_in
from pytest_llmeval.bridge.execution.own_code import seen

__all__ = ["needed_fixtures", "woken_fixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wakes:
    """The things that make such a fixture act for a test that does not name it."""

    mark: str = ""
    also: str = ""
    """Another mark."""
    fixture: str = ""
    option: str = ""
    """A command-line option, for all tests."""
    word: str = ""
    """A name in the code of the test."""


_DORMANT = {
    ("inline_snapshot.pytest_plugin", "snapshot_check"): _Wakes(),  # a test naming a snapshot runs in its turn anyway
    ("pytest_django.fixtures", "_live_server_helper"): _Wakes(fixture="live_server"),
    ("pytest_django.plugin", "_dj_autoclear_mailbox"): _Wakes(fixture="mailoutbox", word="outbox"),
    ("pytest_django.plugin", "_django_clear_site_cache"): _Wakes(mark="django_db"),
    ("pytest_django.plugin", "_django_db_marker"): _Wakes(mark="django_db", fixture="_django_db_helper"),
    ("pytest_django.plugin", "_django_isolate_apps"): _Wakes(mark="django_isolate_apps"),
    ("pytest_django.plugin", "_django_set_urlconf"): _Wakes(mark="urls"),
    ("pytest_django.plugin", "_django_setup_unittest"): _Wakes(),  # an eval is not a method of a TestCase
    ("pytest_django.plugin", "_template_string_if_invalid_marker"): _Wakes(mark="ignore_template_errors"),
    ("pytest_flask.plugin", "_configure_application"): _Wakes(fixture="app"),
    ("pytest_flask.plugin", "_monkeypatch_response_class"): _Wakes(fixture="app"),
    ("pytest_flask.plugin", "_push_request_context"): _Wakes(fixture="app"),
    ("pytest_playwright.pytest_playwright", "_pw_trace_api_requests"): _Wakes(fixture="playwright"),
    ("pytest_randomly", "faker_seed"): _Wakes(fixture="faker"),
    ("pytest_recording.plugin", "block_network"): _Wakes(mark="block_network", also="vcr", option="block_network"),
    ("pytest_recording.plugin", "vcr"): _Wakes(mark="vcr"),
}
"""Dormant fixtures, by module and name."""
_NAMES = frozenset(name for _, name in _DORMANT)


def needed_fixtures(item: pytest.Item) -> tuple[str, ...]:
    """Return the names of a test's fixtures, without dormant ones and those that only dormant ones ask for."""
    names = tuple(getattr(item, "fixturenames", ()))
    dormant = {name for name in _known(item) if not _is_woken(item, name)}
    if not dormant:
        return names
    first = getattr(item, "_fixtureinfo").initialnames  # noqa: B009 - nothing public tells what a test asks for itself
    gone = _reached(item, dormant) - _reached(item, set(first) - dormant)
    return tuple(name for name in names if name not in gone)


def woken_fixture(item: pytest.Item) -> str:
    """Return the name of such a fixture that does act for a test; an empty string if there is none."""
    return next((name for name in _known(item) if _is_woken(item, name)), "")


def _known(item: pytest.Item) -> Iterator[str]:
    for name in getattr(item, "fixturenames", ()):
        if name in _NAMES and _wakes(item, name) is not None:
            yield name


def _wakes(item: pytest.Item, name: str) -> _Wakes | None:
    definition = chosen_fixture(item, name)
    return _DORMANT.get((definition.func.__module__, name)) if definition is not None else None


def _is_woken(item: pytest.Item, name: str) -> bool:
    wakes = _wakes(item, name)
    assert wakes is not None
    if name in getattr(item, "_fixtureinfo").argnames or wakes.fixture in getattr(item, "fixturenames"):  # noqa: B009
        return True
    if any(mark and item.get_closest_marker(mark) is not None for mark in (wakes.mark, wakes.also)):
        return True
    if wakes.option and item.config.getoption(wakes.option, False):
        return True
    return bool(
        wakes.word and seen(lambda each: wakes.word if wakes.word in names_in(each) else "", case_function(item))
    )


def _reached(item: pytest.Item, names: set[str]) -> set[str]:
    """Return the given fixtures and all fixtures that they ask for, directly or through others."""
    todo, found = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _asked_by(item, name)
    return found


def _asked_by(item: pytest.Item, name: str) -> Iterator[str]:
    """Yield the fixtures that a fixture asks for; if it takes the one it overrides, also those of that one."""
    definitions: Any = getattr(item, "_fixtureinfo").name2fixturedefs.get(name, ())  # noqa: B009
    for definition in reversed(definitions):
        yield from definition.argnames
        if name not in definition.argnames:
            return
