"""Runs listed, shown and told as JSON, over databases made for it."""

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.types import Score
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07\r::error::owned\n::stop-commands::x\n##[error]y \u202ertl\u200b \ud800\x00"
)


def fill(store: SqliteStore) -> None:
    """Put three runs in: one finished, one interrupted, one going on."""
    store.start_run(run("20250101-000000-aaaaaa", name="nightly", started_at="2025-01-01T00:00:00.000+00:00"))
    store.add_case("20250101-000000-aaaaaa", record("a", scores=(score(),), calls=(call(),)))
    missed = score("exact", 0.0, False, reason="exact: 0\nexpected 'x'\ngot 'y'")
    store.add_case("20250101-000000-aaaaaa", record("b", outcome="missed", scores=(missed,), calls=(call(),)))
    verdict = Verdict(suite="qa", model="m", metric="exact", slice=None, rule="min=0.4", value=0.5, n=2, verdict="pass")
    store.set_verdicts("20250101-000000-aaaaaa", [verdict])
    store.finish_run("20250101-000000-aaaaaa", END)
    store.start_run(run("20250102-000000-bbbbbb", started_at="2025-01-02T00:00:00.000+00:00", models=("m", "n")))
    store.finish_run(
        "20250102-000000-bbbbbb",
        RunEnd(finished_at="2025-01-02T00:00:01.000+00:00", status="interrupted", exit_code=2, verdict="none"),
    )
    alive = {"pid": os.getpid(), "process_started": process_started(os.getpid())}
    store.start_run(run("20250103-000000-cccccc", started_at="2025-01-03T00:00:00.000+00:00", **alive))


