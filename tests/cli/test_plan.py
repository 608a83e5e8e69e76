"""``llmeval plan``: what the suites of a stored run can see, and what a drop takes."""

import random
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.project import Project
from tests.support.records import record, score
from tests.support.stored_runs import END, run

RULES = """version: 1
suites:
  qa:
    exact: {min: 0.5, max_drop: 0.02}
    slices:
      easy: {exact: {max_drop: 0.05}}
"""


GOLDEN = """\
run 20250102-000000-bbbbbb: finished

qa on m: 60 rows, 1 epoch
  metric        rule            n   mean     sd     sees  rows  epochs
  pass_rate                    60  0.817  0.390    0.245   290    none
  exact         max_drop=0.02  60  0.817  0.390    0.220   240    none
  exact [easy]  max_drop=0.05   6  0.667  0.516  nothing   239    none
  how much answers vary: from the difference to run 20250101-000000-aaaaaa;
    rows correlate by 0.22 between runs

sees: the least drop that a rule finds in 80% of runs, with the rows and epochs
  of this run
rows, epochs: what finds a drop of 0.1 in 80% of runs: rows with one epoch
  each, or epochs with the rows of this run (none: 100 are not enough)
without a rule on a change: as if max_drop=0 were added
"""


def add_run(store: SqliteStore, id: str, *, rows: int = 60, epochs: int = 1, seed: int = 1, **settings: Any) -> None:
    """Record a full run of the suite ``qa``: rows that are right with chance Beta(1.7, 0.3), every tenth ``easy``."""
    suites = {"qa": {"expected": {"m": rows * epochs}, "rows_digest": "r"}}
    store.start_run(run(id, settings={"suites": suites, **settings}, started_at=f"2025-01-0{seed}T00:00:00.000+00:00"))
    own, draw = random.Random(0), random.Random(seed)
    for number in range(rows):
        chance = own.betavariate(1.7, 0.3)
        for epoch in range(1, epochs + 1):
            value = float(draw.random() < chance)
            slices = () if number % 10 else ("easy",)
            made: dict[str, Any] = {"outcome": "passed" if value else "missed", "slices": slices, "input_digest": "d"}
            store.add_case(
                id, record(f"s{number}", epoch=epoch, scores=(score(value=value, passed=value == 1),), **made)
            )
    store.finish_run(id, END)


def test_a_run_is_planned_for_with_the_spread_between_two_runs(
    here: Path, store: SqliteStore, llmeval: Command
) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, "20250101-000000-aaaaaa")
    add_run(store, "20250102-000000-bbbbbb", seed=2)
    done = llmeval("plan", "--drop", "0.1")
    assert (done.status, done.err) == (0, "")
    assert done.out == GOLDEN


def test_json_holds_what_the_lines_say_and_more(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, "20250101-000000-aaaaaa")
    add_run(store, "20250102-000000-bbbbbb", seed=2)
    told = llmeval("plan", "--json", "--drop", "0.1", "--power", "0.9").json()
    assert {key: told[key] for key in ("run", "other", "drop", "power")} == {
        "run": "20250102-000000-bbbbbb",
        "other": "20250101-000000-aaaaaa",
        "drop": 0.1,
        "power": 0.9,
    }
    found = {(row["metric"], row["slice"], row["rule"]): row for row in told["metrics"]}
    assert list(found) == [
        ("pass_rate", None, None),
        ("exact", None, "max_drop=0.02"),
        ("exact", "easy", "max_drop=0.05"),
    ]
    assert found["exact", None, "max_drop=0.02"]["source"] == "two runs"
    assert found["exact", "easy", "max_drop=0.05"]["n"] == 6
    assert [(each["rule"]["slice"], each["there"], each["needed"]) for each in told["cannot_fail"]] == []


def test_more_power_and_a_smaller_drop_take_more(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, "20250101-000000-aaaaaa", epochs=2)

    def needed(*arguments: str) -> int:
        (row,) = [
            row for row in llmeval("plan", "--json", *arguments).json()["metrics"] if row["rule"] == "max_drop=0.02"
        ]
        assert isinstance(row["rows_needed"], int)
        return row["rows_needed"]

    assert needed("--drop=0.2") < needed("--drop=0.1") < needed("--drop=0.1", "--power=0.95") < needed()


def test_one_run_of_one_epoch_says_what_is_taken_for_granted(store: SqliteStore, llmeval: Command) -> None:
    add_run(store, "20250101-000000-aaaaaa")
    out = " ".join(llmeval("plan").out.split())
    assert "rows are taken to correlate by 0.33 between runs. A second run, or --epochs 2, measures it." in out
    assert "without a rule on a change: as if max_drop=0 were added" in out


