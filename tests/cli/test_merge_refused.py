"""What llmeval merge refuses: shards that are not those of one run, and files that hold something else."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command, Done
from tests.support.shard_files import shard_file, shard_run
from tests.support.stored_runs import END, run


def refused(llmeval: Command, *files: Path) -> str:
    """Return why the files are refused; nothing is written then."""
    done: Done = llmeval("merge", *map(str, files), "--into", "all.db")
    assert done.status == 4
    assert not Path("all.db").exists()
    return done.err


def change(path: Path, sql: str) -> None:
    """Change a file as no run of ours does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


@pytest.mark.parametrize(("there", "missing"), [("13", ["2/3"]), ("2", ["1/3", "3/3"])])
def test_a_missing_shard_is_named(here: Path, llmeval: Command, there: str, missing: list[str]) -> None:
    told = refused(llmeval, *(shard_file(here, f"{number}/3") for number in there))
    assert [line for line in told.splitlines() if "missing" in line] == [
        f"- shard {each} is missing" for each in missing
    ]


def test_a_doubled_shard_is_named_with_its_files(here: Path, llmeval: Command) -> None:
    one, two = (shard_file(here, f"{number}/2") for number in (1, 2))
    copy = here / "copy.db"
    copy.write_bytes(one.read_bytes())
    told = refused(llmeval, one, two, copy)
    assert (
        f"shard 1/2 was given 2 times: run 20250102-030401-000002 in {one}, run 20250102-030401-000002 in {copy}"
        in told
    )
    assert told.rstrip().endswith("; name one of them")
    assert "shard 2/2 was given 2 times" in refused(llmeval, one, two, two)


