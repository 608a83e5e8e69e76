"""Runs in a store: found, ended, crashed."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import Run, RunEnd, new_run_id, utc_now
from tests.support.any_store import Store
from tests.support.records import record
from tests.support.stored_runs import END, run

# Runs


def test_a_run_comes_back_as_it_was_recorded(store: Store) -> None:
    given_ = run(
        name="nightly ü",
        models=("a", "b"),
        judge_models=("j",),
        git_commit="c" * 40,
        git_branch="main",
        git_dirty=False,
        dataset_digest="d" * 64,
        settings={"options": {"limit": None, "slice": ["a"]}, "partial": True},
        process_started="123",
    )
    store.start_run(given_)
    assert store.runs() == [given_]
    store.finish_run(given_.id, END)
    assert store.runs() == [replace(given_, end=END)]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"options": {"epochs": 3}}, None),
        ({"options": {"epochs": 3}, "escalated": True}, 1),
        ({"options": {"epochs": 5}, "escalated": True, "first_look": 1}, 1),
        ({"options": {"epochs": 3}, "escalated": False, "first_look": None}, None),
        ({"escalated": True}, None),
    ],
)
def test_the_epochs_of_a_first_look_are_those_that_a_run_noted(settings: dict[str, Any], epochs: int | None) -> None:
    """Or two less than it has, where it noted none."""
    assert run(settings=settings).first_look == epochs


@pytest.mark.parametrize("dirty", [True, False, None])
def test_whether_the_tree_was_dirty_has_three_answers(store: Store, dirty: bool | None) -> None:
    store.start_run(run(git_dirty=dirty))
    assert store.runs()[0].git_dirty is dirty


@pytest.mark.parametrize(
    ("status", "exit_code", "verdict"),
    [("finished", 1, "fail"), ("interrupted", 2, "none"), ("unmeasurable", 10, "unmeasurable")],
)
def test_how_a_run_ended_is_kept(store: Store, status: Any, exit_code: int, verdict: Any) -> None:
    end = RunEnd(finished_at=utc_now(), status=status, exit_code=exit_code, verdict=verdict)
    store.start_run(run("r"))
    store.finish_run("r", end)
    found = store.find_run("r")
    assert found.end == end
    assert found.shown_status == status


def test_runs_come_newest_first(store: Store) -> None:
    """The one recorded last is the newest, as a clock may go back; one of elsewhere has its place by its time."""
    for run_id, second in (("a", 2), ("b", 4), ("c", 1), ("d", 4)):
        store.start_run(run(run_id, started_at=f"2025-01-02T03:04:0{second}.000+00:00"))
    store.import_run(run("e", started_at="2025-01-02T03:04:03.000+00:00", host="", pid=0), [])
    assert [each.id for each in store.runs()] == ["d", "c", "b", "e", "a"]
    store.start_run(run("f", started_at="2025-01-02T03:04:00.000+00:00"))
    assert store.find_run("last").id == "f"


RUNS = [
    run("20250101-000000-aaaaaa", name="first", started_at="2025-01-01T00:00:00.000+00:00"),
    run("20250102-000000-aaabbb", name="nightly", started_at="2025-01-02T00:00:00.000+00:00"),
    run("20250103-000000-bbbbbb", name="nightly", started_at="2025-01-03T00:00:00.000+00:00"),
    run("20250104-000000-cccccc", name="2025", started_at="2025-01-04T00:00:00.000+00:00"),
]


@pytest.mark.parametrize(
    ("ref", "index"),
    [
        ("last", 3),
        ("20250101-000000-aaaaaa", 0),
        ("20250101", 0),
        ("20250102-000000-a", 1),
        ("first", 0),
        ("nightly", 2),
        ("2025", 3),
    ],
)
def test_a_run_is_found_by_id_beginning_name_or_last(store: Store, ref: str, index: int) -> None:
    for each in RUNS:
        store.start_run(each)
    assert store.find_run(ref) == RUNS[index]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("202", r"'202' matches 4 runs: 20250104-000000-cccccc, 20250103.* and 1 more"),
        ("nobody", r"no run 'nobody'; `llmeval runs` lists them"),
        ("night", r"no run 'night'; did you mean 'nightly'\?"),
        ("lsat", r"no run 'lsat'; did you mean 'last'\?"),
        ("", r"no run ''"),
        ("%", r"no run '%'"),
        ("../../pwn", r"no run '\.\./\.\./pwn'"),
        ("\x1b[31m", r"no run '\\x1b\[31m'"),
    ],
)
def test_a_run_that_is_not_there_or_not_the_only_one_is_an_error(store: Store, ref: str, message: str) -> None:
    for each in RUNS:
        store.start_run(each)
    with pytest.raises(StoreError, match=message):
        store.find_run(ref)


@pytest.mark.parametrize("ref", ["last", "20250101"])
def test_an_empty_store_says_how_to_get_a_run(store: Store, ref: str) -> None:
    with pytest.raises(StoreError, match=r"no runs yet; `pytest evals` records one"):
        store.find_run(ref)


def test_a_store_can_be_closed_twice(store: Store) -> None:
    store.close()
    store.close()


# A run whose process is gone


def sleeping() -> "subprocess.Popen[bytes]":
    """Return a process that sleeps."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def of_process(pid: int) -> Run:
    """Return a run that the process is recording."""
    return run("r", pid=pid, process_started=process_started(pid))


