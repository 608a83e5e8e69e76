"""What a training says while it runs: lines of its own, each with its name."""

from dataclasses import replace

import pytest

from pytest_llmeval.training import supervise
from pytest_llmeval.training.proof import Gain
from pytest_llmeval.training.supervise import Job
from tests.support.tiny_base import training_project
from tests.training.stand_ins import GAIN

pytest.importorskip("trl", reason="needs the extra train")

project = training_project


def test_every_line_of_a_training_begins_with_its_name_and_stands_alone(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the results, and where ``-q`` leaves the letter of the training before on the line."""
    path = project.path / "finetune" / "configs" / "tiny.yaml"
    path.with_stem("another").write_text(path.read_text("utf-8"), "utf-8")

    def run(job: Job) -> list[Gain]:
        job.report(f"{job.name}: measures")
        return [replace(GAIN, split=split) for split in ("val", "test")]

    monkeypatch.setattr(supervise, "run_training", run)
    for quiet in ([], ["-q"]):
        lines = project.runpytest_inprocess("-m", "train", *quiet).stdout.str().splitlines()
        told = [line.partition(" 0.0 %")[0] for line in lines if "llmeval: " in line]
        each = ("measures", "val: exact", "test: exact")
        assert told == [f"llmeval: {name}: {line}" for name in ("another", "tiny") for line in each]


def test_trainings_that_ended_are_skipped_where_those_of_a_session_go_on(project: pytest.Pytester) -> None:
    """A session of several that was interrupted goes on by the same command; asked for by name, one fails."""
    path = project.path / "finetune" / "configs" / "tiny.yaml"
    path.with_stem("another").write_text(path.read_text("utf-8"), "utf-8")
    result = project.runpytest_inprocess("-m", "train", "--llmeval-train-resume", "-rs")
    result.assert_outcomes(skipped=2, deselected=12)
    told = "no training in *{0} can go on; leave out --llmeval-train-resume"
    result.stdout.fnmatch_lines([f"llmeval: {name}: {told.format(name)}" for name in ("another", "tiny")])
    for named in (["-k", "another"], ["--llmeval-train-strict"], ["finetune/test_tiny_training.py::test_tiny[tiny]"]):
        result = project.runpytest_inprocess("-m", "train", "--llmeval-train-resume", *named)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert result.parseoutcomes()["failed"] == (2 if "--llmeval-train-strict" in named else 1)
