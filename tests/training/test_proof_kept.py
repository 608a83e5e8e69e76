"""What was measured of an adapter is kept: where the disk or the database refuses it, and where a session is killed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import SettingsError, StoreError
from pytest_llmeval.store.trainings import Training
from pytest_llmeval.training import supervise
from pytest_llmeval.training.process import TrainingFailedError
from pytest_llmeval.training.proof import Gain, Measurement
from pytest_llmeval.training.supervise import Job, run_training
from tests.training.stand_ins import GAIN, OTHER, Proved, Trainer, stored


def test_a_proof_is_kept_where_no_card_can_be_written(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for."""

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(supervise, "write_whole", full)
    proved(GAIN)
    told: list[str] = []
    run_training(replace(job, report=told.append), train=Trainer("trained"))
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")
    assert [path.parent.name for path in job.place.glob("tiny/*/proof.json")] == [stored(job).id]
    assert "tiny: the model card could not be written (No space left on device); the proof is recorded" in told


def test_a_proof_that_cannot_be_kept_is_told_with_the_command_that_measures_again(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    proved(GAIN)
    told = r"tiny: .*/proof\.json: cannot be written: No space left on device; .* MB are free; fix that, then go on "
    with monkeypatch.context() as patched, pytest.raises(TrainingFailedError, match=f"{told}with: {job.again}"):
        patched.setattr(supervise, "write_json", full)
        run_training(job, train=Trainer("trained"))
    assert (stored(job).status, stored(job).verdict) == ("failed", "none")
    run_training(replace(job, is_resumed=True), train=Trainer())
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")


def test_a_disk_that_is_full_at_the_proof_is_told_with_the_command_that_measures_again(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(measurement: Measurement) -> list[Gain]:
        raise OSError(28, "No space left on device", str(measurement.folder / "no_rules.yaml"))

    told = r"tiny: .*/no_rules\.yaml: cannot be written: No space left on device; .* MB are free; fix that, then go on "
    with monkeypatch.context() as patched, pytest.raises(TrainingFailedError, match=f"{told}with: {job.again}"):
        patched.setattr(supervise, "measure", full)
        run_training(job, train=Trainer("trained"))
    proved(GAIN)
    run_training(replace(job, is_resumed=True), train=Trainer())
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")


def test_a_gain_that_could_not_be_measured_is_no_verdict(job: Job, proved: Proved) -> None:
    """As where the body of the eval raises: once that is fixed the adapter is measured, and not trained again."""
    proved(replace(GAIN, verdict="unmeasurable", n=0, low=None, reason="no row was scored"))
    told = (
        r"tiny: there is no verdict, as the gain could not be measured:\nval: exact .* over 0 rows .*: unmeasurable\n"
    )
    with pytest.raises(TrainingFailedError, match=told) as caught:
        run_training(job, train=Trainer("trained"))
    assert f"The adapter stays: fix the eval, then measure it with {job.again}" in str(caught.value)
    assert (stored(job).status, stored(job).verdict) == ("failed", "none")
    proved(GAIN)
    run_training(replace(job, is_resumed=True), train=Trainer())
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")


@pytest.mark.parametrize("how", [StoreError("the database is locked"), SystemExit()], ids=["locked", "killed"])
def test_a_proof_that_was_not_recorded_is_recorded_later_and_not_measured_again(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch, how: BaseException
) -> None:
    record = supervise._record

    def broken(job: Job, training: Training) -> None:
        if training.status == "finished":
            raise how
        record(job, training)

    asked = proved(replace(GAIN, others=(OTHER,)))
    with monkeypatch.context() as patched, pytest.raises(type(how)) as caught:
        patched.setattr(supervise, "_record", broken)
        run_training(job, train=Trainer("trained"))
    if isinstance(how, StoreError):
        assert str(caught.value) == f"{how}; fix that, then record what was measured with {job.again}"
    told: list[str] = []
    gains = run_training(replace(job, is_resumed=True, report=told.append), train=Trainer())
    (adapter,) = job.place.glob("tiny/*/adapter")
    assert told[0] == f"tiny: records what was measured of the adapter in {adapter}, trained before"
    assert (len(asked), gains[0].delta) == (1, GAIN.delta)
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")
    assert stored(job).proof == json.loads(next(job.place.glob("tiny/*/proof.json")).read_text("utf-8"))
    with pytest.raises(SettingsError, match="no training in .* can go on"):
        run_training(replace(job, is_resumed=True), train=Trainer())


def test_a_proof_that_was_not_recorded_is_measured_again_where_another_one_is_asked_for(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> None:
        raise SystemExit

    asked = proved(GAIN)
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(supervise, "_conclude", killed)
        run_training(job, train=Trainer("trained"))
    other = job.config.model_copy(update={"proof": job.config.proof.model_copy(update={"margin": 0.2})})
    run_training(replace(job, config=other, is_resumed=True), train=Trainer())
    assert [each.config.proof.margin for each in asked] == [job.config.proof.margin, 0.2]


def test_where_nothing_can_go_on_no_database_is_made(job: Job) -> None:
    with pytest.raises(SettingsError, match="no training in .* can go on"):
        run_training(replace(job, is_resumed=True), train=Trainer())
    assert not job.db.exists()
