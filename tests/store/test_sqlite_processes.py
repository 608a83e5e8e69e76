"""One file and several processes: killed at any moment, writing at once, making the file at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.at_once import at_once
from tests.support.records import call, record, score
from tests.support.stored_runs import END, look, run

ROOT = Path(__file__).parents[2]
KILLS = 20


def writer(path: Path, run_id: str, cases: int) -> "subprocess.Popen[str]":
    """Return a process that records a run of so many cases and prints each that was taken."""
    command = [sys.executable, "-m", "tests.support.writer", str(path), run_id, str(cases)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    """Return what a process printed, once it has ended as it should."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out


def assert_whole(path: Path) -> None:
    """Fail unless the file is in order by SQLite's own check."""
    assert look(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert look(path, "PRAGMA foreign_key_check") == []


def test_no_acknowledged_case_is_lost_when_a_writer_is_killed(path: Path) -> None:
    """Twenty times over, at another moment each time, in one and the same file."""
    SqliteStore(path).close()
    for kill in range(KILLS):
        run_id = f"r{kill}"
        process = writer(path, run_id, 100_000)
        assert process.stdout is not None and process.stderr is not None
        taken = [process.stdout.readline() for _ in range(kill)]
        time.sleep(kill % 5 * 0.003)
        process.send_signal(signal.SIGKILL)
        taken += process.stdout.readlines()
        assert process.stderr.read() == ""
        process.wait()
        acknowledged = {line.strip() for line in taken if line.endswith("\n")}
        stored = {row["sample_id"] for row in look(path, "SELECT sample_id FROM cases WHERE run_id = ?", run_id)}
        assert len(acknowledged) >= kill
        assert acknowledged <= stored
        assert len(stored) <= len(acknowledged) + 1
        process.stdout.close()
        process.stderr.close()
    assert_whole(path)
    halves = "SELECT id FROM cases WHERE (SELECT count(*) FROM scores WHERE case_id = cases.id) != 2"
    assert look(path, halves) == []
    assert look(path, "SELECT count(*) AS n FROM cases") == look(path, "SELECT count(*) AS n FROM calls")
    with closing(SqliteStore(path)) as store:
        assert {each.shown_status for each in store.runs() if each.id != "r0"} == {"crashed"}


def test_two_runs_at_once_on_one_file_are_both_whole(path: Path) -> None:
    """The file is made by whichever comes first."""
    processes = [writer(path, run_id, 150) for run_id in ("r", "s")]
    for process in processes:
        assert finish(process).split() == [str(number) for number in range(150)]
    counts = look(path, "SELECT run_id, count(*) AS n FROM cases GROUP BY run_id ORDER BY run_id")
    assert counts == [{"run_id": "r", "n": 150}, {"run_id": "s", "n": 150}]
    assert {row["status"] for row in look(path, "SELECT status FROM runs")} == {"finished"}
    assert_whole(path)


def test_four_processes_make_one_new_file(path: Path) -> None:
    """In a folder that is not there yet either: one migrates, the others wait."""
    processes = [writer(path, f"r{number}", 3) for number in range(4)]
    for process in processes:
        finish(process)
    assert look(path, "SELECT count(*) AS n FROM runs") == [{"n": 4}]
    assert look(path, "SELECT version FROM schema_version") == [{"version": 10}]
    assert look(path, "SELECT count(*) AS n FROM _sqlite_migrations") == [{"n": 10}]
    assert_whole(path)


def test_many_threads_open_a_new_file_at_the_same_moment(path: Path) -> None:
    """Closer together than processes can start."""

    def make(number: int) -> None:
        with closing(SqliteStore(path)) as store:
            store.start_run(run(f"r{number}"))

    assert at_once(8, make) == []
    assert look(path, "SELECT count(*) AS n FROM runs") == [{"n": 8}]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_writes_nothing(path: Path) -> None:
    """SQLite does not carry a connection across a fork: the file could be damaged."""
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                store.add_case("r", record("child"))
            except StoreError:
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0) == (child, 0)
        store.add_case("r", record("parent"))
        assert [case.key.sample_id for case in store.cases("r")] == ["parent"]


def test_of_many_that_resume_a_run_at_the_same_moment_one_goes_on(path: Path) -> None:
    """The others learn of it by the very step that would have made it theirs."""
    gate, won = threading.Barrier(6), list[int]()

    def resume(pid: int) -> None:
        with closing(SqliteStore(path)) as store:
            found = store.find_run("r")
            gate.wait()
            if store.resume_run(run("r", pid=pid), seen=found):
                won.append(pid)

    with closing(SqliteStore(path)) as store:
        store.start_run(run("r", pid=1))
    threads = [threading.Thread(target=resume, args=(pid,)) for pid in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["pid"] for row in look(path, "SELECT pid FROM runs")] == won


def test_a_writer_waits_for_another_that_holds_the_file(path: Path) -> None:
    with closing(SqliteStore(path)) as first, closing(SqliteStore(path)) as second:
        first.start_run(run("r"))
        first._connection.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.5, first._connection.commit)
        timer.start()
        second.start_run(run("s"))
        timer.join()
        assert {each.id for each in second.runs()} == {"r", "s"}


def test_a_reader_is_not_held_up_by_a_writer(path: Path) -> None:
    with closing(SqliteStore(path)) as first, closing(SqliteStore(path)) as second:
        first.start_run(run("r"))
        first._connection.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert [each.id for each in second.runs()] == ["r"]
        assert time.monotonic() - began < 5
        first._connection.rollback()


def test_a_run_can_finish_while_somebody_reads_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log cannot be folded in then; the run is finished all the same."""
    monkeypatch.setattr("pytest_llmeval.store.sqlite.BUSY_TIMEOUT_S", 0.2)
    with closing(SqliteStore(path)) as writing, closing(SqliteStore(path)) as reading:
        writing.start_run(run("r"))
        for number in range(10):
            writing.add_case("r", record(str(number)))
        cases = reading.cases("r")
        next(cases)
        writing.finish_run("r", END)
        assert writing.find_run("r").shown_status == "finished"
        assert len(list(cases)) == 9


def test_an_interrupt_within_a_case_leaves_the_store_usable(path: Path) -> None:
    """Whatever line it strikes: the case is there as a whole or not at all, and the next ones are stored.

    In a thread of its own: where a tracer raises, Python may forget to leave the exception that is handled, and what
    is raised later in that thread does not know its context.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(strike_every_line, path).result()


def strike_every_line(path: Path) -> None:
    case = record("struck", scores=(score(),), calls=(call(),))
    with closing(SqliteStore(path)) as store:
        for line in range(1, 1000):
            run_id = f"r{line}"
            store.start_run(run(run_id))
            was_struck = struck(line, partial(store.add_case, run_id, case))
            store.add_case(run_id, record("after"))
            stored = [
                (row["sample_id"], row["n"])
                for row in look(
                    path,
                    "SELECT sample_id, (SELECT count(*) FROM calls WHERE case_id = cases.id) AS n FROM cases"
                    " WHERE run_id = ? ORDER BY rowid",
                    run_id,
                )
            ]
            assert stored in ([("struck", 1), ("after", 0)], [("after", 0)]), line
            if not was_struck:
                break
        assert 20 < line < 999


def struck(line: int, act: Callable[[], object]) -> bool:
    """Do ``act`` with an interrupt at the line-th line of the code that writes; return whether it came so far."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal count
        if not frame.f_code.co_filename.endswith(("store/sqlite.py", "store/check.py", "contextlib.py")):
            return None
        if event == "line":
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # typeshed wants a tracer of a private name
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