def test_a_run_is_shown_as_crashed_once_its_process_was_killed(store: Store) -> None:
    process = sleeping()
    try:
        store.start_run(of_process(process.pid))
        assert store.find_run("r").shown_status == "running"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert store.find_run("r").shown_status == "crashed"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not show the state of a process")
def test_a_killed_process_that_nobody_waited_for_is_gone_too(store: Store) -> None:
    """In a container without an init process it stays a zombie for ever."""
    process = sleeping()
    store.start_run(of_process(process.pid))
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert store.find_run("r").shown_status == "crashed"
    finally:
        process.wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when a process started")
def test_another_process_with_the_same_number_is_not_that_of_the_run(store: Store) -> None:
    store.start_run(run("r", pid=os.getpid(), process_started="1"))
    assert store.find_run("r").shown_status == "crashed"


def test_a_run_that_an_older_version_recorded_here_is_of_this_machine(store: Store) -> None:
    """It noted the name of the machine alone."""
    store.start_run(run("r", host=socket.gethostname(), process_started="0", started_at=utc_now()))
    assert store.find_run("r").shown_status == "crashed"


def test_where_processes_have_no_namespaces_the_name_of_the_machine_tells_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "readlink", refuse)
    store.start_run(run("r", process_started="0", started_at=utc_now()))
    assert store.find_run("r").host == socket.gethostname()
    assert store.find_run("r").shown_status == "crashed"


def test_a_process_of_another_user_is_seen_to_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    started = of_process(os.getpid())

    def refuse(pid: int, signal_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    store.start_run(started)
    assert store.find_run("r").shown_status == "running"


def test_a_process_whose_start_the_system_hides_is_taken_to_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``/proc`` may hide the processes of other users (``hidepid``): nothing says then that it is a later one."""
    store.start_run(of_process(os.getpid()))

    def refuse(*arguments: object, **options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("pytest_llmeval.store.processes.open", refuse, raising=False)
    assert store.find_run("r").shown_status == "running"


def test_the_process_of_another_machine_is_taken_to_run(store: Store) -> None:
    store.start_run(run("r", host="elsewhere", pid=2**22 - 1, process_started="1", started_at=utc_now()))
    assert store.find_run("r").shown_status == "running"


def ago(**span: float) -> str:
    """Return a time of before as runs have it."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="milliseconds")


def test_the_process_of_another_machine_is_gone_where_nothing_was_recorded_for_six_hours(store: Store) -> None:
    """As in the database of a CI job that was killed, on the next runner. A case or a resumption is a sign of life."""
    store.start_run(run("r", host="elsewhere", started_at=ago(days=2)))
    assert store.find_run("r").shown_status == "crashed"
    store.add_case("r", record("a", started_at=ago(hours=5)))
    store.add_case("r", record("b", started_at=ago(hours=7)))
    assert store.find_run("r").shown_status == "running"
    store.start_run(run("s", host="elsewhere", started_at=ago(days=2)))
    store.add_case("s", record("a", started_at=ago(hours=7)))
    assert store.find_run("s").shown_status == "crashed"
    again = {"resumes": [{"at": ago(hours=1)}, {"version": "0.1.0"}]}
    store.resume_run(run("s", host="elsewhere", started_at=ago(days=2), settings=again))
    assert store.find_run("s").shown_status == "running"


def test_a_run_of_this_machine_may_be_silent_for_as_long_as_its_process_lives(store: Store) -> None:
    store.start_run(of_process(os.getpid()))
    assert store.find_run("r").started_at < ago(days=2)
    assert store.find_run("r").shown_status == "running"


def test_a_run_that_ended_is_not_crashed_when_its_process_is_gone(store: Store) -> None:
    store.start_run(run("r", pid=2**22 - 1, process_started="1"))
    store.finish_run("r", END)
    assert store.find_run("r").shown_status == "finished"


def test_where_the_system_says_nothing_a_process_is_taken_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """No /proc (macOS), or signals that would end the process (Windows)."""

    def refuse(*arguments: object, **options: object) -> None:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr("pytest_llmeval.store.processes.open", refuse, raising=False)
        assert process_started(os.getpid()) == ""
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        patch.setattr(os, "kill", refuse)
        assert process_started(os.getpid()) == ""


def test_run_ids_are_different_and_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(20)]  # 24 random bits within a second: of more, two may be equal by chance
    assert len(set(ids)) == 20
    assert [each[:15] for each in ids] == sorted(each[:15] for each in ids)
