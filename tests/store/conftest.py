from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.store.journal import SqliteJournal
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.any_store import Store
from tests.support.journals import live
from tests.support.memory_store import MemoryStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / ".llmeval" / "llmeval.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteStore]:
    """A store in a new file."""
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A new store of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
    else:
        yield MemoryStore()


@pytest.fixture
def journal(database: SqliteStore) -> Iterator[SqliteJournal]:
    """The journal of a run of this process; its database is there."""
    database.start_run(live())
    made = SqliteJournal(database.path, live())
    yield made
    made.close()