def test_of_many_missing_shards_a_few_are_named(here: Path, llmeval: Command) -> None:
    """The number in a file may be anything."""
    assert refused(llmeval, shard_file(here, "1/99999999999")).count("is missing") == 10


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "other"}, "the name (other, there none)"),
    "commit": ({"git_commit": "b" * 40}, "the commit (bbbbbbbbb, there none)"),
    "suites": ({"settings": {"suites": {"tone": {"expected": {"m": 2}}}}}, "the suites"),
    "rows": ({"dataset_digest": "f" * 64}, "the rows"),
    "version": ({"version": "9.9.9"}, "the version of pytest-llmeval (9.9.9, there 0.1.0)"),
    "limit": (
        {"settings": {"options": {"limit": 5, "thresholds": "thresholds.yaml", "baseline": None}}},
        "--limit (5, there none)",
    ),
    "models": ({"settings": {"models": {"m": "openai:n"}}}, "the models"),
    "selection": ({"settings": {"markexpr": "regression"}}, "-m (regression, there none)"),
    "code": (
        {"settings": {"suites": {"qa": {"prompt_digest": "p", "code_digest": "d"}}}},
        "the code of the test or of a scorer of suite qa",
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_shards_that_differ_are_no_run(here: Path, llmeval: Command, what: str) -> None:
    fields, told = DIFFERENT[what]
    one, two = shard_file(here, "1/2"), shard_file(here, "2/2", **fields)
    lines = refused(llmeval, one, two).splitlines()
    assert "- shard 2/2 is missing" in lines
    assert any(line.startswith(f"- run 20250102-030402-000002 in {two}, shard 2/2, differs from") for line in lines)
    assert any(line.endswith(f" in {told}") for line in lines), lines


def test_another_number_of_shards_is_another_run(here: Path, llmeval: Command) -> None:
    told = refused(llmeval, shard_file(here, "1/2"), shard_file(here, "2/3"))
    assert "in the number of shards" in told


@pytest.mark.parametrize(
    ("end", "told"), [(replace(END, status="interrupted", exit_code=2), "was interrupted"), (None, "crashed")]
)
def test_a_shard_that_did_not_end_is_no_part(here: Path, llmeval: Command, end: Any, told: str) -> None:
    files = [shard_file(here, "1/2"), shard_file(here, "2/2", end=end, pid=4194305)]
    again = f"pytest --resume 20250102-030402-000002 --llmeval-db {files[1]} (with the paths of the run)"
    line = f"- shard 2/2: run 20250102-030402-000002 in {files[1]} {told}; continue with: {again}"
    assert line in refused(llmeval, *files).splitlines()


def test_a_later_run_that_broke_off_counts_before_an_older_one(here: Path, llmeval: Command) -> None:
    """Nobody knows what it would have said."""
    files = [shard_file(here, "1/2"), shard_file(here, "2/2")]
    with closing(SqliteStore(files[1])) as store:
        again = replace(shard_run("2/2"), id="20250103-000000-000002", started_at="2025-01-03T00:00:00.000+00:00")
        store.start_run(replace(again, end=replace(END, status="interrupted", exit_code=2)))
    assert "run 20250103-000000-000002" in refused(llmeval, *files)


def test_a_file_without_a_shard_is_named(here: Path, llmeval: Command) -> None:
    with closing(SqliteStore(here / "whole.db")) as store:
        store.start_run(run(end=END))
    told = refused(llmeval, here / "whole.db")
    assert "whole.db: it holds no run of a shard; pytest --shard i/N records one" in told


def truncated(path: Path) -> None:
    os.truncate(path, 3 * 4096)


def overwritten(path: Path) -> None:
    path.write_text("not a database")


HOSTILE: dict[str, Callable[[Path], None]] = {
    "text": overwritten,
    "cut off": truncated,
    "empty": lambda path: os.truncate(path, 0),
    "another program's": lambda path: change(path, "DROP TABLE verdicts"),
    "no column": lambda path: change(path, "ALTER TABLE cases DROP COLUMN waited_s"),
    "newer": lambda path: change(path, "PRAGMA user_version = 99"),
    "older": lambda path: change(path, "PRAGMA user_version = 3"),
    "settings that are no JSON": lambda path: change(path, "UPDATE runs SET settings_json = '{'"),
    "settings that are a list": lambda path: change(path, "UPDATE runs SET settings_json = '[]'"),
    "suites that are a text": lambda path: change(
        path, 'UPDATE runs SET settings_json = \'{"shard":"2/2","suites":1}\''
    ),
    "a shard that is none": lambda path: change(path, 'UPDATE runs SET settings_json = \'{"shard":"9/2"}\''),
    "a shard of a list": lambda path: change(path, "UPDATE runs SET settings_json = '{\"shard\":[1]}'"),
    "slices that are no JSON": lambda path: change(path, "UPDATE cases SET slices = 'x'"),
    "deep slices": lambda path: change(path, f"UPDATE cases SET slices = '{'[' * 100_000}'"),
    "a value that is a text": lambda path: change(path, "UPDATE cases SET latency_s = 'soon'"),
    "an infinite value": lambda path: change(path, "UPDATE cases SET cost_usd = 9e999"),
    "bytes": lambda path: change(path, "UPDATE cases SET response = x'00ff'"),
    "a call that is not JSON": lambda path: change(path, "UPDATE calls SET request = '{'"),
    "a call whose request is a list": lambda path: change(path, "UPDATE calls SET request = '[]'"),
    "a call whose detail is nothing": lambda path: change(path, "UPDATE calls SET detail = 'null'"),
    "a call of bytes": lambda path: change(path, "UPDATE calls SET model = x'00ff'"),
    "a process of too large a number": lambda path: change(path, f"UPDATE runs SET status = 'running', pid = {2**40}"),
    "a process that is a text": lambda path: change(path, "UPDATE runs SET status = 'running', pid = 'x'"),
    "rows of another shard": lambda path: change(path, "UPDATE cases SET sample_id = 'row0' || sample_id || 'x'"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_from_any_hand_is_named_and_nothing_of_it_is_kept(here: Path, llmeval: Command, what: str) -> None:
    files = [shard_file(here, "1/2"), shard_file(here, "2/2")]
    HOSTILE[what](files[1])
    done = llmeval("merge", *map(str, files), "--into", "all.db")
    assert done.status == 4
    assert done.err.startswith(f"llmeval: {files[1]}: ")
    assert len(done.err) < 400
    if Path("all.db").exists():
        with closing(sqlite3.connect("all.db")) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_file_that_is_not_there(here: Path, llmeval: Command) -> None:
    assert "nowhere.db: no such file" in refused(llmeval, here / "nowhere.db")
    assert refused(llmeval, here) == f"llmeval: {here}: a folder; name the databases in it\n"


@pytest.mark.parametrize("into", ["machine1.db", "machine2.db", "link.db"])
def test_the_joined_run_goes_into_no_shard(here: Path, llmeval: Command, into: str) -> None:
    files = [shard_file(here, "1/2"), shard_file(here, "2/2")]
    (here / "link.db").symlink_to(files[0])
    before = [file.read_bytes() for file in files]
    done = llmeval("merge", *map(str, files), "--into", into)
    assert (done.status, done.out) == (4, "")
    assert done.err == f"llmeval: --into {into}: one of the shards' files, which are never changed; name another\n"
    assert [file.read_bytes() for file in files] == before


def test_the_files_of_the_shards_stay_as_they_are(here: Path, llmeval: Command) -> None:
    files = [shard_file(here, "1/2"), shard_file(here, "2/2")]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.chmod(0o400)
    assert llmeval("merge", *map(str, files)).status == 0
    assert [file.read_bytes() for file in files] == before
    assert sorted(path.name for path in here.iterdir()) == [".llmeval", "machine1.db", "machine2.db"]


def test_rules_that_the_shards_had_are_missed(here: Path, llmeval: Command) -> None:
    """In the wrong folder no rule would be judged, and everything would pass."""
    files = [shard_file(here, f"{number}/2", settings={"has_rules": True}) for number in (1, 2)]
    assert "the shards had rules, and there are none" in llmeval("merge", *map(str, files)).err
    (here / "rules.yaml").write_text("version: 1\nsuites: {qa: {pass_rate: {min: 0.5}}}\n")
    assert llmeval("merge", *map(str, files), "--thresholds", "rules.yaml").status == 0


def test_what_a_shard_lacks_leaves_its_rules_open(here: Path, llmeval: Command) -> None:
    """A file that somebody cut says how many cases it was to have."""
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {pass_rate: {min: 0.5}}}\n")
    files = [shard_file(here, "1/2", cases=9), shard_file(here, "2/2")]
    assert llmeval("merge", *map(str, files)).status == 10


def test_a_baseline_that_was_named_and_is_not_there(here: Path, llmeval: Command) -> None:
    files = [str(shard_file(here, f"{number}/2")) for number in (1, 2)]
    done = llmeval("merge", *files, "--baseline", "nobody")
    assert done.status == 4
    assert "--baseline nobody" in done.err


def test_a_file_that_a_killed_session_left_without_its_log_says_what_is_missing(here: Path, llmeval: Command) -> None:
    """An artifact of the file alone, of a job that was killed: all of it was in the log still."""
    whole, alone = here / "llmeval.db", here / "alone.db"
    with closing(SqliteStore(whole)):
        alone.write_bytes(whole.read_bytes())
        assert (here / "llmeval.db-wal").exists()
    told = f"{alone}: it has no tables; if a killed session left it, its records are in alone.db-wal and the journal"
    assert told in refused(llmeval, shard_file(here, "1/2"), alone)
