"""The shipped labelled answers, judged by scripted judges and held against their labels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli import main
from tests.support.judges import Judged, Messages, answer_in, named, verdict
from tests.support.project import Project

ROOT = Path(__file__).resolve().parent.parent.parent
ANSWERS = ROOT / "data" / "judge" / "answers.jsonl"
EVAL = "evals/test_shipped_calibration.py"


@pytest.fixture
def calibrated(project: Project) -> Project:
    """A project with the labelled answers and the eval that has them judged."""
    (project.root / "evals").mkdir()
    # Under another name: this session may have imported the module of this repository already.
    shutil.copy(ROOT / "evals" / "test_judge_calibration.py", project.root / EVAL)
    shutil.copytree(ROOT / "data" / "judge", project.root / "data" / "judge")
    return project


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ANSWERS.read_text("utf-8").splitlines()]


def calibrate(capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["calibrate", "data/judge/answers.jsonl", "--json"])
    return json.loads(capsys.readouterr().out)


def knowing(messages: Messages) -> str:
    """Return the verdict that the labels ask for; the question tells which row it is."""
    answer, _ = answer_in(messages)
    text = messages[1]["content"]
    levels = next(
        row["metadata"]["labels"]
        for row in rows()
        if row["input"]["answer"] == answer and row["input"]["question"] in text
    )
    return said(messages, levels)


def said(messages: Messages, levels: dict[str, str]) -> str:
    return verdict(messages, levels["correctness"], **{n: {"reason": "So.", "verdict": v} for n, v in levels.items()})


def run(project: Project, judged_by: Judged, reply: Callable[[Messages], str], *more: str) -> pytest.RunResult:
    return project.run(EVAL, named(project, judged_by(reply)), *more)


def test_a_judge_that_says_what_the_labels_say_agrees_with_them(
    calibrated: Project, judged_by: Judged, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(calibrated, judged_by, knowing).ret == 0
    found = calibrate(capsys)
    told = {each["name"]: each for each in found["scores"] if each["slice"] is None}
    assert sorted(told) == ["completeness", "correctness", "format", "qa"]
    assert {each["n"] for each in told.values()} == {len(rows())}
    assert {each["kappa"]["value"] for each in told.values()} == {1.0}
    assert {each["drawn"] for each in told.values()} == {"all"}
    assert any(each["slice"] == "wrong_rival" for each in found["scores"])


def test_a_judge_that_passes_everything_does_not(
    calibrated: Project, judged_by: Judged, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the rows that ran: a part of the file."""
    best = {"correctness": "right", "completeness": "complete", "format": "good"}
    assert run(calibrated, judged_by, lambda messages: said(messages, best), "--llmeval-limit=30").ret == 0
    told = {each["name"]: each for each in calibrate(capsys)["scores"] if each["slice"] is None}
    assert told["correctness"]["n"] == 30
    assert told["correctness"]["kappa"]["value"] == 0
    assert told["correctness"]["rates"]["specificity"]["value"] == 0


def test_without_a_judge_it_is_skipped(calibrated: Project) -> None:
    calibrated.run(EVAL, "--llmeval-limit=2")
    assert {row["outcome"] for row in calibrated.rows("SELECT outcome FROM cases")} == {"skipped"}


def test_it_waits_for_its_name(project: Project) -> None:
    """A folder of evals is run without it."""
    (project.root / "evals").mkdir()
    for name in ("conftest.py", "test_judge_calibration.py"):
        shutil.copy(ROOT / "evals" / name, project.root / "evals" / name)
    shutil.copytree(ROOT / "data" / "judge", project.root / "data" / "judge")
    result = project.run("evals", "--co", "-q", inside=False)
    assert "test_judge_calibration" not in result.stdout.str()
    named_ = project.run("evals/test_judge_calibration.py", "--co", "-q", inside=False)
    assert "test_judge_calibration[" in named_.stdout.str()
