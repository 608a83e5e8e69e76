"""The ground gives way: the file is gone, full, locked, foreign or read-only (rows S2 to S13)."""

import contextlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.records import closing
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store import sqlite
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.project import Project
from tests.support.sessions import Held, Session, journal_answers, requests, shown_status, wait_until

ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(30)]
ECHO = "def test_echo(sample, response):\n    assert response.text == sample.input\n"
LOSING = """
def test_echo(sample, response):
    import os

    if sample.id == "r05":
        os.%s
"""
SLOTS = "--max-connections=4"
SCHEMA_1 = Path(__file__).parents[1] / "store" / "schema_1.db"


def database(project: Project) -> Path:
    return project.root / ".llmeval" / "llmeval.db"


@pytest.mark.parametrize(
    ("loss", "dist"),
    [
        ("unlink('.llmeval/llmeval.db')", ["-p", "no:xdist"]),
        ("unlink('.llmeval/llmeval.db')", ["-n2"]),
        ("replace('data/echo.jsonl', '.llmeval/llmeval.db')", ["-n0"]),
    ],
)
def test_a_database_that_goes_ends_the_calls_and_no_answer_is_lost(
    project: Project, loss: str, dist: list[str]
) -> None:
    """The journal is there still; the next opening finds what it holds, in a run that is shown as broken off."""
    rows = [{**row, "id": f"{row['id']}{part}"} for part in ("", *"abcdefghi") for row in ROWS]  # more than is ahead
    project.eval(LOSING % loss, rows)
    result = project.run("evals", SLOTS, *dist, inside=False)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*the run broke off*llmeval.db*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert ("continue with: pytest --resume 2" in result.stdout.str()) == ("unlink" in loss)
    count = len(project.server.ledger)
    assert count < len(rows)
    database(project).unlink(missing_ok=True)
    project.eval(ECHO, ROWS, name="next")
    (project.root / "evals" / "test_echo.py").unlink()
    assert project.run("evals", "--limit=1").ret == 0
    newest = project.last_run()["id"]
    kept = project.rows("SELECT count(*) AS n FROM calls WHERE status = 'ok' AND run_id != ?", newest)[0]["n"]
    assert count - 4 <= kept <= count
    assert project.rows("SELECT count(*) AS n FROM runs") == [{"n": 2}]


FAILING = "def test_own():\n    assert False\n"
BREAKING = """
import os

WORKERS = []

def pytest_configure(config):
    WORKERS[:] = ["this one"] if hasattr(config, "workerinput") else []

def pytest_runtest_logreport(report):
    if not WORKERS and not os.path.exists(".llmeval/llmeval.db"):
        raise ValueError("a plugin broke")
"""


