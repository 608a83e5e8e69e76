"""What is told of a training before its process starts. The trainer and the answers are stand-ins."""

from dataclasses import replace

import pytest

from pytest_llmeval.core.errors import DatasetError, UserError
from pytest_llmeval.training.supervise import Job, run_training
from tests.training.stand_ins import Proved, Trainer


def refused(job: Job) -> str:
    """Return why a training does not begin; nothing of it is left, and no process was started."""
    trainer = Trainer()
    with pytest.raises(UserError) as caught:
        run_training(job, train=trainer)
    assert not trainer.plans
    assert not job.place.exists()
    assert not job.db.exists()
    return str(caught.value)


def test_wrong_rows_are_told_before_a_process_is_started(job: Job) -> None:
    """Which takes half a minute to import what it trains with."""
    path = job.rootdir / "data" / "train.jsonl"
    path.write_text(path.read_text("utf-8") + '{"id": "odd", "input": {"thing": "t"}, "target": 3}\n', "utf-8")
    assert refused(job) == "data/train.jsonl:25: target 3 has no text to learn; data.completion is text"


def test_rows_that_are_trained_on_and_held_out_are_told_before_a_process_is_started(job: Job) -> None:
    train, test = (job.rootdir / "data" / f"{name}.jsonl" for name in ("train", "test"))
    test.write_text(test.read_text("utf-8") + train.read_text("utf-8").splitlines()[2].replace("row-2", "w"), "utf-8")
    told = "1 held-out rows are trained on; take them out of data/train.jsonl:"
    assert refused(job) == f"{told}\ndata/train.jsonl:3 is data/test.jsonl:13 (w)"


def test_a_target_that_the_metric_does_not_take_is_told_before_a_process_is_started(job: Job) -> None:
    path = job.rootdir / "data" / "val.jsonl"
    path.write_text(path.read_text("utf-8").replace('"red"', '["red", 3]'), "utf-8")
    told = refused(job)
    assert told.startswith("data/val.jsonl:1: check.metric: exact does not take its target: ")


def test_rows_are_looked_at_where_an_adapter_waits_for_its_proof_too(job: Job, proved: Proved) -> None:
    proved()
    run_training(job, train=Trainer("trained"))
    next(job.place.glob("tiny/*/proof.json")).unlink()
    (job.rootdir / "data" / "val.jsonl").write_text("{\n", "utf-8")
    with pytest.raises(DatasetError, match=r"^data/val\.jsonl:1: "):
        run_training(replace(job, is_resumed=True), train=Trainer())
