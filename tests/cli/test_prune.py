"""Old runs deleted: which go, which stay, and what is left where somebody else writes or the process is killed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.stored import Label
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.pruning import choose_runs, delete_runs
from pytest_llmeval.store.records import RunEnd, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_trainings import PASSED
from tests.support.records import call, record, score
from tests.support.stored_runs import END, look, run

OLD = ("20250101-000000-aaaaaa", "20250102-000000-bbbbbb", "20250103-000000-cccccc")
NEW = "20990101-000000-dddddd"
TABLES = {"runs": "id", "cases": "run_id", "calls": "run_id", "verdicts": "run_id"}
LONG = "answer " * 1_000


def fill(store: SqliteStore, **settings: Any) -> None:
    """Put three old runs and one of today in, which has ``settings``."""
    for number, run_id in enumerate((*OLD, NEW)):
        at = utc_now() if run_id == NEW else f"2025-01-0{number + 1}T00:00:00.000+00:00"
        store.start_run(run(run_id, started_at=at, settings=settings if run_id == NEW else {}))
        for sample in "abcdef":
            made = call(response=LONG, cache_key=f"{run_id}-{sample}" if sample in "ab" else None)
            store.add_case(run_id, record(sample, scores=(score(),), calls=(made,)))
        store.finish_run(run_id, replace(END, finished_at=at))


def ids(store: SqliteStore) -> list[str]:
    """Return the ids of all runs, by age."""
    return [each.id for each in reversed(store.runs())]


def test_old_runs_are_listed_and_stay_until_they_are_meant(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    store.set_baseline("main", OLD[1], utc_now())
    done = llmeval("prune", "--older-than", "30")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        "run                     name  last recorded (UTC)  what\n"
        "20250103-000000-cccccc        2025-01-03 00:00     goes\n"
        "20250101-000000-aaaaaa        2025-01-01 00:00     goes\n"
        "20250102-000000-bbbbbb        2025-01-02 00:00     stays\n"
        "20250102-000000-bbbbbb stays: it is baseline main\n"
        "2 runs with 12 cases, about 227 KiB, would be deleted; add --delete to delete\n"
        "  them, which cannot be undone\n"
        "4 of their answers would no longer be in the cache, as no other run has them\n"
    )
    assert ids(store) == [*OLD, NEW]


def test_what_is_meant_is_deleted_with_all_that_is_of_it_and_the_file_shrinks(
    store: SqliteStore, llmeval: Command
) -> None:
    fill(store)
    store.set_baseline("main", OLD[1], utc_now())
    told = llmeval("prune", "--older-than", "30", "--delete", "--json").json()
    assert told["deleted"] and [each["id"] for each in told["runs"]] == [OLD[2], OLD[0]]
    assert [(each["id"], each["why"]) for each in told["stays"]] == [(OLD[1], "it is baseline main")]
    assert told["bytes_before"] > told["bytes_after"] == store.path.stat().st_size
    for table, column in TABLES.items():
        assert {row[column] for row in look(store.path, f"SELECT {column} FROM {table}")} <= {OLD[1], NEW}
    assert len(look(store.path, "SELECT 1 FROM scores")) == 12
    assert len(list(store.cases(OLD[1]))) == 6 and ids(store) == [OLD[1], NEW]
    again = llmeval("prune", "--older-than", "30", "--delete")
    assert (again.status, again.out.partition(";")[0]) == (0, "0 runs deleted")


def label(store: SqliteStore) -> None:
    case = next(store.cases(OLD[0])).id
    store.add_labels([Label(case_id=case, name="x", value=1.0, passed=True, rater="ann", note=None, at=utc_now())])


def prove(store: SqliteStore) -> None:
    store.put_training(replace(PASSED, proof=[{"base_run": OLD[0], "adapter_run": OLD[0]}]))


def compare(store: SqliteStore) -> None:
    store.resume_run(replace(store.known_run(NEW), settings={"baseline": {"run": OLD[0]}}))


def rescore(store: SqliteStore) -> None:
    store.resume_run(replace(store.known_run(OLD[1]), settings={"rescored": OLD[0]}))
    store.set_baseline("main", OLD[1], utc_now())


def interrupt(store: SqliteStore) -> None:
    store.finish_run(OLD[0], replace(END, finished_at="2025-01-01T00:00:00.000+00:00", status="interrupted"))


def go_on(store: SqliteStore) -> None:
    now: dict[str, Any] = {"pid": os.getpid(), "process_started": process_started(os.getpid()), "end": None}
    store.resume_run(replace(store.known_run(OLD[0]), **now))


@pytest.mark.parametrize(
    ("use", "why"),
    [
        (label, "people labelled its answers"),
        (prove, f"it is part of the proof of training {PASSED.id}"),
        (compare, f"run {NEW} was compared with it"),
        (rescore, f"run {OLD[1]} scored its answers again"),
        (interrupt, "it is interrupted and can be resumed (--even-unfinished includes it)"),
        (go_on, "it is still running"),
    ],
)
def test_a_run_that_is_of_use_stays(
    store: SqliteStore, llmeval: Command, use: Callable[[SqliteStore], None], why: str
) -> None:
    fill(store)
    use(store)
    told = llmeval("prune", "--older-than", "30", "--delete", "--json").json()
    assert {each["id"]: each["why"] for each in told["stays"]}[OLD[0]] == why
    assert OLD[0] in ids(store) and OLD[2] not in ids(store)


def test_an_unfinished_run_goes_where_that_is_said(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    interrupt(store)
    assert llmeval("prune", "--older-than", "30", "--delete", "--even-unfinished").status == 0
    assert ids(store) == [NEW]


@pytest.mark.parametrize("settings", [{"rescored": NEW}, {"rescored": OLD[1]}])
def test_a_scoring_that_cannot_be_resumed_goes(store: SqliteStore, llmeval: Command, settings: dict[str, str]) -> None:
    """It is made again, by another command, and its end says nothing of that."""
    fill(store)
    store.resume_run(replace(store.known_run(OLD[0]), settings=settings))
    interrupt(store)
    assert llmeval("prune", "--older-than", "30", "--delete").status == 0
    assert ids(store) == [NEW]


def test_a_merge_that_was_killed_can_be_repeated(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    store.resume_run(replace(store.known_run(OLD[0]), settings={"shards": ["a", "b"]}, pid=2**22 + 1, end=None))
    done = llmeval("prune", "--older-than", "30")
    assert f"{OLD[0]} stays: its merge was killed and can be repeated\n" in done.out


def test_a_reader_keeps_the_file_large_and_is_told(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        done = llmeval("prune", "--older-than", "30", "--delete")
    assert "note: another process is reading the file, which shrinks when that process\n  closes it\n" in done.out
    assert ids(store) == [NEW]


def test_beside_a_session_the_file_keeps_its_size(store: SqliteStore, llmeval: Command) -> None:
    """To write it anew takes long, and the session would wait."""
    fill(store)
    go_on(store)
    size = store.path.stat().st_size
    done = llmeval("prune", "--older-than", "30", "--delete")
    assert (done.status, "note: a session is running" in done.out) == (0, True)
    assert (ids(store), store.path.stat().st_size) == ([OLD[0], NEW], size)


def test_a_run_that_is_of_use_by_now_stays(store: SqliteStore) -> None:
    """Another process names it, or goes on with it, while those before it are deleted."""
    fill(store)
    with contextlib.closing(SqliteStore(store.path)) as other:
        gone = []
        for run_id in delete_runs(store, lambda: choose_runs(store, before="2026")):
            gone.append(run_id)
            other.set_baseline("main", OLD[1], utc_now())
    assert (gone, ids(store)) == ([OLD[2], OLD[0]], [OLD[1], NEW])


def test_a_process_that_is_killed_leaves_whole_runs(store: SqliteStore, here: Path, llmeval: Command) -> None:
    """It dies in the middle of a run: the first is gone, the others are as they were, and go the next time."""
    fill(store)
    code = f"""