def test_rules_that_cannot_fail_are_named(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, "20250101-000000-aaaaaa", rows=31)
    done = llmeval("plan")
    assert (
        "note: thresholds.yaml:6: suites.qa.slices.easy.exact.max_drop: cannot fail by itself with 4 rows; 5 are needed"
        in " ".join(done.out.split())
    )
    (told,) = llmeval("plan", "--json").json()["cannot_fail"]
    assert (told["there"], told["needed"], told["unit"]) == (4, 5, "rows")


def test_a_margin_is_explained(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(
        "version: 1\nsuites: {qa: {exact: {mode: noninferior, margin: 0.05}, latency_s: {max_rise: 1}}}\n"
    )
    add_run(store, "20250101-000000-aaaaaa", epochs=2)
    out = llmeval("plan").out
    assert "exact      noninferior=0.05" in out
    assert "noninferior: sees is the least margin that can be judged" in out


def test_another_file_of_rules_can_be_named(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "other.yaml").write_text(RULES)
    add_run(store, "20250101-000000-aaaaaa")
    assert "max_drop=0.02" not in llmeval("plan").out
    assert "max_drop=0.02" in llmeval("plan", "--thresholds", "other.yaml").out
    done = llmeval("plan", "--thresholds", "gone.yaml")
    assert (done.status, done.err) == (4, "llmeval: gone.yaml: no such file\n")


def test_one_model_of_a_run_can_be_planned_for(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run("20250101-000000-aaaaaa", models=("m", "n")))
    for model in ("m", "n"):
        store.add_case("20250101-000000-aaaaaa", record("a", model=model, scores=(score(),)))
    store.finish_run("20250101-000000-aaaaaa", END)
    assert {row["model"] for row in llmeval("plan", "--json").json()["metrics"]} == {"m", "n"}
    assert {row["model"] for row in llmeval("plan", "last@n", "--json").json()["metrics"]} == {"n"}


def test_a_run_without_any_value_cannot_be_planned_for(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run())
    store.add_case(run().id, record("a", outcome="error", error_kind="timeout"))
    store.finish_run(run().id, END)
    done = llmeval("plan")
    assert done.status == 4
    assert done.err == f"llmeval: run {run().id}: no case of it has a value, so there is nothing to plan with\n"


def test_a_file_is_planned_for_without_a_database(
    store: SqliteStore, llmeval: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(store, "20250102-000000-bbbbbb", epochs=2)
    llmeval("baseline", "export", "last", "kept.jsonl.gz", "--no-answers")
    told = llmeval("plan").out
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "kept.jsonl.gz").rename(elsewhere / "kept.jsonl.gz")
    (elsewhere / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(elsewhere)
    assert llmeval("plan", "kept.jsonl.gz").out == told
    assert llmeval("plan", "kept.jsonl.gz@m").out == told
    for refs in ([], ["gone.jsonl"]):
        done = llmeval("plan", *refs)
        assert done.status == 4
        assert "no such database; `pytest evals` makes one" in done.err


def test_no_run_no_plan(here: Path, store: SqliteStore, llmeval: Command) -> None:
    done = llmeval("plan")
    assert done.status == 4
    assert "no baseline, no run" in done.err


@pytest.mark.parametrize("arguments", [("--drop", "0"), ("--power", "1"), ("--power", "0.4"), ("--drop", "x")])
def test_numbers_that_make_no_sense_are_refused(
    store: SqliteStore, llmeval: Command, arguments: tuple[str, str]
) -> None:
    add_run(store, "20250101-000000-aaaaaa", rows=1)
    done = llmeval("plan", *arguments)
    assert done.status == 4
    assert f"Invalid value for '{arguments[0]}'" in done.err


def test_names_of_others_steer_no_terminal(store: SqliteStore, llmeval: Command) -> None:
    store.start_run(run("20250101-000000-aaaaaa", name="\x1b[31mred"))
    scores = (score("::error::owned"),)
    store.add_case(
        "20250101-000000-aaaaaa", record("a", suite="\x1b]0;x\x07", model="::stop-commands::x", scores=scores)
    )
    store.finish_run("20250101-000000-aaaaaa", END)
    out = llmeval("plan").out
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line.lstrip().startswith("::")]


def test_the_runs_of_sessions_can_be_planned_for(project: Project, llmeval: Command) -> None:
    """Two sessions of a model that always says the same: what is in the way of seeing a drop is the drop itself."""
    body = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
    project.eval(body, [{"id": f"r{n}", "input": "yes", "target": "yes" if n else "no"} for n in range(8)])
    for _ in range(2):
        project.run("evals")
    told = llmeval("plan", "--json", "--drop", "0.5").json()
    (exact,) = [row for row in told["metrics"] if row["metric"] == "exact"]
    assert (exact["n"], exact["source"], exact["correlation"]) == (8, "two runs", 1.0)
    assert exact["rows_needed"] == 10
