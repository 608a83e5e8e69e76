"""What a training says while it runs: lines of its own, each with its name."""

from dataclasses import replace

import pytest

from pytest_llmeval.training import supervise
from pytest_llmeval.training.proof import Gain
from pytest_llmeval.training.supervise import Job
from tests.support.tiny_base import training_project
from tests.training.stand_ins import GAIN, Trainer

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


def test_a_session_of_several_trainings_that_was_interrupted_is_completed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not begun begins, what was proved is skipped, and what was found no better fails again."""
    path = project.path / "finetune" / "configs" / "tiny.yaml"
    for name in ("ended", "failed", "later"):
        path.with_stem(name).write_text(path.read_text("utf-8"), "utf-8")
    path.unlink()
    (project.path / "no-such-base").mkdir()
    (project.path / "no-such-base" / "config.json").write_text("{}", "utf-8")
    (project.path / "no-such-base" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(supervise, "in_a_process", lambda plan, environ, **_: Trainer("trained")(plan, environ))
    found = {"ended": GAIN, "failed": replace(GAIN, verdict="fail")}
    monkeypatch.setattr(supervise, "measure", lambda measurement: [found[measurement.name]])
    first = project.runpytest_inprocess("-m", "train", "-k", "ended or failed")
    first.assert_outcomes(passed=1, failed=1, deselected=13)
    found["later"] = GAIN
    result = project.runpytest_inprocess("-m", "train", "--llmeval-train-resume")
    result.assert_outcomes(passed=1, failed=1, skipped=1, deselected=12)
    result.stdout.fnmatch_lines(
        [
            "llmeval: ended: the proof of * has ended, and nothing is left to do",
            "llmeval: later: begins, as nothing of it was begun",
            "failed: the proof of * has ended and does not hold:",
        ]
    )
