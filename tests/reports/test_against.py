"""What is told of the run that a run was held against."""

from dataclasses import replace
from pathlib import Path

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.baselines import find_baseline
from tests.support.stored_runs import END, run

NASTY = "2025\n\x1b[2J::"


def test_a_file_of_somebody_else_steers_no_terminal(tmp_path: Path) -> None:
    named = run(NASTY, end=END, name=NASTY, started_at=NASTY, git_commit=NASTY, git_branch=NASTY, version=NASTY)
    write_baseline(tmp_path / "main.jsonl", shown="", name=NASTY, run=named, count=0, cases=[])
    held = Verdict(suite="qa", model="m", metric="f1", slice=None, rule="max_drop=0.02", verdict="pass")
    choice = BaselineChoice(found=find_baseline("main.jsonl", reader=None, root=tmp_path))
    lines = against_lines(choice, run(), [held], [])
    assert [line.partition(" ")[0] for line in lines] == ["compared", "what"]
    assert all(line.isprintable() for line in lines)
    assert not against_lines(choice, run(), [replace(held, verdict="not_judged"), replace(held, rule="min=0.5")], [])