@pytest.mark.parametrize(
    ("files", "more", "status"),
    [
        ({"evals__test_before_py": FAILING}, "", 1),
        ({}, "        raise KeyboardInterrupt\n", 2),
        ({"conftest_py": BREAKING}, "", 3),
        ({"evals__test_before_py": FAILING.replace("False", "True")}, "        raise RuntimeError('an error')\n", 10),
    ],
    ids=["failed", "interrupted", "broken", "none of them"],
)
def test_a_database_that_goes_hides_nothing_that_counts_before_it(
    project: Project, files: dict[str, str], more: str, status: int, spread: list[str]
) -> None:
    """A test that failed, an interrupt and an internal error keep their status; a stop of our own is none."""
    project.eval(LOSING % "unlink('.llmeval/llmeval.db')" + more, ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n", **files)
    result = project.run("evals", SLOTS, *spread, inside=False)
    assert result.ret == status, result.stdout.str()
    if status != 3:  # pytest shows no summary then
        result.stdout.fnmatch_lines(["*the run broke off*llmeval.db*"])


def test_a_run_whose_database_went_can_go_on(project: Project) -> None:
    """What its journal holds is asked for no second time."""
    once = LOSING.replace('sample.id == "r05"', 'sample.id == "r05" and not os.path.exists("gone")')
    once = (
        once.replace("    import os\n\n", "    import os\n    import pathlib\n\n")
        + '        pathlib.Path("gone").touch()\n'
    )
    project.eval(once % "unlink('.llmeval/llmeval.db')", ROWS)
    assert project.run("evals", SLOTS, inside=False).ret == 10
    database(project).unlink(missing_ok=True)
    asked = len(project.server.ledger)
    result = project.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert len(project.cases()) == len(ROWS)
    assert asked <= len(project.server.ledger) <= len(ROWS) + 4  # those in flight as it went


def test_a_journal_that_goes_ends_the_calls(project: Project) -> None:
    project.eval(LOSING % "unlink(__import__('glob').glob('.llmeval/*.journal')[0])", ROWS)
    result = project.run("evals", SLOTS, "-p", "no:xdist", inside=False)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*the run broke off*journal was removed*"])
    assert len(project.server.ledger) < len(ROWS)
    assert len(project.rows("SELECT * FROM cases WHERE outcome = 'passed'")) >= 5


def test_a_full_disk_ends_the_calls_and_leaves_a_whole_file(project: Project) -> None:
    """A limit on the size of files stands for it."""
    project.server.reply = lambda messages: "x" * 20_000
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    limit = 320_000
    command = [
        sys.executable,
        "-m",
        "pytest",
        "evals",
        f"--model={project.model}",
        "--max-connections=2",
        "-p",
        "no:xdist",
    ]
    done = subprocess.run(
        command,
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 10, done.stdout + done.stderr
    assert "the run broke off" in done.stdout
    assert "continue with: pytest --resume 2" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert len(project.server.ledger) < len(ROWS)
    assert project.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert shown_status(project) == "crashed"
    result = project.run("evals", "--resume=last", model="")
    assert result.ret == 0, result.stdout.str()
    assert len(project.server.ledger) <= len(ROWS) + 4


FULL = """
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.journal import SqliteJournal

whole, kept = SqliteJournal.keep, []

def keep(self, answers, **more):
    kept.extend(answers)
    if len(kept) > 8 and answers:
        raise StoreError("the disk is full")
    whole(self, answers, **more)

SqliteJournal.keep = keep
"""


def test_answers_that_a_full_disk_could_not_take_are_counted(project: Project, dist_args: list[str]) -> None:
    """By the session that lost them, which alone knows that they came."""
    project.eval(ECHO, ROWS)
    project.write(conftest_py=FULL)
    result = project.run("evals", SLOTS, *dist_args, inside=False)
    assert result.ret == 10
    lost = len(project.server.ledger) - len(journal_answers(project))
    assert 1 <= lost <= 8
    answers = "1 answer" if lost == 1 else f"{lost} answers"
    told = f"{answers} came and could not be stored: to go on means asking, and paying, for as many again"
    result.stdout.fnmatch_lines([told, "continue with: pytest --resume *"])
    (project.root / "conftest.py").unlink()
    result = project.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 0
    assert "no answer was kept, and" in " ".join(result.stdout.str().split())
    assert len(project.server.ledger) <= len(ROWS) + lost


@pytest.mark.parametrize("before", ["none", "older", "carried"])
def test_a_file_system_without_a_write_ahead_log_is_told_of_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """Files of SQLite's dot-file locks stand for it: they have no memory that processes share, either."""
    real: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connect(database: str | Path, **options: Any) -> sqlite3.Connection:
        uri = str(database) if str(database).startswith("file:") else Path(database).absolute().as_uri()
        return real(f"{uri}{'&' if '?' in uri else '?'}vfs=unix-dotfile", **{**options, "uri": True})

    if before == "older":
        database(project).parent.mkdir()
        shutil.copy(SCHEMA_1, database(project))
        with contextlib.closing(real(database(project))) as file:
            file.execute("PRAGMA journal_mode = delete").fetchall()
    project.eval(ECHO, ROWS[:2])
    if before == "carried":
        project.run("evals")
    monkeypatch.setattr(sqlite3, "connect", connect)
    result = project.run("evals", *(["--resume=last"] if before == "carried" else []))
    assert result.ret == 0
    told = " ".join(result.stdout.str().split())
    assert told.count("note: the file system of .llmeval/llmeval.db does not support a write-ahead log (jour") == 1
    copies = [path.name for path in database(project).parent.glob("*.bak")]
    assert copies == (["llmeval.db.schema-1.bak"] if before == "older" else [])


@pytest.mark.parametrize("moment", ["start", "middle"])
def test_a_database_that_is_locked_for_a_while_is_waited_for(project: Project, moment: str) -> None:
    project.eval(ECHO, ROWS[:6])
    held = Held(project.server, 6 if moment == "start" else 2)
    if moment == "start":
        project.run("evals", "--limit=1")
        held = Held(project.server, 6)
    with Session(project, "-p", "no:xdist") if moment == "middle" else contextlib.nullcontext() as session:
        if session is not None:
            wait_until(lambda: len(project.server.ledger) == 6, "all are asked")
        lock = sqlite3.connect(database(project), isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.8, lock.close)
        start = time.monotonic()
        release.start()
        held.open()
        status = session.end() if session is not None else project.run("evals").ret
        release.join()
    assert status == 0
    assert time.monotonic() - start >= 0.7
    assert len(project.cases()) == 6


def test_waiting_for_a_database_that_another_process_holds_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the summary; where it is held for ever nothing is asked, and the refusal says what to do."""
    monkeypatch.setattr(closing, "_LONG_S", 0.5)
    project.eval(
        """
        def test_echo(sample, response):
            import sqlite3
            import threading

            lock = sqlite3.connect(".llmeval/llmeval.db", isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN EXCLUSIVE")
            threading.Timer(1.6, lock.close).start()
        """,
        ROWS[:1],
    )
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: waited [12] s in all for the database: another process held it, or *"])
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    asked = len(project.server.ledger)
    with contextlib.closing(sqlite3.connect(database(project), isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        result = project.run("evals", "-p", "no:xdist")
    assert (result.ret, len(project.server.ledger)) == (4, asked)
    told = "database is locked; it stayed locked by another process: end that one"
    assert told in " ".join(result.stderr.str().split())


NEVER_WRITTEN = """
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.sqlite import SqliteStore

def add_case(self, *arguments):
    open("waited.txt", "a").write("x")
    raise StoreError("database is locked")

SqliteStore.add_case = add_case
"""


def test_a_database_that_stays_locked_is_waited_for_once(project: Project) -> None:
    """Workers send what they had begun: each of these cases would wait as long again."""
    project.eval(ECHO, ROWS[:8])
    project.write(conftest_py=NEVER_WRITTEN)
    assert project.run("evals", "-n2", "-W", "ignore::ResourceWarning").ret == 10
    assert (project.root / "waited.txt").read_text("utf-8") == "x"


def test_the_last_run_is_the_one_recorded_last_where_the_clock_went_back(project: Project) -> None:
    project.eval(ECHO, ROWS[:2])
    project.run("evals")
    with contextlib.closing(sqlite3.connect(database(project))) as file, file:
        file.execute("UPDATE runs SET started_at = '2999-01-01T00:00:00.000+00:00'")
    project.run("evals")
    (last,) = project.rows("SELECT id FROM runs ORDER BY rowid DESC LIMIT 1")
    result = project.run("evals", "--resume=last", model="")
    result.stdout.fnmatch_lines([f"run {last['id']} is in *"])


def test_a_run_that_cannot_be_shown_ends_as_it_was_judged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def spending(self: SqliteStore, run_id: str) -> None:
        raise StoreError("database is locked")

    monkeypatch.setattr(SqliteStore, "spending", spending)
    project.eval(ECHO, ROWS[:2])
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*= llmeval =*", "the run cannot be shown: database is locked"])
    assert project.last_run()["verdict"] == "none"


def test_two_runs_at_once_share_a_file_and_nothing_else(project: Project) -> None:
    project.eval(ECHO, ROWS)
    with Session(project, "--run-name=one") as one, Session(project, "-n2", "--run-name=two") as two:
        assert (one.end(), two.end()) == (0, 0)
    assert requests(project.server) == Counter({row["input"]: 2 for row in ROWS})
    assert project.rows("SELECT count(*) AS n FROM cases GROUP BY run_id") == [{"n": 30}, {"n": 30}]
    assert {row["status"] for row in project.rows("SELECT status FROM runs")} == {"finished"}
    assert sorted(path.name for path in database(project).parent.iterdir()) == [".gitignore", "llmeval.db"]


def test_a_run_beside_one_that_goes_on_leaves_its_journal_alone(project: Project) -> None:
    project.eval(ECHO, ROWS[:6])
    held = Held(project.server, 2)
    with Session(project, "-p", "no:xdist") as session:
        wait_until(lambda: len(project.server.ledger) == 6, "all are asked")
        project.server.reply = lambda messages: str(messages[-1]["content"])
        assert project.run("evals").ret == 0
        assert len(list(database(project).parent.glob("*.journal"))) == 1
        held.open()
        assert session.end() == 0
    assert len(project.server.ledger) == 12
    assert project.rows("SELECT count(*) AS n FROM cases GROUP BY run_id") == [{"n": 6}, {"n": 6}]


@pytest.mark.parametrize(
    "content", [b"not a database at all", b"\x00\xff" * 4000, b"SQLite format 3\x00" + b"\x01" * 200]
)
def test_a_foreign_file_is_refused_before_any_call_and_left_alone(project: Project, content: bytes) -> None:
    project.eval(ECHO, ROWS[:2])
    database(project).parent.mkdir()
    database(project).write_bytes(content)
    result = project.run("evals")
    assert result.ret == 4
    assert database(project).read_bytes() == content
    assert project.server.ledger == []
    assert "Traceback" not in result.stderr.str()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(project: Project, spread: list[str]) -> None:
    project.eval(ECHO, ROWS[:2])
    assert project.run("evals").ret == 0
    with contextlib.closing(sqlite3.connect(database(project))) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = database(project).read_bytes()
    result = project.run("evals", *spread)
    assert result.ret == 4
    assert "written by a newer version (schema 999" in " ".join(result.stderr.str().split())
    assert database(project).read_bytes() == before
    assert len(project.server.ledger) == 2


@pytest.mark.parametrize("place", ["/proc/llmeval/llmeval.db", "data/echo.jsonl/llmeval.db", "data"])
def test_a_place_that_cannot_hold_it_is_refused_before_any_call(project: Project, place: str) -> None:
    """A read-only file system, a file where a folder should be, a folder."""
    project.eval(ECHO, ROWS[:2])
    result = project.run("evals", f"--llmeval-db={place}")
    assert result.ret == 4
    assert place.rpartition("/")[2] in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert project.server.ledger == []


def test_a_finished_run_is_whole_in_its_one_file(project: Project) -> None:
    """Copied right after the end, without anything beside it, it has all rows."""
    project.eval(ECHO, ROWS[:6])
    project.run("evals", inside=False)
    copy = project.root / "copy.db"
    copy.write_bytes(database(project).read_bytes())
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM cases").fetchone() == (6,)
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (6,)
