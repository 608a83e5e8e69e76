"""What is told of the run that a run was held against."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.baselines import find_baseline
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
