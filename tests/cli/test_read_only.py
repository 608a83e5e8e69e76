"""Commands that only read, over a database that nobody can write to."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.core.stored import Label
from pytest_llmeval.store.records import utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import RUN, judged_record, store_run

READING = [
    ("runs",),
    ("show", RUN),
    ("gate", RUN),
    ("export", "jsonl", RUN),
    ("view", "--export", "pages"),
    ("view",),
    ("baseline", "list"),
    ("baseline", "export", "main", "main.jsonl"),
    ("labels", "export", "--output", "labels.csv"),
    ("calibrate",),
]


@pytest.fixture
def recorded(store: SqliteStore) -> Path:
    """A database with a run that is judged, labelled and a baseline; nobody has it open."""
    store_run(store, [judged_record("a"), judged_record("b")])
    (case, _) = store.cases(RUN)
    store.add_labels([Label(case_id=case.id, name="correctness", value=1.0, rater="kim", at=utc_now())])
    store.set_baseline("main", RUN, utc_now())
    store.close()
    Path("thresholds.yaml").write_text("version: 1\nsuites: {qa: {correctness: {min: 0.4}}}\n", "utf-8")
    return store.path


def read_only(monkeypatch: pytest.MonkeyPatch, refused: Callable[[Path], bool] = lambda path: True) -> None:
    """Let the paths that are ``refused`` look as if they could not be written to, whoever runs the tests."""
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (mode == os.W_OK and refused(Path(path))) and access(path, mode)
    )


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a server answers for its first page, which is asked for in place of serving it."""
    statuses: list[int] = []

    def serve(app: Any, host: str, port: int | None, *, ready: Callable[[str], None]) -> None:
        ready("http://127.0.0.1:8765/")
        with TestClient(app, base_url="http://127.0.0.1:8765") as client:
            statuses.append(client.get("/").status_code)

    monkeypatch.setattr("pytest_llmeval.view.serving.serve", serve)
    return statuses


@pytest.mark.parametrize("refused", [lambda path: True, Path.is_dir], ids=["file system", "folder"])
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_database_on_a_read_only_file_system_is_read_as_it_is(
    recorded: Path,
    llmeval: Command,
    fetched: list[int],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    refused: Callable[[Path], bool],
) -> None:
    """Or in a folder where SQLite can put nothing beside it: nothing is, not even for a moment."""
    read_only(monkeypatch, refused)
    os.utime(recorded.parent, (1, 1))
    content = recorded.read_bytes()
    done = llmeval(*arguments)
    assert done.status == 0, done.err
    assert fetched == ([200] if arguments == ("view",) else [])
    assert recorded.read_bytes() == content
    assert recorded.parent.stat().st_mtime == 1


def test_one_behind_a_link_is_where_the_link_leads_to(
    recorded: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("link.db").symlink_to(recorded)
    read_only(monkeypatch, lambda path: path == recorded.parent.resolve())
    os.utime(recorded.parent, (1, 1))
    assert llmeval("runs", "--db", "link.db").status == 0
    assert recorded.parent.stat().st_mtime == 1


@pytest.mark.parametrize("arguments", [("runs",), ("calibrate",)], ids=" ".join)
def test_one_of_an_older_version_is_to_be_copied_first(
    recorded: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """What brings its tables up to date writes to it."""
    with closing(sqlite3.connect(recorded)) as connection:
        connection.execute("PRAGMA user_version = 3")
    read_only(monkeypatch)
    done = llmeval(*arguments)
    assert done.status == 4
    assert "written by another version (schema 3, this one knows" in done.err
    assert "; copy it to where it can be written, and `llmeval runs --llmeval-db COPY` brings" in done.err


def test_what_brings_one_of_an_older_version_up_to_date_can_be_typed(recorded: Path, llmeval: Command) -> None:
    shard = recorded.rename("shard 1.db")
    with closing(sqlite3.connect(shard)) as connection:
        connection.execute("PRAGMA user_version = 3")
    done = llmeval("merge", str(shard))
    assert f"; `llmeval runs --llmeval-db '{shard.absolute()}'` brings it up to date" in " ".join(done.err.split())
