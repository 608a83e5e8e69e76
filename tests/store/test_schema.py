"""The schema: what a new file is made from, and what becomes of an old one."""

import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from pytest_llmeval.store import schema
from pytest_llmeval.store.check import SCHEMA_VERSION, check_readable
from pytest_llmeval.store.migrating import migrate
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.at_once import at_once
from tests.support.records import call, record
from tests.support.stored_runs import look, run

ROOT = Path(__file__).parents[2]
OLDEST = Path(__file__).parent / "schema_1.db"
TABLES = {"runs": "id", "cases": "id", "scores": "case_id, name", "verdicts": "rowid"}
ADDED = {
    "runs": ("calls_cut_off",),
    "cases": ("waited_s", "target", "cluster", "judge_cached", "judge_cost_usd", "input"),
    "scores": ("judge_id", "dimension", "decided_by"),
    "verdicts": ("is_open",),
}
"""The columns that migrations add to them."""


def old(path: Path) -> Path:
    """Put a file of the oldest schema at ``path``; return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(OLDEST, path)
    return path


def content(path: Path) -> dict[str, list[dict[str, object]]]:
    """Return what the tables hold that a migration leaves as it is, without a column that one adds."""
    found = {table: look(path, f"SELECT * FROM {table} ORDER BY {order}") for table, order in TABLES.items()}
    for table, columns in ADDED.items():
        for row in found[table]:
            for column in columns:
                row.pop(column, None)
    return found


def version(path: Path) -> object:
    return look(path, "PRAGMA user_version")[0]["user_version"]


def test_the_sql_of_a_new_file_is_what_all_migrations_come_to() -> None:
    """Where this fails, make schema.sql anew as schema.py says."""
    text = Path(schema.__file__).with_name("schema.sql").read_text(encoding="ascii")
    assert text.rstrip("\n") == schema.snapshot()


def test_an_old_file_keeps_its_rows_and_its_calls_get_names(path: Path) -> None:
    before = content(old(path))
    calls = look(path, "SELECT * FROM calls ORDER BY id")
    SqliteStore(path).close()
    assert version(path) == SCHEMA_VERSION
    assert content(path) == before
    after = look(path, "SELECT * FROM calls ORDER BY id")
    assert len(after) == len(calls) > 0
    for row, was in zip(after, calls, strict=True):
        assert row == {**was, "name": was["id"], "cache_key": None, "detail": "{}", "checksum": None}
    assert look(path, "PRAGMA foreign_key_check") == []


def test_what_an_old_file_does_not_say_is_not_known(path: Path) -> None:
    with closing(SqliteStore(old(path))) as store:
        runs = store.runs()
        cases = [case for each in runs for case in store.cases(each.id)]
        verdicts = [verdict for each in runs for verdict in store.verdicts(each.id)]
    assert {(case.target, case.cluster) for case in cases} == {(None, None)}
    assert {score.judge_id for case in cases for score in case.scores} == {None}
    assert {verdict.is_open for verdict in verdicts} == {False}


def test_a_file_of_the_second_schema_becomes_what_a_new_one_is(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        schema.migrations.apply(Database(connection), stop_before="0003_baselines")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        store.add_case("r", record(outcome="missed"))
        store.add_case("r", record(target='"x"', cluster="c"))
        assert [each.outcome for each in store.earlier_outcomes("r")] == ["missed"]
        assert [(case.target, case.cluster) for case in store.cases("r")] == [('"x"', "c")]
    assert version(path) == SCHEMA_VERSION


def test_a_file_of_the_eighth_schema_learns_which_verdicts_came_from_the_cache(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        for sample, calls in {
            "fresh": (call(), call("judge")),
            "judge": (call(), call("judge", cached=True)),
            "model": (call(cached=True),),
            "none": (),
            "unpriced": (call(), call("judge", cost_usd=None)),
        }.items():
            store.add_case("r", record(sample, calls=calls))
        store.add_case("r", record("imported", calls=(call(),)))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DELETE FROM calls WHERE case_id IN (SELECT id FROM cases WHERE sample_id = 'imported');"
            "ALTER TABLE cases DROP COLUMN judge_cost_usd;"
            "ALTER TABLE cases DROP COLUMN judge_cached; ALTER TABLE cases DROP COLUMN input;"
            "DELETE FROM _sqlite_migrations WHERE name >= '0009'; UPDATE schema_version SET version = 8;"
            "PRAGMA user_version = 8"
        )
    with closing(SqliteStore(path)) as store:
        cases = {case.key.sample_id: case for case in store.cases("r")}
    assert [name for name, case in cases.items() if case.judge_cached] == ["judge"]
    parts = {"fresh": 0.5, "judge": 0.5, "model": 0, "none": 0, "unpriced": None, "imported": None}
    assert {name: case.judge_cost_usd for name, case in cases.items()} == parts
    assert version(path) == SCHEMA_VERSION


@pytest.mark.parametrize("make", [lambda path: SqliteStore(path).close(), old], ids=["this", "oldest"])
def test_a_file_that_was_made_from_a_dump_is_of_the_version_that_it_was(
    path: Path, make: Callable[[Path], object]
) -> None:
    """As ``sqlite3 old.db .dump | sqlite3 new.db`` makes one: a dump has no ``user_version``."""
    make(path)
    restored = path.with_name("restored.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(restored)) as target:
        target.executescript("".join(source.iterdump()))
    assert version(restored) == 0
    before = content(path)
    for _ in range(2):
        with closing(SqliteStore(restored)) as store:
            assert store.is_current
            store.start_run(run(f"r{_}"))
        check_readable(restored)
    assert len(look(restored, "SELECT id FROM runs")) == len(before["runs"]) + 2
    assert content(restored)["cases"] == before["cases"]
    tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    SqliteStore(path).close()
    assert look(restored, tables) == look(path, tables)


def test_a_copy_of_the_old_file_stays_beside_it_for_its_owner_alone(path: Path) -> None:
    before = content(old(path))
    SqliteStore(path).close()
    copy = path.with_name("llmeval.db.schema-1.bak")
    assert (version(copy), content(copy)) == (1, before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_an_old_file_is_migrated_once(path: Path) -> None:
    SqliteStore(old(path)).close()
    copy = path.with_name("llmeval.db.schema-1.bak")
    copy.unlink()
    before = path.read_bytes()
    SqliteStore(path).close()
    assert path.read_bytes() == before
    assert not copy.exists()


def test_a_new_file_leaves_no_copy(path: Path) -> None:
    SqliteStore(path).close()
    assert list(path.parent.glob("*.bak")) == []


def test_a_migration_that_breaks_off_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(old(path))

    def strike(database: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(schema.migrations, "apply", strike)
        with pytest.raises(KeyboardInterrupt):
            SqliteStore(path)
    assert (version(path), content(path)) == (1, before)
    SqliteStore(path).close()
    assert version(path) == SCHEMA_VERSION


def test_one_that_finds_the_file_migrated_when_its_turn_comes_leaves_the_copy_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw the old version before it waited for the other."""
    old(path)
    seen = iter([1])
    real = migrate.__globals__["schema_of"]
    SqliteStore(path).close()
    copy = path.with_name("llmeval.db.schema-1.bak")
    before = copy.read_bytes()

    def at_first_old(connection: sqlite3.Connection) -> int:
        return next(seen, None) or int(real(connection))

    monkeypatch.setattr("pytest_llmeval.store.migrating.schema_of", at_first_old)
    SqliteStore(path).close()
    assert copy.read_bytes() == before
    assert version(path) == SCHEMA_VERSION


@pytest.mark.parametrize("make", [lambda path: None, old], ids=["fresh", "old"])
def test_three_processes_that_start_at_once_all_record(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    before = len(look(path, "SELECT id FROM runs")) if path.exists() else 0
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.writer", str(path), f"r{number}", "5"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err, out.split()) == (0, "", list("01234"))
    assert look(path, "SELECT count(*) AS n FROM runs") == [{"n": before + 3}]
    assert version(path) == SCHEMA_VERSION
    assert look(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert [version(copy) for copy in path.parent.glob("*.bak")] == ([1] if before else [])


def test_many_threads_that_open_an_old_file_at_once_all_find_it_migrated(path: Path) -> None:
    before = content(old(path))

    def use(number: int) -> None:
        with closing(SqliteStore(path)) as store:
            store.start_run(run(f"r{number}"))
            store.add_case(f"r{number}", record())

    assert at_once(6, use) == []
    assert look(path, "SELECT count(*) AS n FROM runs") == [{"n": len(before["runs"]) + 6}]
    copy = path.with_name("llmeval.db.schema-1.bak")
    assert (version(copy), content(copy)) == (1, before)