import os, signal, sqlite3
from pathlib import Path
from pytest_llmeval.store.pruning import choose_runs, delete_runs
from pytest_llmeval.store.sqlite import SqliteStore
store = SqliteStore(Path({str(store.path)!r}))
deleting = delete_runs(store, lambda: choose_runs(store, before="2026"))
print(next(deleting), flush=True)
store._connection.execute("PRAGMA cache_spill = 1").fetchall()
store._connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
store._connection.execute("CREATE TEMP TRIGGER t AFTER DELETE ON main.runs BEGIN SELECT die(); END")
next(deleting)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (-signal.SIGKILL, [OLD[2]]), ended.stderr
    assert look(store.path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert look(store.path, "PRAGMA foreign_key_check") == []
    assert ids(store) == [OLD[0], OLD[1], NEW] and all(len(list(store.cases(each))) == 6 for each in ids(store))
    assert llmeval("prune", "--older-than", "30", "--delete").status == 0
    assert ids(store) == [NEW]


@pytest.mark.parametrize("arguments", [(), ("--older-than", "0"), ("--older-than", "all"), ("--older-than", "800000")])
def test_without_an_age_nothing_is_chosen(store: SqliteStore, llmeval: Command, arguments: tuple[str, ...]) -> None:
    fill(store)
    done = llmeval("prune", "--delete", *arguments)
    assert (done.status, "--older-than" in done.err) == (4, True)
    assert ids(store) == [*OLD, NEW]


def test_nothing_old_is_said_and_fails_nothing(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run(NEW, started_at=utc_now()))
    store.finish_run(NEW, RunEnd(finished_at=utc_now(), status="finished", exit_code=0, verdict="pass"))
    assert llmeval("prune", "--older-than", "30").out == "no run would be deleted\n"
    assert json.loads(llmeval("prune", "--older-than", "30", "--json").out)["runs"] == []
