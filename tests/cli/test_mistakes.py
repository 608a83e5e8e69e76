"""Mistakes in what was typed or configured: status 4, one message, no traceback."""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader
from tests.cli.conftest import Command
from tests.support.stored_runs import END, newer, run
from tests.support.wrong_files import foreign, random_bytes, text_file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'."),
        (["shwo", "last"], "No such command 'shwo'; did you mean 'show'?"),
        (["runs", "--nope"], "No such option '--nope'."),
        (["runs", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1."),
        (["runs", "--limit", "x"], "Invalid value for '--limit': 'x' is not a valid int"),
        (["runs", "last"], "Got unexpected extra argument (last)"),
        (["show", "a", "b"], "Got unexpected extra argument (b)"),
        (["gate", "--thresholds"], "Option '--thresholds' requires an argument."),
        (["models", "nope"], "No such command 'nope'."),
        (["models", "fetch", "gpt-4o"], "'gpt-4o' is not 'smollm2'"),
        ([], "Usage: llmeval [OPTIONS] COMMAND [ARGS]..."),
    ],
)
def test_what_was_typed_wrongly_is_told(here: Path, llmeval: Command, arguments: list[str], message: str) -> None:
    done = llmeval(*arguments)
    assert (done.status, done.out) == (4, "")
    assert message in done.err


@pytest.mark.parametrize("command", ["runs", "show", "gate"])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_project_without_a_database_is_told_how_to_get_one(
    here: Path, llmeval: Command, command: str, flags: list[str]
) -> None:
    done = llmeval(command, *flags)
    assert (done.status, done.out) == (4, "")
    assert done.err == (
        "llmeval: .llmeval/llmeval.db: no such database; `pytest evals` makes one, --llmeval-db names another\n"
    )
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("command", ["runs", "show", "gate"])
def test_a_file_in_the_place_of_the_folder_is_told(here: Path, llmeval: Command, command: str) -> None:
    """``pytest evals`` would make no database there."""
    (here / ".llmeval").touch()
    done = llmeval(command)
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith(f"llmeval: {here / '.llmeval'}: a file, where the folder of the database ")


@pytest.mark.parametrize("command", ["show", "gate"])
@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nobody", "no run 'nobody'; `llmeval runs` lists them"),
        ("2025", "'2025' matches 2 runs: 20250102-000000-bbbbbb, 20250101-000000-aaaaaa"),
        ("\x1b[31m", r"no run '\x1b[31m'; `llmeval runs` lists them"),
    ],
)
def test_a_run_that_is_not_the_only_one_is_told(
    store: SqliteStore, llmeval: Command, command: str, ref: str, message: str
) -> None:
    for day, end in (("1", "aaaaaa"), ("2", "bbbbbb")):
        store.start_run(run(f"2025010{day}-000000-{end}", started_at=f"2025-01-0{day}T00:00:00.000+00:00"))
    done = llmeval(command, ref)
    assert (done.status, done.out) == (4, "")
    assert done.err == f"llmeval: {store.path}: {message}\n"


