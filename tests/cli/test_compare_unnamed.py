"""``llmeval compare`` without CURRENT, and without names at all: the newest run, held against what gates it."""

from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_compare import NEW, add, made_worse


@pytest.fixture
def worse(store: SqliteStore) -> SqliteStore:
    """The store with a green run named ``main`` and one in which many rows got worse."""
    return made_worse(store)


def test_the_newest_run_is_compared_where_only_the_base_is_named(worse: SqliteStore, llmeval: Command) -> None:
    assert llmeval("compare", "main").out == llmeval("compare", "main", "last").out
    assert llmeval("compare", "main", "--json").json()["current_id"] == NEW


def test_without_names_it_is_held_against_its_baseline(worse: SqliteStore, llmeval: Command) -> None:
    """That of thresholds.yaml; where its session was told another one, that."""
    Path("thresholds.yaml").write_text("version: 1\nbaseline: main\n")
    assert llmeval("compare").out == llmeval("compare", "main", "last").out
    assert llmeval("compare", "--fail-on-regression").status == 1
    later = "20250103-000000-cccccc"
    told = {"options": {"baseline": NEW}, "baseline": {"name": NEW, "kind": "run", "run": NEW, "model": None}}
    add(worse, later, settings=told, started_at="2025-01-03")
    found = llmeval("compare", "--json").json()
    assert (found["base_id"], found["current_id"]) == (NEW, later)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (None, ", and no rules name one"),
        ("version: 1\nbaseline: other\n", ": baseline other is not set yet: llmeval baseline set other"),
    ],
)
def test_a_run_without_a_baseline_needs_a_name(
    worse: SqliteStore, llmeval: Command, rules: str | None, why: str
) -> None:
    if rules is not None:
        Path("thresholds.yaml").write_text(rules)
    done = llmeval("compare")
    told = f"llmeval: run {NEW} has no baseline{why}; name one: llmeval compare BASE\n"
    assert (done.status, done.out, done.err) == (4, "", told)