def test_runs_are_listed_newest_first(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    done = llmeval("runs")
    assert done.status == 0
    assert done.out == (
        "run                     name     status       verdict  exit  models\n"
        "20250103-000000-cccccc           running                     m\n"
        "20250102-000000-bbbbbb           interrupted  none        2  m, n\n"
        "20250101-000000-aaaaaa  nightly  finished     pass        0  m\n"
    )


def test_a_limit_cuts_the_list(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    assert [line.split()[0] for line in llmeval("runs", "--limit", "1").out.splitlines()[1:]] == [
        "20250103-000000-cccccc"
    ]


def test_ids_are_never_cut(store: SqliteStore, llmeval: Command) -> None:
    """They are there to be copied."""
    store.start_run(run(name="n" * 60, models=("a" * 60, "b" * 60)))
    lines = llmeval("runs").out.splitlines()
    assert lines[1].split()[0] == run().id
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("status", ["finished", "interrupted", "unmeasurable"])
@pytest.mark.parametrize("verdict", ["none", "inconclusive", "unmeasurable"])
@pytest.mark.parametrize("names", [{}, {"name": "n" * 60, "models": ("a" * 60, "b" * 60)}], ids=["short", "long"])
def test_a_partial_run_is_listed_whole_on_a_narrow_terminal(
    store: SqliteStore, llmeval: Command, status: Any, verdict: Any, names: dict[str, Any]
) -> None:
    """The id, how it ended, that it is partial, and its verdict."""
    store.start_run(run(settings={"partial": True}, **names))
    store.finish_run(run().id, RunEnd(finished_at=END.finished_at, status=status, exit_code=10, verdict=verdict))
    lines = llmeval("runs").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"  {status}, partial  {verdict}" in lines[1] and lines[1].startswith(run().id)


def test_runs_as_json(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    found = llmeval("runs", "--json").json()
    assert [(each["id"], each["status"], each["verdict"], each["exit_code"]) for each in found] == [
        ("20250103-000000-cccccc", "running", "none", None),
        ("20250102-000000-bbbbbb", "interrupted", "none", 2),
        ("20250101-000000-aaaaaa", "finished", "pass", 0),
    ]
    assert found[1]["models"] == ["m", "n"]


def test_a_run_whose_process_was_killed_is_listed_as_crashed(store: SqliteStore, llmeval: Command) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    store.start_run(run(pid=process.pid, process_started=process_started(process.pid)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert llmeval("runs", "--json").json()[0]["status"] == "crashed"
    assert "crashed" in llmeval("show").out


def test_a_run_is_shown(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    done = llmeval("show", "nightly")
    assert done.status == 0
    assert done.out == (
        "run 20250101-000000-aaaaaa (nightly): finished\n"
        "began 2025-01-01T00:00:00.000+00:00\n"
        "\n"
        "qa on m: 1 passed, 1 missed\n"
        "  metric     n  value  95% interval  errors  rule     verdict\n"
        "  pass_rate  2  0.500  0.095..0.905       0\n"
        "  exact      2  0.500                     0  min=0.4  pass\n"
        "  missed: b: exact 0.000\n"
        "    expected 'x'\n"
        "    got 'y'\n"
        "\n"
        "model m: 2 answers, 20 tokens in, 10 out, cost $1.00\n"
        "gate: PASS (1 pass)\n"
    )


def test_tokens_that_servers_did_not_tell_are_shown_as_unknown(store: SqliteStore, llmeval: Command) -> None:
    """What is known of them is no total."""
    store.start_run(run("r"))
    mute = call(input_tokens=None, output_tokens=None, cost_usd=None)
    told = replace(mute, name="a", model="some", input_tokens=1200, output_tokens=5)
    calls = (mute, told, replace(mute, name="b", model="some"), replace(told, name="c", model="z", output_tokens=None))
    store.add_case("r", record("a", calls=calls))
    store.finish_run("r", END)
    assert llmeval("show").out.splitlines()[-4:-1] == [
        "model m: 1 answer, tokens in unknown, tokens out unknown, cost unknown",
        "model some: 2 answers, at least 1,200 tokens in, at least 5 out, cost unknown",
        "model z: 1 answer, 1,200 tokens in, tokens out unknown, cost unknown",
    ]
    spending = llmeval("show", "--json").json()["spending"]
    assert [(each["input_tokens"], each["output_tokens"]) for each in spending] == [
        (None, None),
        (None, None),
        (1200, None),
    ]
    assert (spending[1]["known_input_tokens"], spending[1]["known_output_tokens"]) == (1200, 5)
    markdown = llmeval("export", "markdown").out
    assert "| model m | 1 | unknown | unknown | unknown |" in markdown
    assert "| model some | 2 | at least 1,200 | at least 5 | unknown |" in markdown
    metrics = llmeval("export", "prometheus").out
    assert [line for line in metrics.splitlines() if line.startswith("llmeval_tokens")] == [
        'llmeval_tokens{role="model",model="z",direction="input"} 1200'
    ]


def test_the_newest_run_is_shown_when_none_is_named(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    assert llmeval("show").out.startswith("run 20250103-000000-cccccc: running\n")


def test_a_run_that_was_stopped_shows_no_verdict(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    assert llmeval("show", "20250102").out.endswith("gate: stopped, not judged\n")


def test_more_misses_are_shown_on_request(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run())
    for number in range(40):
        store.add_case(run().id, record(f"miss{number}", outcome="missed"))
    store.finish_run(run().id, END)
    assert llmeval("show").out.count("missed: miss") == 30
    assert "... and 10 more missed; llmeval show -v has all of them" in llmeval("show").out
    Path("thresholds.yaml").write_text("version: 1\n")
    assert "more missed; llmeval show -v has all of them" in llmeval("gate").out  # which has no -v itself
    assert llmeval("show", "-v").out.count("missed: miss") == 40


def test_a_run_as_json(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    found = llmeval("show", "nightly", "--json").json()
    assert (found["id"], found["name"], found["verdict"]) == ("20250101-000000-aaaaaa", "nightly", "pass")
    assert [case["key"]["sample_id"] for case in found["cases"]] == ["a", "b"]
    assert found["cases"][1]["scores"][0]["passed"] is False
    assert [row["metric"] for row in found["suites"][0]["rows"]] == ["pass_rate", "exact"]


def hostile(store: SqliteStore) -> None:
    """Put in a run every text of which wants to steer the terminal or the CI."""
    bad = HOSTILE
    store.start_run(run("r", name=bad, models=(bad,), git_commit="c" * 40, git_branch=bad, settings={bad: bad}))
    fields: dict[str, Any] = {"suite": bad, "model": bad, "slices": (bad,)}
    missed = Score(name=bad, value=0.0, passed=False, reason=f"{bad}\n{bad}\n{bad}")
    store.add_case("r", record(bad, outcome="missed", scores=(missed,), calls=(call(response=bad),), **fields))
    store.add_case("r", record("e", outcome="error", error_kind="code", error=bad, **fields))
    verdict = Verdict(suite=bad, model=bad, metric=bad, slice=bad, rule=bad, verdict="fail", reason=f"{bad} " * 9)
    store.set_verdicts("r", [verdict, replace(verdict, verdict="not_judged")])
    store.finish_run("r", END)


@pytest.mark.parametrize("arguments", [["runs"], ["show"], ["show", "-vv"], ["gate"]])
def test_what_a_model_wrote_steers_neither_terminal_nor_ci(
    store: SqliteStore, llmeval: Command, arguments: list[str]
) -> None:
    hostile(store)
    out = llmeval(*arguments).out
    assert not [char for char in out if ord(char) < 32 and char != "\n" or char in "\x7f\u202e\u200b"]
    assert not [line for line in out.split("\n") if line.lstrip().startswith("::")]
    assert "##[" not in out


@pytest.mark.parametrize("arguments", [["runs"], ["show"]])
def test_json_of_what_a_model_wrote_is_ascii_and_says_it_all(
    store: SqliteStore, llmeval: Command, arguments: list[str]
) -> None:
    hostile(store)
    done = llmeval(*arguments, "--json")
    assert done.out.isascii()
    assert "##[" not in done.out
    assert "##[error]y" in str(done.json())


def test_output_in_a_narrow_encoding_is_escaped(store: SqliteStore, installed: Command) -> None:
    store.start_run(run(name="漢"))
    done = installed("runs", environ={"PYTHONIOENCODING": "latin-1"})
    assert done.status == 0
    assert "\\u6f22" in done.out


def test_a_reader_that_has_seen_enough_is_no_failure(store: SqliteStore, installed: Command) -> None:
    """``llmeval show | head`` under ``set -o pipefail``."""
    store.start_run(run())
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = installed("show", stdout=closed)
    assert (done.status, done.err) == (0, "")


def test_a_piped_list_has_no_colours(store: SqliteStore, installed: Command) -> None:
    fill(store)
    done = installed("show", "nightly", environ={"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert done.status == 0
    assert "\x1b" not in done.out


def test_sentences_are_no_wider_in_a_pipe_than_in_a_terminal(store: SqliteStore, installed: Command) -> None:
    """Tables alone are; COLUMNS says otherwise."""
    name = "meta-llama/" + "n" * 70
    store.start_run(run(models=(name,)))
    store.add_case(run().id, record("a", model=name, outcome="missed", error="word " * 40))
    rule = Verdict(suite="qa", model=name, metric="m" * 70, slice=None, rule="min=0.4", value=0.1, n=2, verdict="fail")
    store.set_verdicts(run().id, [replace(rule, reason="word " * 40)])
    store.finish_run(run().id, END)
    for columns, most in (("", 80), ("120", 120)):
        lines = installed("show", environ={"COLUMNS": columns}).out.splitlines()
        told = [line for line in lines if "word" in line]
        assert len(told) > 2 and 70 < max(map(len, told)) <= most
    assert "m" * 70 + "  " in installed("show", environ={"COLUMNS": ""}).out


def test_only_verbose_shows_a_miss_in_full(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run())
    error = "CodeError: " + "word " * 30 + "(evals/test_a.py:12)"
    store.add_case(run().id, record("a", outcome="error", error_kind="code", error=error))
    store.finish_run(run().id, END)
    assert "evals/test_a.py:12" not in llmeval("show").out
    assert "(evals/test_a.py:12)\n" in llmeval("show", "-v").out


def test_a_name_is_whole_in_a_pipe_and_cut_in_a_terminal(store: SqliteStore, installed: Command) -> None:
    """``llmeval runs | grep NAME``; COLUMNS says otherwise, and a terminal that does not know its width has 80."""
    name = "meta-llama/" + "n" * 70
    store.start_run(run(models=(name,)))
    assert name in installed("runs", environ={"COLUMNS": ""}).out
    assert name not in installed("runs", environ={"COLUMNS": "80"}).out
    leader, terminal = pty.openpty()
    with os.fdopen(leader, "rb", 0) as shown, os.fdopen(terminal, "w") as opened:
        done = installed("runs", stdout=opened, environ={"COLUMNS": ""})
        lines = shown.read(10_000).decode().splitlines()
    assert done.status == 0
    assert max(map(len, lines)) == 80 and name not in lines[1]


@pytest.mark.parametrize(
    "arguments", [["runs"], ["show"], ["gate"], ["compare", "20250101", "20250102"], ["plan", "nightly"]]
)
def test_a_terminal_may_be_as_narrow_as_it_likes(
    store: SqliteStore, llmeval: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    fill(store)
    monkeypatch.setenv("COLUMNS", "1")
    assert llmeval(*arguments).out


@pytest.mark.parametrize("command", [("show",), ("compare", "nightly"), ("export", "csv"), ("runs", "--limit=1")])
def test_a_command_reads_no_run_that_it_is_not_about(
    store: SqliteStore, here: Path, llmeval: Command, command: tuple[str, ...]
) -> None:
    """A database holds a thousand of them after a year, and reading them all took longer than the command itself."""
    store.start_run(run("20240101-000000-dddddd", started_at="2024-01-01T00:00:00.000+00:00"))
    fill(store)
    store.start_run(run("20250104-000000-eeeeee", started_at="2025-01-04T00:00:00.000+00:00"))
    store.finish_run("20250104-000000-eeeeee", END)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE runs SET settings_json = '{' WHERE id = '20240101-000000-dddddd'")
    last = () if command[0] == "runs" else ("last",)
    done = llmeval(*command, *last)
    assert (done.status, done.err) == (0, "")
    assert "damaged settings_json" in llmeval("runs").err
