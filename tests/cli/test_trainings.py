"""Trainings listed, shown and told as JSON, over databases made for it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.trainings import Training
from tests.cli.conftest import Command
from tests.cli.test_runs import HOSTILE
from tests.support.stored_runs import run

GAIN = {
    "split": "val",
    "metric": "exact",
    "n": 1200,
    "before": 0.05,
    "after": 0.25,
    "delta": 0.2,
    "margin": 0.1,
    "verdict": "pass",
    "base_run": "20250101-000000-aaaaaa",
    "adapter_run": "20250102-000000-bbbbbb",
}
FAILED = Training(
    id="20250103-000000-cccccc",
    name="book",
    started_at="2025-01-03T00:00:00.000+00:00",
    finished_at="2025-01-03T00:01:00.000+00:00",
    status="failed",
    reason="book: base: no-such-base: neither a folder here nor in the cache\n  fetch it",
    base="no-such-base",
    config={"version": 1},
    seed=0,
    version="0.1.0",
)
PASSED = replace(
    FAILED,
    id="20250104-000000-dddddd",
    name="tiny",
    started_at="2025-01-04T03:04:05.678+00:00",
    finished_at="2025-01-04T04:00:00.000+00:00",
    status="finished",
    verdict="pass",
    reason=None,
    base="local:smollm2",
    steps=1200,
    best_step=800,
    tokens_per_s=1234.5,
    peak_memory_bytes=3 << 30,
    proof=[GAIN, {**GAIN, "split": "test", "delta": 0.15, "after": 0.2}],
)
LIST = (
    "training                name  status    verdict  val gain  test gain\n"
    "20250104-000000-dddddd  tiny  finished  pass       +0.200     +0.150\n"
    "20250103-000000-cccccc  book  failed    none\n"
)


def fill(store: SqliteStore, here: Path) -> None:
    """Put two trainings in; that of the older one was recorded last."""
    store.put_training(replace(PASSED, adapter=str(here / ".llmeval" / "trainings" / "tiny" / "adapter")))
    store.put_training(FAILED)


def test_trainings_are_listed_newest_first_and_the_newest_is_shown(
    store: SqliteStore, here: Path, llmeval: Command
) -> None:
    fill(store, here)
    done = llmeval("trainings")
    assert done.status == 0
    assert done.out == LIST + (
        "\n"
        "training 20250104-000000-dddddd (tiny): finished, verdict pass\n"
        "began 2025-01-04T03:04:05.678+00:00, ended 2025-01-04T04:00:00.000+00:00\n"
        "base: local:smollm2\n"
        "adapter: .llmeval/trainings/tiny/adapter\n"
        "1,200 steps, the best 800; 1,234 tokens/s; 3.0 GiB at its peak\n"
        "val: exact 0.050 -> 0.250 over 1,200 rows (margin 0.100): pass\n"
        "rows: llmeval compare 20250101-000000-aaaaaa 20250102-000000-bbbbbb\n"
        "test: exact 0.050 -> 0.200 over 1,200 rows (margin 0.100): pass\n"
        "rows: llmeval compare 20250101-000000-aaaaaa 20250102-000000-bbbbbb\n"
    )


@pytest.mark.parametrize("named", ["20250103", FAILED.id, "book"])
def test_the_one_that_is_named_is_shown_with_why_it_failed(
    store: SqliteStore, here: Path, llmeval: Command, named: str
) -> None:
    fill(store, here)
    assert llmeval("trainings", named).out == LIST + (
        "\n"
        "training 20250103-000000-cccccc (book): failed, verdict none\n"
        "began 2025-01-03T00:00:00.000+00:00, ended 2025-01-03T00:01:00.000+00:00\n"
        "base: no-such-base\n"
        "adapter: none\n"
        "reason: book: base: no-such-base: neither a folder here nor in the cache\n"
        "  fetch it\n"
    )
    assert llmeval("trainings", named, "--json").json()["reason"] == FAILED.reason


def test_a_wide_terminal_and_a_pipe_have_the_time_too(
    store: SqliteStore, here: Path, llmeval: Command, installed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, here)
    piped = installed("trainings", environ={"COLUMNS": ""}).out.splitlines()
    monkeypatch.setenv("COLUMNS", "100")
    for line in (piped[1], llmeval("trainings").out.splitlines()[1]):
        assert line == "20250104-000000-dddddd  tiny  finished  pass     2025-01-04 03:04    +0.200     +0.150"


def test_an_id_and_a_path_are_never_cut(store: SqliteStore, here: Path, llmeval: Command) -> None:
    """They are there to be copied."""
    path = f"/models/{'p' * 90}/adapter"
    running = replace(PASSED, name="n" * 60, status="interrupted", adapter=path)
    store.put_training(running)
    lines = llmeval("trainings").out.splitlines()
    assert lines[1].startswith(running.id)
    assert f"  {path}" in lines
    assert max(len(line) for line in lines if path not in line) <= 80


def test_a_limit_cuts_the_list_alone(store: SqliteStore, here: Path, llmeval: Command) -> None:
    fill(store, here)
    assert [each["id"] for each in llmeval("trainings", "--limit", "1", "--json").json()] == [PASSED.id]
    assert "(book): failed" in llmeval("trainings", "book", "--limit", "1").out


def test_trainings_as_json(store: SqliteStore, here: Path, llmeval: Command) -> None:
    fill(store, here)
    first, second = llmeval("trainings", "--json").json()
    assert (first["id"], first["verdict"], first["steps"]) == (PASSED.id, "pass", 1200)
    assert [each["delta"] for each in first["proof"]] == [0.2, 0.15]
    assert (second["status"], second["adapter"], second["proof"]) == ("failed", None, None)


def test_where_there_are_none_it_is_said_how_one_is_made(store: SqliteStore, llmeval: Command) -> None:
    assert llmeval("trainings").out == "no trainings yet; pytest -m train carries out those of finetune\n"
    assert llmeval("trainings", "--json").json() == []


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("tyni", "no training 'tyni'; `llmeval trainings` lists them"),
        ("2025", "'2025' matches 2 trainings: 20250104-000000-dddddd, 20250103-000000-cccccc"),
    ],
)
def test_a_name_that_means_none_or_several_is_a_mistake(
    store: SqliteStore, here: Path, llmeval: Command, named: str, told: str
) -> None:
    fill(store, here)
    done = llmeval("trainings", named)
    assert (done.status, done.out) == (4, "")
    assert done.err.endswith(f"{told}\n")


@pytest.mark.parametrize("has_run", [True, False])
def test_show_says_what_shows_a_training(store: SqliteStore, here: Path, llmeval: Command, has_run: bool) -> None:
    fill(store, here)
    if has_run:
        store.start_run(run())
    done = llmeval("show", "20250104")
    assert done.status == 4
    assert done.err.endswith(f"no run '20250104'; `llmeval trainings {PASSED.id}` shows a training\n")
    assert "`llmeval trainings" not in llmeval("show", "nosuch").err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_what_a_training_says_steers_neither_terminal_nor_ci_and_shows_no_key(
    store: SqliteStore, llmeval: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key-0123456789")
    bad = f"{HOSTILE} sk-very-secret-key-0123456789"
    texts: dict[str, Any] = dict.fromkeys(("split", "metric", "verdict", "base_run", "adapter_run", "reason"), bad)
    store.put_training(replace(PASSED, name=HOSTILE, reason=bad, base=HOSTILE, adapter=HOSTILE, proof=[texts]))
    out = llmeval("trainings", *arguments).out
    assert not [char for char in out if ord(char) < 32 and char != "\n" or char in "\x7f\u202e\u200b"]
    assert not [line for line in out.split("\n") if line.lstrip().startswith("::")]
    assert "##[" not in out and "very-secret" not in out


def test_a_damaged_training_is_told_with_its_id(store: SqliteStore, here: Path, llmeval: Command) -> None:
    fill(store, here)
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE trainings SET proof = '[1' WHERE name = 'tiny'")
    done = llmeval("trainings")
    assert (done.status, done.out) == (4, "")
    assert f"training {PASSED.id}: damaged proof: " in done.err


def test_a_training_whose_process_is_gone_has_crashed(store: SqliteStore, here: Path, llmeval: Command) -> None:
    """A session holds the folder of what it trains or proves."""
    store.put_training(replace(PASSED, status="running", finished_at=None, verdict="none", proof=None))
    assert llmeval("trainings", "--json").json()[0]["status"] == "crashed"
    assert "(tiny): crashed, verdict none" in llmeval("trainings").out
    folder = here / ".llmeval" / "trainings" / "tiny" / PASSED.id
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / ".session.lock"):
        assert "(tiny): running, verdict none" in llmeval("trainings").out
    assert "(tiny): crashed, verdict none" in llmeval("trainings").out
