"""Journals that a process left behind, and what becomes of them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.journal import Orphan, SqliteJournal, damaged_journals, orphans
from pytest_llmeval.store.records import Run, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.at_once import at_once
from tests.support.journals import beside, case, dead, kept, live, stored, write
from tests.support.records import record
from tests.support.stored_runs import END, look, run

ROOT = Path(__file__).parents[2]
KILLS = 20


def test_journals_of_dead_processes_are_taken_over_when_the_file_is_opened_next(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        for name in ("one", "two"):
            store.start_run(dead(name))
            write(path, dead(name), kept(response=name))
    with closing(SqliteStore(path)):
        assert stored(path) == [("one", "call-1", "one"), ("two", "call-1", "two")]
        assert beside(path) == {"llmeval.db"}


@pytest.mark.parametrize("version", ["this", "older"])
def test_calls_that_were_in_flight_are_counted_once_and_by_each_session(path: Path, version: str) -> None:
    """Neither those that were answered nor those that failed; a run that goes on keeps the count."""
    SqliteStore(path).close()
    for total in (2, 4):
        with closing(SqliteJournal(path, dead())) as journal:
            journal.keep([], begun=[(case(name), "call-1") for name in "abcd"])
            journal.keep([kept("a")], failed=[(case("b"), "call-1")])
            if version == "older":
                journal._connection.execute("DROP TABLE begun")
        with closing(SqliteStore(path)) as store:
            assert store.find_run("dead").calls_cut_off == (total if version == "this" else 0)
            store.resume_run(dead())
    with closing(SqliteStore(path)) as store:
        assert store.find_run("dead").calls_cut_off == (4 if version == "this" else 0)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "on another machine"])
def test_the_journal_of_a_run_that_may_be_alive_is_left_alone(path: Path, elsewhere: bool) -> None:
    own = run("far", host="another", process_started="1") if elsewhere else live("near")
    SqliteStore(path).close()
    with closing(SqliteJournal(path, own)) as journal:
        journal.keep([kept("a")])
        SqliteStore(path).close()
        journal.keep([kept("b")])
        assert journal.path.exists()
        assert stored(path) == []
        assert journal.recall(case("a"), "call-1") is not None


def test_the_journal_of_a_process_in_another_container_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have the name of this machine and the same folder, and its processes have other numbers there."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "readlink", lambda path: "pid:[7]")
        own = replace(dead(), started_at=utc_now())
    with closing(SqliteStore(path)) as store:
        store.start_run(own)
    with closing(SqliteJournal(path, own)) as journal:
        journal.keep([kept("a")])
        with closing(SqliteStore(path)) as store:
            assert store.find_run("dead").shown_status == "running"
        journal.keep([kept("b")])
    assert stored(path) == []


def far(**fields: Any) -> Run:
    """Return a run of another machine."""
    return run("far", host="another", process_started="1", **fields)


def silent(journal: Path, hours: float) -> None:
    """Let a journal look as if nothing was written for some hours."""
    for each in journal.parent.glob(f"{journal.name}*"):
        os.utime(each, (time.time() - hours * 3600,) * 2)


def test_the_journal_of_another_machine_is_taken_over_once_nothing_is_heard_of_its_run(path: Path) -> None:
    """Neither in the journal, nor in the database, for six hours."""
    with closing(SqliteStore(path)) as store:
        store.start_run(far())
        left = write(path, far(), kept(response="late"))
    silent(left, 5.9)
    SqliteStore(path).close()
    assert stored(path) == []
    silent(left, 6.1)
    SqliteStore(path).close()
    assert stored(path) == [("far", "call-1", "late")]
    assert beside(path) == {"llmeval.db"}


def test_a_journal_is_not_silent_while_its_log_is_written(path: Path) -> None:
    with closing(SqliteStore(path)) as store, closing(SqliteJournal(path, far())) as journal:
        store.start_run(far())
        os.utime(journal.path, (time.time() - 24 * 3600,) * 2)  # SQLite moves the log into it now and then only
        SqliteStore(path).close()
        assert journal.path.exists()


def test_it_is_not_taken_over_by_a_clock_that_a_test_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = write(path, far(), kept())
    monkeypatch.setattr(time, "time", lambda: 4e9)
    SqliteStore(path).close()
    assert stored(path) == []
    assert left.exists()


@pytest.mark.parametrize("sign", ["case", "resumed"])
def test_the_journal_of_another_machine_stays_while_its_run_is_heard_of(path: Path, sign: str) -> None:
    """It may write no answer for long, as where all come from the cache."""
    with closing(SqliteStore(path)) as store:
        store.start_run(far())
        left = write(path, far(), kept())
        if sign == "case":
            store.add_case("far", record("z", started_at=utc_now()))
        else:
            store.resume_run(far(settings={"resumes": [{"at": utc_now()}]}))
    silent(left, 24)
    SqliteStore(path).close()
    assert stored(path) == []
    assert left.exists()


@pytest.mark.parametrize("ended", [False, True])
def test_a_silent_journal_of_elsewhere_is_taken_over_without_its_run_and_after_its_end(path: Path, ended: bool) -> None:
    with closing(SqliteStore(path)) as store:
        if ended:
            store.start_run(far())
            store.finish_run("far", END)
    silent(write(path, far(started_at="2025-01-01T00:00:00.000+00:00"), kept(response="x")), 7)
    SqliteStore(path).close()
    assert stored(path) == [("far", "call-1", "x")]


def test_what_a_killed_process_left_beside_its_journal_is_as_old_as_it_was_written(path: Path) -> None:
    """Opening the journal folds it in, and makes the file a new one."""
    with closing(SqliteStore(path)) as store:
        store.start_run(far())
    with closing(SqliteJournal(path, far())) as journal:
        journal.keep([kept(response="late")])
        left = {each: each.read_bytes() for each in path.parent.glob(f"{journal.path.name}*")}
    for each, content in left.items():
        each.write_bytes(content)
    assert sorted(each.suffix for each in left) == [".journal", ".journal-shm", ".journal-wal"]
    silent(journal.path, 7)
    SqliteStore(path).close()
    assert stored(path) == [("far", "call-1", "late")]


def test_a_run_that_is_taken_up_again_brings_its_own_journal(database: SqliteStore) -> None:
    """From another machine, say, whose processes cannot be seen."""
    far = run("far", host="another", process_started="1")
    write(database.path, far, kept(response="from there"))
    write(database.path, run("farther", host="another", process_started="1"), kept())
    database.absorb_journals("far")
    assert stored(database.path) == [("far", "call-1", "from there")]
    assert beside(database.path) == {"llmeval.db", "llmeval.db.farther.journal"}


def test_a_crash_before_the_journal_is_removed_doubles_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(path).close()
    left = write(path, dead(), kept("a"), kept("b"))

    def crash(orphan: Orphan) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Orphan, "remove", crash)
        with pytest.raises(KeyboardInterrupt):
            SqliteStore(path)
    assert left.exists()
    assert len(stored(path)) == 2
    for _ in range(2):
        SqliteStore(path).close()
        assert len(stored(path)) == 2
        assert beside(path) == {"llmeval.db"}


def test_a_journal_whose_database_was_deleted_brings_its_run_back(path: Path) -> None:
    SqliteStore(path).close()
    write(path, dead(), kept(response="answer"))
    for each in list(path.parent.glob("llmeval.db*")):
        if not each.name.endswith(".journal"):
            each.unlink()
    with closing(SqliteStore(path)) as store:
        (back,) = store.runs()
        assert (back.id, back.shown_status, back.models) == ("dead", "crashed", ("m",))
    assert stored(path) == [("dead", "call-1", "answer")]


def test_a_journal_with_a_log_of_its_own_is_taken_over_with_it(path: Path) -> None:
    """What a killed process has not folded in lies beside the file."""
    SqliteStore(path).close()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.keeper", str(path), "r"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert any(each.name.endswith(".journal-wal") for each in path.parent.iterdir())
    SqliteStore(path).close()
    assert stored(path)
    assert beside(path) == {"llmeval.db"}
    assert not [each.name for each in path.parent.iterdir() if "journal" in each.name]


def text(journal: Path) -> None:
    journal.write_text("no database\n" * 200)


def empty(journal: Path) -> None:
    journal.write_bytes(b"")


def header_and_garbage(journal: Path) -> None:
    journal.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 20)


def a_folder(journal: Path) -> None:
    journal.unlink()
    journal.mkdir()


def another_database(journal: Path) -> None:
    journal.unlink()
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("CREATE TABLE run (id INTEGER)")


def a_run_and_no_answers(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("DROP TABLE answers")


def answers_of_another_form(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("ALTER TABLE answers DROP COLUMN checksum")


def no_run(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("DELETE FROM run")


def facts_of_another_form(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("""UPDATE run SET facts = '{"id": 7}'""")


def answers_that_are_damaged(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'answers'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(journal.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    journal.write_bytes(content)


DAMAGES = [
    text,
    empty,
    header_and_garbage,
    a_folder,
    another_database,
    a_run_and_no_answers,
    answers_of_another_form,
    no_run,
    facts_of_another_form,
    answers_that_are_damaged,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_journal_that_cannot_be_read_is_left_alone_and_breaks_nothing(
    path: Path, damage: Callable[[Path], None]
) -> None:
    """The others beside it are taken over all the same."""
    SqliteStore(path).close()
    bad = write(path, dead("bad"), kept())
    damage(bad)
    assert damage is not empty or list(damaged_journals(path)) == []
    before = bad.read_bytes() if bad.is_file() else None
    write(path, dead("good"), kept(response="good"))
    with closing(SqliteStore(path)) as store:
        store.start_run(run("new"))
        store.add_case("new", record())
        assert {each.id for each in store.runs()} == {"good", "new"}
    assert stored(path) == [("good", "call-1", "good")]
    assert (bad.read_bytes() if bad.is_file() else None) == before
    assert bad.exists()


@pytest.mark.parametrize("damage", [each for each in DAMAGES if each is not empty], ids=lambda damage: damage.__name__)
def test_a_run_whose_own_journal_cannot_be_read_is_not_taken_up(
    database: SqliteStore, damage: Callable[[Path], None]
) -> None:
    """Its answers would be paid for again, and nobody would say so."""
    database.start_run(dead())
    bad = write(database.path, dead(), kept())
    write(database.path, live("other"), kept())
    assert list(damaged_journals(database.path)) == []
    damage(bad)
    database.absorb_journals()
    assert [path for path, _ in damaged_journals(database.path)] == [bad]
    assert [path for path, _ in damaged_journals(database.path, "dead")] == [bad]
    with pytest.raises(StoreError, match=r"dead\.journal: the journal of an earlier .* move it away"):
        database.absorb_journals("dead")
        SqliteJournal(database.path, live("dead"))


def test_journals_of_a_database_with_an_odd_name_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a[1]?#%41*.db"
    SqliteStore(path).close()
    write(path, dead(), kept())
    assert [orphan.run.id for orphan in orphans(path)] == ["dead"]
    SqliteStore(path).close()
    assert len(stored(path)) == 1
    assert beside(path) == {path.name}


# Several processes


def test_a_journal_that_another_process_takes_over_in_the_meantime_is_no_fault(
    database: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database.path, dead(), kept())
    found = list(orphans(database.path))
    with closing(SqliteStore(database.path)):
        monkeypatch.setattr("pytest_llmeval.store.sqlite.orphans", lambda path: iter(found))
        database.absorb_journals()
        database.absorb_journals("dead")
    assert len(stored(database.path)) == 1


def test_many_open_a_file_with_journals_at_the_same_moment(path: Path) -> None:
    SqliteStore(path).close()
    for number in range(6):
        write(path, dead(f"r{number}"), *(kept(str(n), response=f"{number}-{n}") for n in range(5)))
    assert at_once(6, lambda number: SqliteStore(path).close()) == []
    assert len(stored(path)) == 30
    SqliteStore(path).close()
    assert len(stored(path)) == 30
    assert beside(path) == {"llmeval.db"}
    assert look(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_no_acknowledged_answer_is_lost_when_its_process_is_killed(path: Path) -> None:
    """Twenty times over, at another moment each time, beside one and the same file."""
    for kill in range(KILLS):
        run_id = f"r{kill:02}"
        command = [sys.executable, "-m", "tests.support.keeper", str(path), run_id]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            taken = [process.stdout.readline() for _ in range(kill + 1)]
            time.sleep(kill % 5 * 0.003)
            process.send_signal(signal.SIGKILL)
            taken += process.stdout.readlines()
        acknowledged = {f"call-{line.strip()}" for line in taken if line.endswith("\n")}
        SqliteStore(path).close()
        there = {row["name"] for row in look(path, "SELECT name FROM calls WHERE run_id = ?", run_id)}
        assert len(acknowledged) > kill
        assert acknowledged <= there
        assert len(there) <= len(acknowledged) + 1
    assert beside(path) == {"llmeval.db"}
    assert look(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert look(path, "SELECT count(*) AS n FROM runs") == [{"n": KILLS}]


def test_the_journal_of_a_session_that_took_the_run_up_meanwhile_stays(database: SqliteStore) -> None:
    """It has the same name: another command read the old one, and waited for the lock while the run was resumed."""
    write(database.path, dead(), kept("a"))
    (old,) = orphans(database.path)
    database.absorb(old)
    assert not old.path.exists()
    going_on = write(database.path, replace(dead(), pid=1, process_started="2"), kept("b"))
    database.absorb(old)
    old.remove()
    assert going_on.exists()
    assert len(stored(database.path)) == 1
