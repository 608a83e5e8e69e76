"""What is told of a training before its process starts. The trainer and the answers are stand-ins."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.errors import DatasetError, UserError
from pytest_llmeval.training.supervise import Job, run_training
from tests.training.stand_ins import GAIN, Proved, Trainer


def refused(job: Job) -> str:
    """Return why a training does not begin; nothing of it is left, and no process was started."""
    trainer = Trainer()
    with pytest.raises(UserError) as caught:
        run_training(job, train=trainer)
    assert not trainer.plans
    assert not job.place.exists()
    assert not job.db.exists()
    return str(caught.value)


def with_proof(job: Job, **proof: Any) -> Job:
    """Return the job with another proof."""
    told = job.config.proof.model_copy(update=proof)
    return replace(job, config=job.config.model_copy(update={"proof": told}))


def test_wrong_rows_are_told_before_a_process_is_started(job: Job) -> None:
    """Which takes half a minute to import what it trains with."""
    path = job.rootdir / "data" / "train.jsonl"
    path.write_text(path.read_text("utf-8") + '{"id": "odd", "input": {"thing": "t"}, "target": 3}\n', "utf-8")
    assert refused(job) == "data/train.jsonl:25: target 3 has no text to learn, but data.completion is text"


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
    proved(GAIN)
    run_training(job, train=Trainer("trained"))
    next(job.place.glob("tiny/*/proof.json")).unlink()
    (job.rootdir / "data" / "val.jsonl").write_text("{\n", "utf-8")
    with pytest.raises(DatasetError, match=r"^data/val\.jsonl:1: "):
        run_training(replace(job, is_resumed=True), train=Trainer())


def test_a_slice_that_no_row_has_is_told_before_a_process_is_started(job: Job) -> None:
    told = refused(replace(with_proof(job, slice="esay"), place_of="tiny.yaml:9: {}".format))
    assert told == "tiny.yaml:9: proof.slice: 'esay': no row of data/val.jsonl has it"


ALL_OF_4 = "found 0.9; with 4 rows of data/{}.jsonl not even a gain of all of them shows more than 0.251; from 30 rows"


def test_a_margin_that_no_result_can_reach_is_told_before_a_process_is_started(job: Job) -> None:
    """Else it was told after the training and all sessions of the proof."""
    told = refused(replace(with_proof(job, margin=0.9, limit=4), place_of="tiny.yaml:9: {}".format))
    lines = [f"tiny.yaml:9: proof.margin: {ALL_OF_4.format(name)} on it can" for name in ("val", "test")]
    assert told.splitlines() == lines


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ({"margin": 0.75, "limit": 12}, None),
        ({"margin": 0.76, "limit": 12}, "more than 0.75; from 13 rows on it can"),
        ({"margin": 0.0, "limit": 2}, "more than 0; from 3 rows on it can"),
        ({"margin": 0.0, "limit": 3}, None),
        (
            {"margin": 1.0},
            "found 1.0; with 12 rows of data/val.jsonl not even a gain of all of them shows more than 0.75",
        ),
        ({"margin": 0.9, "metric": "pass_rate"}, "from 30 rows on it can"),
        ({"margin": 0.9, "metric": "points"}, None),
        ({"margin": 0.9, "metric": "latency_s"}, None),
    ],
)
def test_a_margin_is_refused_where_the_gate_could_not_see_it_if_all_rows_gained(
    job: Job, proved: Proved, proof: dict[str, Any], told: str | None
) -> None:
    """Of a score of the project's own nobody knows how much one row can gain."""
    asked = with_proof(job, **proof)
    if told is None:
        proved(GAIN)
        run_training(asked, train=Trainer("trained"))
    else:
        assert told in refused(asked)


def test_rows_that_depend_on_one_another_count_as_their_groups(job: Job) -> None:
    path = job.rootdir / "evals" / "test_colour.py"
    path.write_text(path.read_text("utf-8").replace('jsonl", prompt', "jsonl\", cluster='page', prompt"), "utf-8")
    for name in ("val", "test"):
        data = job.rootdir / "data" / f"{name}.jsonl"
        found = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
        rows = [{**row, "metadata": {"page": number % 4}} for number, row in enumerate(found)]
        data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    told = (
        "with 12 rows, worth 4 as they are in groups, of data/val.jsonl not even a gain of all of them shows more than"
    )
    assert f"{told} 0.251; from 6 groups on it can" in refused(with_proof(job, margin=0.5))


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ({"metric": "exakt"}, ["metric: 'exakt' {}; did you mean 'exact'?"]),
        (
            {"metric": "pionts"},
            ["metric: 'pionts' {}; did you mean 'points'?"],
        ),
        (
            {"also": ("points", "xyz", "pass_rate", "latency_s")},
            ["also: 'xyz' {}; look at the name, as only the base's answers after the training will tell"],
        ),
    ],
)
def test_a_score_that_may_be_a_typo_is_told_before_a_process_is_started(
    job: Job, proved: Proved, proof: dict[str, Any], told: list[str]
) -> None:
    """The scorer may be imported from elsewhere, so that it is trained all the same."""
    path = job.rootdir / "evals" / "test_colour.py"
    path.write_text(path.read_text("utf-8") + "    score.value('points', 1.0)\n", "utf-8")
    lines: list[str] = []
    proved(GAIN)
    place = "tiny.yaml:7: {}".format
    run_training(replace(with_proof(job, **proof), report=lines.append, place_of=place), train=Trainer("trained"))
    doubt = "is not a score of ours and does not stand in evals/test_colour.py"
    found = [f"tiny.yaml:7: proof.{line.format(doubt)}" for line in told]
    assert lines[: len(told) + 1] == [*found, lines[len(told)]]
    assert "what the training does is written to" in lines[len(told)]
