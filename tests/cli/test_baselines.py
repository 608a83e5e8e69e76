"""Baselines set, listed, removed, and carried from one database to another."""

import json
import os
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.baseline_file import BaselineFile
from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import judged_record, store_run
from tests.support.records import call, record, score
from tests.support.stored_runs import END, look, run

OLD, NEW = "20250101-000000-aaaaaa", "20250102-000000-bbbbbb"


@pytest.fixture
def two_runs(store: SqliteStore) -> SqliteStore:
    """The store with two green runs."""
    add(store, OLD, name="nightly", started_at="2025-01-01T00:00:00.000+00:00", git_commit="c" * 40)
    add(store, NEW, started_at="2025-01-02T00:00:00.000+00:00", models=("m", "n"))
    return store


def add(store: SqliteStore, id: str, end: RunEnd = END, **fields: Any) -> None:
    """Put a run of one case in."""
    store.start_run(run(id, **fields))
    store.add_case(id, record("a", scores=(score(reason="the 'answer'"),), calls=(call(response="the answer"),)))
    store.finish_run(id, end)


def named(here: Path) -> dict[str, str]:
    """Return the run of each baseline, read by nothing of ours."""
    rows = look(here / ".llmeval" / "llmeval.db", "SELECT name, run_id FROM baselines")
    return {row["name"]: row["run_id"] for row in rows}


