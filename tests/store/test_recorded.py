"""The calls of a stored run, found by case, name and request."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.core.types import CaseKey
from pytest_llmeval.store.recorded import RecordedCalls
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import run

REQUEST = {"messages": ({"role": "user", "content": "q"},), "params": {}}
"""As an ask holds it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one run of two cases: one was answered, one had a call that failed."""
    file = tmp_path / "x.db"
    store = SqliteStore(file)
    store.start_run(run("r"))
    store.add_case("r", record(calls=(call(name="n-1", response="yes"),)))
    lost = call(name="n-1", response=None, status="timeout", detail={"error": "too slow"})
    store.add_case("r", record("b", outcome="error", error_kind="timeout", error="elsewhere", calls=(lost,)))
    old = call(name="n-1", response=None, status="timeout")
    store.add_case("r", record("c", outcome="error", error_kind="timeout", error="as the case has it", calls=(old,)))
    store.add_case("r", record("d", calls=(old,)))
    store.close()
    return file


@pytest.fixture
def recorded(path: Path) -> Iterator[RecordedCalls]:
    opened = RecordedCalls(path, "r")
    yield opened
    opened.close()


def key(sample_id: str = "a", epoch: int = 1) -> CaseKey:
    return CaseKey(nodeid="moved.py::test", suite="qa", sample_id=sample_id, model="m", epoch=epoch)


def test_an_answer_is_found_wherever_its_test_stands_now(recorded: RecordedCalls) -> None:
    found = recorded.find(key(), "n-1", REQUEST)
    assert found is not None
    assert found.response == "yes"


def test_only_the_same_call_is_found(recorded: RecordedCalls) -> None:
    assert recorded.find(key(), "n-2", REQUEST) is None
    assert recorded.find(key(epoch=2), "n-1", REQUEST) is None
    assert recorded.find(key(), "n-1", {**REQUEST, "params": {"seed": 1}}) is None


@pytest.mark.parametrize(
    ("sample_id", "text"), [("b", "too slow"), ("c", "as the case has it"), ("d", "it ended so in run r")]
)
def test_a_failed_call_has_the_text_of_its_error(recorded: RecordedCalls, sample_id: str, text: str) -> None:
    """Where the call has none, that of its case; where the test caught the error, a word of its own."""
    found = recorded.find(key(sample_id), "n-1", REQUEST)
    assert found is not None
    assert (found.status, found.detail["error"]) == ("timeout", text)


def test_a_damaged_answer_is_none(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE calls SET response = 'no' WHERE response = 'yes'")
    connection.close()
    opened = RecordedCalls(path, "r")
    assert opened.find(key(), "n-1", REQUEST) is None
    opened.close()
