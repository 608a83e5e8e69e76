"""llmeval export: a stored run in other forms, on standard output or in a file."""

import csv
import io
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.hostile import harmless
from tests.support.hostile_run import hostile_run
from tests.support.records import record, score
from tests.support.stored_runs import run

FORMS = ["csv", "jsonl", "prometheus", "markdown"]


@pytest.mark.parametrize("ref", [[], ["last"], ["nightly"], ["20250102"]])
def test_cases_come_as_csv(recorded: SqliteStore, llmeval: Command, ref: list[str]) -> None:
    done = llmeval("export", "csv", *ref)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert (done.status, done.err) == (0, "")
    assert [(row["run"], row["sample_id"], row["exact.value"]) for row in rows] == [
        (run().id, "a", "1.0"),
        (run().id, "b", "0.0"),
    ]


def test_who_decided_is_a_column_where_it_is_known(store: SqliteStore, llmeval: Command) -> None:
    """Of judged scores."""
    store.start_run(run())
    store.add_case(run().id, record("a", scores=(score("exact"), score("judged", decided_by="panel"))))
    (row,) = csv.DictReader(io.StringIO(llmeval("export", "csv").out))
    assert row["judged.decided_by"] == "panel"
    assert "exact.decided_by" not in row


def test_a_summary_comes_as_csv(recorded: SqliteStore, llmeval: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(llmeval("export", "csv", "--summary").out)))
    assert [(row["metric"], row["n"], row["mean"], row["misses"]) for row in rows] == [
        ("pass_rate", "2", "0.5", "1"),
        ("exact", "2", "0.5", "1"),
    ]


def test_cases_come_as_json_lines(recorded: SqliteStore, llmeval: Command) -> None:
    found = [json.loads(line) for line in llmeval("export", "jsonl").out.splitlines()]
    assert [(each["run"], each["sample_id"], len(each["calls"])) for each in found] == [
        (run().id, "a", 1),
        (run().id, "b", 1),
    ]


def test_a_run_comes_as_metrics(recorded: SqliteStore, llmeval: Command) -> None:
    done = llmeval("export", "prometheus", "--label", "project=shop")
    families = {family.name: family for family in text_string_to_metric_families(done.out)}
    (verdict,) = [each for each in families["llmeval_run_verdict"].samples if each.value]
    assert verdict.labels == {"verdict": "pass", "project": "shop"}
    assert llmeval("export", "prometheus", "--label", "x").status == 4


def test_a_run_comes_as_markdown(recorded: SqliteStore, llmeval: Command, here: Path) -> None:
    """From what is stored: no rule is read again, so that none can be missing."""
    (here / "thresholds.yaml").write_text("broken: [")
    done = llmeval("export", "markdown")
    assert done.out.startswith(
        f"### ➖ llmeval: no rule was judged, exit status 0\n\nrun {run().id} (nightly): finished"
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_file_holds_what_would_be_printed(recorded: SqliteStore, llmeval: Command, here: Path, form: str) -> None:
    """One line says so; it replaces what was there, and others may read it as umask has it."""
    (here / "out.x").write_text("before")
    done = llmeval("export", form, "--output", "out.x")
    text = (here / "out.x").read_text("utf-8")
    assert text == llmeval("export", form).out == llmeval("export", form, "--output", "-").out
    assert done.out == f"out.x: run {run().id}, {len(text.encode()):,} bytes\n"
    assert sorted(each.name for each in here.iterdir()) == [".llmeval", "out.x"]
    os.umask(umask := os.umask(0))
    assert stat.S_IMODE((here / "out.x").stat().st_mode) == 0o666 & ~umask


def test_what_was_written_comes_as_json(recorded: SqliteStore, llmeval: Command, here: Path) -> None:
    done = llmeval("export", "jsonl", "--output", "out.jsonl", "--json")
    assert done.json() == {"run": run().id, "output": "out.jsonl", "bytes": (here / "out.jsonl").stat().st_size}
    printed = llmeval("export", "jsonl", "--json")
    assert printed.json() == {"run": run().id, "text": (here / "out.jsonl").read_text("utf-8")}
    assert llmeval("export", "jsonl", "--json", "--output", "-").out == printed.out


def test_a_link_is_followed_and_a_pipe_is_written_into(recorded: SqliteStore, llmeval: Command, here: Path) -> None:
    """What is not a regular file cannot be replaced."""
    (here / "real.csv").write_text("")
    (here / "link.csv").symlink_to("real.csv")
    assert llmeval("export", "csv", "--output", "link.csv").status == 0
    assert (here / "link.csv").is_symlink()
    assert (here / "real.csv").read_text().startswith("run,")
    os.mkfifo(here / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((here / "pipe").read_text()))
    reader.start()
    assert llmeval("export", "csv", "--output", "pipe").status == 0
    reader.join(10)
    assert read == [(here / "real.csv").read_text()]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_cannot_be_written_is_told(recorded: SqliteStore, llmeval: Command, form: str) -> None:
    done = llmeval("export", form, "--output", "no/such/folder.x")
    assert done.status == 4
    assert done.err == "llmeval: --output no/such/folder.x: cannot be written: No such file or directory\n"


def test_a_failure_leaves_what_was_there(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """A database whose cases cannot be read, say."""
    store.start_run(run())
    store.add_case(run().id, record("a"))
    with store._connection as connection:
        connection.execute("UPDATE cases SET slices = 'no json'")
    (here / "out.csv").write_text("before")
    done = llmeval("export", "csv", "--output", "out.csv")
    assert (done.status, "damaged slices" in done.err) == (4, True)
    assert (here / "out.csv").read_text() == "before"
    assert sorted(each.name for each in here.iterdir()) == [".llmeval", "out.csv"]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_is_not_there_is_told(recorded: SqliteStore, llmeval: Command, form: str) -> None:
    done = llmeval("export", form, "none-such")
    assert done.status == 4
    assert "no run 'none-such'" in done.err


def test_what_a_run_writes_meanwhile_stays_out(recorded: SqliteStore, here: Path) -> None:
    """All that an export reads is of one moment: no case has a score that the titles lack."""
    reader = SqliteStore(here / ".llmeval" / "llmeval.db")
    with reader.snapshot():
        before = reader.score_names(run().id)
        recorded.add_case(run().id, record("c", scores=(score("other"),)))
        assert {score.name for case in reader.cases(run().id) for score in case.scores} == {*before}
    assert {*reader.score_names(run().id)} == {"exact", "other"}
    reader.close()


@pytest.mark.parametrize("form", [["csv"], ["csv", "--summary"], ["jsonl"], ["prometheus"], ["markdown"]])
def test_what_is_printed_is_harmless(store: SqliteStore, llmeval: Command, form: list[str]) -> None:
    hostile_run(store)
    done = llmeval("export", *form)
    harmless(done.out)
    assert done.status == 0