def test_the_last_run_is_named(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    done = llmeval("baseline", "set", "main")
    assert (done.status, done.out) == (0, f"baseline main: run {NEW}\n")
    assert named(here) == {"main": NEW}


def test_rows_that_the_marks_left_out_are_told(store: SqliteStore, llmeval: Command) -> None:
    """Such a run may be a baseline, but is seldom meant for runs of all rows."""
    suites = {"qa": {"deselected": 1200}, "echo": {"deselected": 0}}
    add(store, OLD, settings={"markexpr": "regression or slow", "suites": suites})
    note = "note: -m 'regression or slow' left out 1,200 rows, which the baseline lacks\n"
    assert llmeval("baseline", "set", "main").out == f"baseline main: run {OLD}\n{note}"


def test_naming_another_run_tells_which_one_it_replaces(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    """The run that had the name stays."""
    llmeval("baseline", "set", "main")
    done = llmeval("baseline", "set", "main", "nightly")
    assert done.out == f"baseline main: run {OLD} (nightly), in place of run {NEW}\n"
    assert llmeval("baseline", "set", "main", OLD).out == f"baseline main: run {OLD} (nightly), as before\n"
    assert llmeval("baseline", "set", "release", "main").out == f"baseline release: run {OLD} (nightly)\n"
    for command in (("show",), ("export", "csv"), ("export", "jsonl")):
        assert OLD in llmeval(*command, "release").out, "it is a RUN everywhere"
    assert named(here) == {"main": OLD, "release": OLD}
    assert len(two_runs.runs()) == 2


@pytest.mark.parametrize(
    ("end", "settings", "why"),
    [
        (replace(END, exit_code=1, verdict="fail"), {}, "is not green (exit status 1, verdict fail); fix"),
        (replace(END, status="interrupted", exit_code=2, verdict="none"), {}, "was interrupted; continue with"),
        (replace(END, status="unmeasurable", exit_code=10, verdict="unmeasurable"), {}, "is unmeasurable (`llmeval"),
        (
            END,
            {"partial": True, "suites": {"qa": {"left_out": ["--limit 1"]}}},
            "is partial (--limit 1); a baseline needs all rows: run",
        ),
        (END, {"resumes": [{"changed": ["the prompt of suite 'qa' changed"]}]}, "was resumed after changes (the prom"),
    ],
)
@pytest.mark.parametrize("command", [["set", "main"], ["export", "last", "b.jsonl"]])
def test_a_run_that_may_be_none_is_refused_with_the_reason(
    store: SqliteStore, llmeval: Command, here: Path, command: list[str], end: RunEnd, settings: Any, why: str
) -> None:
    """And nothing is set or written."""
    add(store, OLD, end, settings=settings)
    done = llmeval("baseline", *command)
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith(f"llmeval: not a valid baseline: run {OLD} {why}")
    assert named(here) == {}
    assert not (here / "b.jsonl").exists()


def test_a_red_run_is_taken_where_that_is_said(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Its name then says enough for an export."""
    add(store, OLD, replace(END, exit_code=1, verdict="fail"))
    assert llmeval("baseline", "set", "main", "--even-red").status == 0
    assert named(here) == {"main": OLD}
    assert llmeval("baseline", "export", "main", "b.jsonl").status == 0
    assert llmeval("baseline", "export", OLD, "c.jsonl").status == 4
    assert llmeval("baseline", "export", OLD, "c.jsonl", "--even-red").status == 0
    assert llmeval("baseline", "import", "b.jsonl").status == 0


def test_a_run_without_a_suite_of_the_baseline_takes_no_name_from_it(
    two_runs: SqliteStore, llmeval: Command, here: Path
) -> None:
    """The rules on it would be judged no more, whoever sets or imports it; a name that was taken off is free."""
    two_runs.add_case(OLD, record("b", suite="mails"))
    assert llmeval("baseline", "set", "main", OLD).status == 0
    assert llmeval("baseline", "export", NEW, "new.jsonl").status == 0
    for command in (["set", "main"], ["import", "new.jsonl", "--name", "main"]):
        done = llmeval("baseline", *command)
        assert (done.status, named(here)) == (4, {"main": OLD})
        told = f"llmeval: run {NEW} has no case of suite 'mails', which baseline main (run {OLD}) has"
        assert " ".join(done.err.split()).startswith(told)
        assert " ".join(done.err.split()).endswith("or give them up with: llmeval baseline rm main")
    assert llmeval("baseline", "rm", "main").status == 0
    assert llmeval("baseline", "set", "main").status == 0


def test_the_command_that_gives_suites_up_names_the_database(
    two_runs: SqliteStore, llmeval: Command, here: Path
) -> None:
    two_runs.add_case(OLD, record("b", suite="mails"))
    for name, file, run_id in (("main", "old.jsonl", OLD), ("other", "new.jsonl", NEW)):
        assert llmeval("baseline", "export", run_id, file).status == 0
        assert llmeval("baseline", "import", file, "--name", name, "--db", "my ci.db").status == 0
    for command in (["set", "main", NEW], ["import", "new.jsonl", "--name", "main"]):
        done = llmeval("baseline", *command, "--db", "my ci.db")
        assert " ".join(done.err.split()).endswith("with: llmeval baseline rm main --llmeval-db 'my ci.db'")
    assert llmeval("baseline", "set", "main", OLD).status == 0, "one with more suites"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "'none' is reserved"),
        ("last", "'last' is reserved"),
        ("a@b", "'a@b' holds '@', '/' or"),
        ("a/b", "'a/b' holds '@', '/' or"),
        ("a\\b", r"'a\\b' holds '@', '/' or"),
        ("", "'' is not printable, or begins or ends with a space"),
        (" a", "' a' is not printable, or begins or ends with a space"),
        ("a\n", r"'a\n' is not printable, or begins or ends with a space"),
        ("a\u202eb", "is not printable"),
        ("::error::x", "is not printable"),
        ("x" * 101, "it has 101 characters, and at most 100 are allowed"),
    ],
)
def test_a_name_that_would_mean_something_else_is_refused(
    two_runs: SqliteStore, llmeval: Command, here: Path, name: str, why: str
) -> None:
    """On the command line and in a file."""
    done = llmeval("baseline", "set", name)
    assert done.status == 4
    assert why in " ".join(done.err.split())
    llmeval("baseline", "export", OLD, "b.jsonl")
    assert llmeval("baseline", "import", "b.jsonl", "--name", name).status == 4
    assert named(here) == {}


def test_names_in_other_scripts_are_names(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    """Blanks inside too."""
    for name in ("größe", "主", "my main", "v1.2", "-x"):
        assert llmeval("baseline", "set", "--", name).status == 0
        assert named(here)[name] == NEW


def test_baselines_are_listed(two_runs: SqliteStore, llmeval: Command) -> None:
    assert llmeval("baseline", "list").out == "no baselines yet; `llmeval baseline set NAME` names the last run\n"
    two_runs.set_baseline("release", NEW, "2025-03-04T05:06:07.000+00:00")
    two_runs.set_baseline("main", OLD, "2025-03-04T05:06:07.000+00:00")
    assert llmeval("baseline", "list").out == (
        "name     run                     set (UTC)         verdict  commit     models\n"
        "main     20250101-000000-aaaaaa  2025-03-04 05:06  pass     ccccccccc  m\n"
        "release  20250102-000000-bbbbbb  2025-03-04 05:06  pass                m, n\n"
    )
    assert [(each["name"], each["run"], each["verdict"]) for each in llmeval("baseline", "list", "--json").json()] == [
        ("main", OLD, "pass"),
        ("release", NEW, "pass"),
    ]


def test_a_name_is_removed_and_its_run_stays(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    llmeval("baseline", "set", "main")
    assert llmeval("baseline", "rm", "main").out == f"baseline main is removed; run {NEW} stays\n"
    assert (named(here), len(two_runs.runs())) == ({}, 2)
    llmeval("baseline", "set", "release")
    done = llmeval("baseline", "rm", "main")
    assert done.status == 4
    assert done.err == "llmeval: .llmeval/llmeval.db: no baseline 'main'; there are: release\n"


@pytest.mark.parametrize("file", ["b.jsonl", "b.jsonl.gz"])
def test_a_baseline_travels_in_a_file(two_runs: SqliteStore, llmeval: Command, here: Path, file: str) -> None:
    """Into a database that need not be there; it is the same run, with its answers."""
    llmeval("baseline", "set", "main", "nightly")
    done = llmeval("baseline", "export", "main", file)
    assert done.status == 0
    assert done.out == f"{file}: run {OLD} (nightly) as main: 1 case, 1 KiB\n"
    done = llmeval("baseline", "import", file, "--db", "other/new.db")
    assert (done.status, done.out) == (0, f"baseline main: run {OLD} (nightly), 1 case imported\n")
    with closing(SqliteStore(here / "other" / "new.db")) as other:
        assert list(other.cases(OLD)) == list(two_runs.cases(OLD))
        assert replace(other.find_run(OLD), pid=0, host="") == replace(two_runs.find_run(OLD), pid=0, host="")
        assert [(each.name, each.run_id) for each in other.baselines()] == [("main", OLD)]


def test_a_link_is_followed_and_a_pipe_is_written_into(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    """What is not a regular file cannot be replaced."""
    (here / "real.jsonl").write_text("")
    (here / "link.jsonl").symlink_to("real.jsonl")
    assert llmeval("baseline", "export", "nightly", "link.jsonl").status == 0
    assert (here / "link.jsonl").is_symlink()
    assert BaselineFile(here / "real.jsonl", "real.jsonl").run.id == OLD
    os.mkfifo(here / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((here / "pipe").read_bytes()), daemon=True)
    reader.start()
    assert llmeval("baseline", "export", "nightly", "pipe").status == 0
    reader.join(10)
    assert read == [(here / "real.jsonl").read_bytes()]


@pytest.mark.parametrize(
    "command", [["baseline", "export", "nightly"], ["export", "jsonl", "nightly", "--output"]], ids=lambda each: each[0]
)
def test_standard_output_can_be_named_as_a_file(
    two_runs: SqliteStore, llmeval: Command, installed: Command, here: Path, command: list[str]
) -> None:
    """And is what the next command gets, as a whole and with nothing behind it."""
    assert llmeval(*command, "file").status == 0
    done = installed(*command, "/dev/fd/1")
    assert (done.status, done.out) == (0, (here / "file").read_text("utf-8"))
    assert done.err.startswith("/dev/fd/1: run ")


def test_without_answers_the_file_quotes_nothing(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    done = llmeval("baseline", "export", "nightly", "b.jsonl", "--no-answers")
    assert done.out.startswith(f"b.jsonl: run {OLD} (nightly) as nightly: 1 case, without answers, ")
    assert "answer'" not in (here / "b.jsonl").read_text()
    assert "the answer" not in (here / "b.jsonl").read_text()


def test_a_run_that_is_here_is_not_doubled(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    """Only named; the name goes from the run that had it, and that is told."""
    llmeval("baseline", "set", "main", OLD)
    llmeval("baseline", "export", "main", "b.jsonl")
    llmeval("baseline", "set", "main", NEW)
    done = llmeval("baseline", "import", "b.jsonl")
    assert done.out == f"baseline main: run {OLD} (nightly), it was here already, in place of run {NEW}\n"
    assert named(here) == {"main": OLD}
    assert len(two_runs.runs()) == 2
    assert len(list(two_runs.cases(OLD))) == 1
    assert llmeval("baseline", "import", "b.jsonl", "--name", "kept").status == 0
    assert named(here) == {"main": OLD, "kept": OLD}


def test_a_damaged_file_changes_nothing(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    """Not even where its bad line is the last one."""
    llmeval("baseline", "export", OLD, "b.jsonl")
    (here / "b.jsonl").write_text((here / "b.jsonl").read_text().replace('"outcome":"passed"', '"outcome":"good"'))
    done = llmeval("baseline", "import", "b.jsonl", "--db", "new.db")
    assert (done.status, done.out) == (4, "")
    assert done.err == ("llmeval: b.jsonl:2: 'outcome' is 'good'; export it again with `llmeval baseline export`\n")
    assert look(here / "new.db", "SELECT count(*) AS n FROM runs") == [{"n": 0}]
    assert look(here / "new.db", "SELECT count(*) AS n FROM baselines") == [{"n": 0}]


@pytest.mark.parametrize(
    ("below_the_header", "why"),
    [
        ("", "b.jsonl: it holds 0 cases, and its first line says 1: a part is missing or was added"),
        ('{"garbage": 1}\n', "b.jsonl:2: "),
        ("%%%\n", "b.jsonl:2: not valid JSON: "),
    ],
    ids=["missing", "other", "none"],
)
def test_a_damaged_file_of_a_run_that_is_here_is_refused(
    two_runs: SqliteStore, llmeval: Command, here: Path, below_the_header: str, why: str
) -> None:
    """Who looks at a file before it is committed does so where the run was made."""
    llmeval("baseline", "export", OLD, "b.jsonl")
    head = (here / "b.jsonl").read_text().splitlines(keepends=True)[0]
    (here / "b.jsonl").write_text(head + below_the_header)
    done = llmeval("baseline", "import", "b.jsonl", "--name", "main")
    assert (done.status, done.out, named(here)) == (4, "", {})
    assert done.err.startswith(f"llmeval: {why}")


def test_a_file_with_a_name_that_is_none_needs_another(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """A run's own name may be anything."""
    add(store, OLD, name="a/b")
    assert llmeval("baseline", "export", "last", "b.jsonl").status == 0
    done = llmeval("baseline", "import", "b.jsonl")
    assert done.status == 4
    assert "b.jsonl: the name in it cannot be used ('a/b' holds" in done.err
    assert llmeval("baseline", "import", "b.jsonl", "--name", "ab").status == 0


def test_a_file_that_was_edited_to_hold_a_partial_run_is_refused(
    two_runs: SqliteStore, llmeval: Command, here: Path
) -> None:
    llmeval("baseline", "export", OLD, "b.jsonl")
    text = (here / "b.jsonl").read_text()
    (here / "b.jsonl").write_text(text.replace('"settings":{}', '"settings":{"partial":true}'))
    done = llmeval("baseline", "import", "b.jsonl")
    assert done.status == 4
    assert f"not a valid baseline: run {OLD} is partial" in done.err


def test_people_can_label_the_answers_of_an_imported_run(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """A file of an older version lacked what the judge's scores may say; a newer one of the same run brings it."""
    store_run(store, [judged_record("a"), judged_record("b", "wrong")])
    llmeval("baseline", "export", "last", "b.jsonl", "--even-red")
    head, *cases = (here / "b.jsonl").read_text().splitlines()
    told = {key: value for key, value in json.loads(head).items() if key != "judges"} | {"version": 1}
    (here / "older.jsonl").write_text("\n".join([json.dumps(told), *cases, ""]))
    new = ["--llmeval-db", "new.db"]
    llmeval("baseline", "import", "older.jsonl", "--name", "main", *new)
    done = llmeval("labels", "export", "--output", "x.jsonl", *new)
    assert done.status == 4
    assert "export an imported run again where it was recorded, and import that file" in done.err
    assert "it was here already" in llmeval("baseline", "import", "b.jsonl", "--name", "main", *new).out
    assert llmeval("labels", "export", "--output", "x.jsonl", *new).status == 0
    rows = [{**json.loads(line), "label_correctness": "right"} for line in (here / "x.jsonl").read_text().splitlines()]
    (here / "y.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert llmeval("labels", "import", "y.jsonl", "--rater", "kim", *new).status == 0
    (found,) = llmeval("calibrate", "--json", *new).json()["scores"]
    assert (found["levels"], found["rates"]["accuracy"]["value"]) == (["wrong", "partly", "right"], 0.5)


@pytest.mark.parametrize(("verdict", "status"), [("pass", 0), ("fail", 1)])
def test_the_verdict_of_an_imported_run_is_one_wherever_it_is_shown(
    store: SqliteStore, llmeval: Command, here: Path, verdict: Any, status: int
) -> None:
    """The rules that it came of are not in the file."""
    add(store, OLD, replace(END, verdict=verdict, exit_code=status))
    llmeval("baseline", "export", "last", "b.jsonl", "--even-red")
    new = ("--llmeval-db", "new.db")
    assert llmeval("baseline", "import", "b.jsonl", "--name", "main", *new).status == 0
    told = f"{verdict.upper()} where it was recorded, whose rules are not here; llmeval gate {OLD} judges it by the"
    assert f"gate: {told}" in " ".join(llmeval("show", *new).out.split())
    assert llmeval("show", "--json", *new).json()["verdict"] == verdict
    assert llmeval("runs", "--json", *new).json()[0]["verdict"] == verdict
    assert llmeval("baseline", "list", "--json", *new).json()[0]["verdict"] == verdict
    assert f'llmeval_run_verdict{{verdict="{verdict}"}} 1' in llmeval("export", "prometheus", *new).out
    markdown, page = llmeval("export", "markdown", *new).out, llmeval("export", "html", *new).out
    assert told in markdown and told in page
    assert "o rule was judged" not in markdown + page


def test_everything_is_told_as_json(two_runs: SqliteStore, llmeval: Command, here: Path) -> None:
    assert llmeval("baseline", "set", "main", "--json").json() == {"name": "main", "run": NEW, "replaced": None}
    assert llmeval("baseline", "set", "main", OLD, "--json").json()["replaced"] == NEW
    exported = llmeval("baseline", "export", "main", "b.jsonl", "--json").json()
    size = (here / "b.jsonl").stat().st_size
    assert exported == {"file": "b.jsonl", "name": "main", "run": OLD, "cases": 1, "bytes": size}
    imported = llmeval("baseline", "import", "b.jsonl", "--json").json()
    assert imported == {"name": "main", "run": OLD, "imported": False, "cases": 1, "replaced": OLD}
    assert llmeval("baseline", "rm", "main", "--json").json() == {"name": "main", "run": OLD}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "main", "nope"], "no run 'nope'; `llmeval runs` lists them"),
        (["export", "nope", "b.jsonl"], "no run 'nope'"),
        (["export", "last", "none/b.jsonl"], "none/b.jsonl: cannot be written: No such file or directory"),
        (["import", "nope"], "nope: cannot be read: No such file or directory"),
        (["import", "."], ".: cannot be read: Is a directory"),
        (["set"], "Missing argument 'NAME'."),
        (["nope"], "No such command 'nope'."),
    ],
)
def test_mistakes_are_told(two_runs: SqliteStore, llmeval: Command, arguments: list[str], message: str) -> None:
    done = llmeval("baseline", *arguments)
    assert (done.status, done.out) == (4, "")
    assert message in done.err
