"""What is told of the run that a run was held against."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.baselines import find_baseline
from tests.support.judged_cases import to_judged
from tests.support.memory_store import MemoryStore
from tests.support.records import record, score
from tests.support.stored_runs import END, run

NASTY = "2025\n\x1b[2J::"
HELD = Verdict(suite="qa", model="m", metric="f1", slice=None, rule="max_drop=0.02", verdict="pass")


def test_a_file_of_somebody_else_steers_no_terminal(tmp_path: Path) -> None:
    named = run(NASTY, end=END, name=NASTY, started_at=NASTY, git_commit=NASTY, git_branch=NASTY, version=NASTY)
    write_baseline(tmp_path / "main.jsonl", shown="", name=NASTY, run=named, count=0, cases=[])
    choice = BaselineChoice(found=find_baseline("main.jsonl", reader=None, root=tmp_path))
    lines = against_lines(choice, run(), [HELD], [])
    assert [line.partition(" ")[0] for line in lines] == ["compared", "what"]
    assert all(line.isprintable() for line in lines)
    assert not against_lines(choice, run(), [replace(HELD, verdict="not_judged"), replace(HELD, rule="min=0.5")], [])


@pytest.mark.parametrize("name", ["nightly@home.jsonl", f"{70 * 'n'}/{20 * 'o'} p.jsonl"], ids=["at", "long"])
@pytest.mark.parametrize("model", ["", "@m"], ids=["all", "of a model"])
def test_the_command_that_makes_an_old_baseline_anew_names_its_file(tmp_path: Path, name: str, model: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    old = run(END.finished_at, end=END, started_at="2024-01-02T03:04:05.678+00:00")
    write_baseline(tmp_path / name, shown="", name="main", run=old, count=0, cases=[])
    choice = BaselineChoice(found=find_baseline(name + model, reader=None, root=tmp_path))
    told = against_lines(choice, run(), [HELD], [], db_option=" --llmeval-db ci.db")[1]
    assert told.endswith(f"llmeval baseline export RUN {shlex.join([name])} --llmeval-db ci.db")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (1, 3, "the baseline has 1 epoch and this run 3: "),
        (3, 1, "the baseline has 3 epochs and this run 1: "),
        (3, 3, None),
        (None, 3, None),
    ],
)
def test_other_epochs_than_in_the_baseline_are_told_of(
    tmp_path: Path, before: int | None, now: int, told: str | None
) -> None:
    """Where any rule was held against it."""
    options = {"options": {"epochs": before}} if before else {}
    write_baseline(tmp_path / "b.jsonl", shown="", name="b", run=run("b", end=END, settings=options), count=0, cases=[])
    choice = BaselineChoice(found=find_baseline("b.jsonl", reader=None, root=tmp_path))
    current = run(settings={"options": {"epochs": now}})
    lines = [line for line in against_lines(choice, current, [HELD], []) if line.startswith("the baseline has")]
    assert [line.startswith(told) for line in lines if told] == ([True] if told else [])
    assert len(lines) == bool(told)
    bar = replace(HELD, rule="min=0.5")
    assert not any(line.startswith("the baseline has") for line in against_lines(choice, current, [bar], []))


def with_a_case(root: Path) -> tuple[BaselineChoice, list[JudgedCase]]:
    """Return a baseline with one case, as a file, and what the run has of it."""
    old, store = run("b", end=END, started_at="2024-01-02T03:04:05.678+00:00"), MemoryStore()
    store.start_run(old)
    store.add_case("b", record("a", scores=(score(),)))
    cases = list(store.cases("b"))
    write_baseline(root / "b.jsonl", shown="", name="b", run=old, count=1, cases=cases)
    choice = BaselineChoice(found=find_baseline("b.jsonl", reader=None, root=root))
    return choice, [to_judged(case) for case in cases]


def test_a_baseline_that_no_rule_is_held_against_is_compared_with_all_the_same(tmp_path: Path) -> None:
    """Somebody named it to see what changed."""
    choice, cases = with_a_case(tmp_path)
    for verdicts in ([], [replace(HELD, rule="min=0.5")]):
        assert against_lines(choice, run(), verdicts, []) == []  # nothing of it is in the run
        lines = against_lines(choice, run(), verdicts, cases)
        assert lines[0].endswith(", of 2024-01-02; no rule is on a change")
        assert lines[-1] == f"what changed: llmeval compare b.jsonl {run().id}"
        assert not any("days old" in line for line in lines)


def test_a_rule_of_a_suite_that_did_not_run_is_none_on_a_change(tmp_path: Path) -> None:
    choice, cases = with_a_case(tmp_path)
    other = replace(HELD, verdict="not_judged", reason="no case of suite 'qa' was selected")
    assert against_lines(choice, run(), [other], cases)[0].endswith("; no rule is on a change")