def test_an_empty_database_is_told_how_to_get_a_run(store: SqliteStore, llmeval: Command) -> None:
    done = llmeval("show")
    assert done.status == 4
    assert "no runs yet; `pytest evals` records one" in done.err


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text_file, "not a database; nothing was changed"),
        (random_bytes, "not a database; nothing was changed"),
        (folder, "not a regular file"),
        (foreign, "a database of something else"),
        (newer, "written by a newer version (schema 999"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("command", ["runs", "show", "gate"])
def test_a_file_that_is_no_database_of_ours_is_told(
    here: Path, llmeval: Command, command: str, make: Callable[[Path], None], message: str
) -> None:
    make(here / "x.db")
    done = llmeval(command, "--llmeval-db", "x.db")
    assert (done.status, done.out) == (4, "")
    assert re.match(r"llmeval: .*x\.db: ", done.err)
    assert message in done.err


def test_a_name_that_the_system_refuses_is_told(here: Path, llmeval: Command) -> None:
    done = llmeval("runs", "--llmeval-db", "x" * 300)
    assert done.status == 4
    assert "File name too long" in done.err


def test_a_database_above_that_may_not_be_looked_for_is_no_project_of_ours(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the folder of another user, beside folders of ours."""
    (here / "ours").mkdir()
    monkeypatch.chdir(here / "ours")
    with closing(SqliteStore(Path("x.db"))) as store:
        store.start_run(run(end=END))
    stat = os.stat

    def refuse(path: str, **options: bool) -> os.stat_result:
        if str(path) == str(here / ".llmeval" / "llmeval.db"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    done = llmeval("runs", "--llmeval-db", "x.db")
    assert (done.status, run().id in done.out) == (0, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nsuites: {qa: {exact: {mni: 1}}}\n", "t.yaml:2: suites.qa.exact.mni: unknown key 'mni'; did you"),
        ("version: [\n", "t.yaml:2: is not valid YAML"),
        ("", "t.yaml: is empty"),
    ],
)
def test_rules_that_cannot_be_read_are_told_with_their_line(
    store: SqliteStore, here: Path, llmeval: Command, text: str, message: str
) -> None:
    store.start_run(run())
    store.finish_run(run().id, END)
    (here / "t.yaml").write_text(text)
    done = llmeval("gate", "--thresholds", "t.yaml")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith(f"llmeval: {message}")


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_rules_that_are_not_there_are_told(store: SqliteStore, here: Path, llmeval: Command, name: str) -> None:
    store.start_run(run())
    done = llmeval("gate", "--thresholds", name)
    assert (done.status, done.out) == (4, "")
    assert f"{name}: no such file\n" in done.err or "is not a regular file" in done.err


def test_models_that_cannot_be_read_are_told_with_their_line(here: Path, llmeval: Command) -> None:
    (here / "models.yaml").write_text("models: [\n")
    done = llmeval("models")
    assert (done.status, done.out) == (4, "")
    assert "models.yaml:" in done.err


def test_the_installed_command_ends_with_the_status_4(here: Path, installed: Command) -> None:
    done = installed("show", "nobody")
    assert (done.status, done.out) == (4, "")
    assert "Traceback" not in done.err


def test_output_that_cannot_be_written_is_no_success(store: SqliteStore, installed: Command) -> None:
    store.start_run(run())
    with open("/dev/full", "w") as full:
        done = installed("show", stdout=full)
    assert done.status == 3
    assert done.err == "llmeval: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["show", "--json"], ["export", "csv"], ["models"], ["doctor"], ["--version"]],
    ids=" ".join,
)
def test_output_that_is_closed_is_no_success(store: SqliteStore, installed: Command, arguments: list[str]) -> None:
    """As jobs of some schedulers have it."""
    store.start_run(run())
    done = installed(*arguments, preexec_fn=lambda: os.close(1))
    assert (done.status, done.err) == (3, "llmeval: [Errno 9] Bad file descriptor\n")


def test_errors_that_nobody_can_be_told_change_no_status(recorded: SqliteStore, installed: Command, here: Path) -> None:
    """And what goes to the output is whole."""
    told = installed("show")
    assert installed("show", preexec_fn=lambda: os.close(2)) == told
    for arguments in (["show", "nobody"], ["nope"]):
        done = installed(*arguments, preexec_fn=lambda: os.close(2))
        assert (done.status, done.out, done.err) == (4, "", "")


def test_an_interrupt_ends_the_command_without_a_traceback(
    store: SqliteStore, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(reader: SqliteReader, most: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteReader, "newest", interrupt)
    assert llmeval("runs").status == 130


@pytest.mark.parametrize(
    ("damage", "whose"),
    [
        ("UPDATE runs SET settings_json = '{' || settings_json", f"run {run().id}: damaged settings_json: "),
        ("UPDATE runs SET models = '5'", f"run {run().id}: damaged models: no list"),
        ("UPDATE cases SET slices = '[\"'", "damaged slices: "),
    ],
    ids=["settings", "models", "slices"],
)
@pytest.mark.parametrize("command", ["show last", "gate last", "export jsonl last"])
def test_a_row_that_is_damaged_is_named_and_fails_no_rule(
    recorded: SqliteStore, here: Path, llmeval: Command, command: str, damage: str, whose: str
) -> None:
    """Pages that contradict each other SQLite tells itself; what a text says it does not look at."""
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {min: 0.5}}}\n")
    with closing(sqlite3.connect(recorded.path)) as connection, connection:
        connection.execute(damage)
    done = llmeval(*command.split())
    assert done.status == 4
    assert "the database cannot be used: " in done.err
    assert whose in done.err
    assert done.err.endswith("; restore a copy of it, or name another file with --llmeval-db\n")
    assert done.err.count("\n") == 1


def test_the_doctor_reads_what_texts_of_the_database_say(recorded: SqliteStore, llmeval: Command) -> None:
    """And leaves nothing beside it."""
    recorded.close()
    before = sorted(recorded.path.parent.iterdir())
    assert "ok       .llmeval/llmeval.db: fine\n" in llmeval("doctor").out
    for column, table in {"request": "calls", "slices": "cases", "settings_json": "runs"}.items():
        with closing(sqlite3.connect(recorded.path)) as connection, connection:
            connection.execute(f"UPDATE {table} SET {column} = '['")
        done = llmeval("doctor")
        assert done.status == 1
        assert re.search(rf"problem  \.llmeval/llmeval\.db: .*damaged\s+{column}", done.out, re.DOTALL)
    assert sorted(recorded.path.parent.iterdir()) == before
