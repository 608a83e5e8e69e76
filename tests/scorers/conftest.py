"""Fixtures for the scorers' tests."""

from collections.abc import Callable

import pytest

from pytest_llmeval.scorers import REGISTRY, Registry, ScoreBook, registry


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry with the shipped scorers, into which ``@scorer`` registers during the test."""
    known = {name: found for name in REGISTRY.names() if (found := REGISTRY.find(name)) and found.shipped}
    fresh = Registry(known)
    monkeypatch.setattr(registry, "REGISTRY", fresh)
    return fresh


@pytest.fixture
def book(own_registry: Registry) -> ScoreBook:
    """Return an empty book over ``own_registry``."""
    return ScoreBook(own_registry)


@pytest.fixture
def new_book(own_registry: Registry) -> Callable[[], ScoreBook]:
    """Return a maker of empty books over ``own_registry``."""
    return lambda: ScoreBook(own_registry)
