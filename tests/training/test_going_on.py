"""A training that goes on, from the session's side. The trainer and the answers are stand-ins."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import LlmevalError, SettingsError
from pytest_llmeval.store.trainings import Training
from pytest_llmeval.training import supervise
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.made import require_same
from pytest_llmeval.training.plan import Outcome, Plan, State, write_json
from pytest_llmeval.training.process import TrainingFailedError
from pytest_llmeval.training.proof import Gain, Measurement
from pytest_llmeval.training.supervise import Job, run_training
from tests.support.tiny_base import write_project
from tests.training.stand_ins import GAIN, Proved, Trainer, digests_of, stored

CHANGES = {
    "config": "config (seed: 0, now 7)",
    "prompt": "prompt",
    "train": "train (data/train.jsonl)",
    "val": "val (data/val.jsonl)",
}


@pytest.mark.parametrize(
    ("harm", "named", "state"),
    [
        *((harm, named, state) for harm, named in CHANGES.items() for state in ("trained", "interrupted")),
        ("base", "base", "trained"),  # else it takes torch to tell
    ],
)
def test_what_goes_on_is_made_by_what_it_was_begun_with(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch, harm: str, named: str, state: State
) -> None:
    """Whether steps or only the proof are left; another one is told before a process is started."""

    def interrupted(measurement: Measurement) -> list[Gain]:
        raise TrainingFailedError("interrupted")

    trainer = Trainer(state)

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        outcome = trainer(plan, environ)
        plan.identity.unlink()
        plan.hold_to(digests_of(plan))
        return outcome

    with monkeypatch.context() as patched, pytest.raises(TrainingFailedError, match="interrupted"):
        patched.setattr(supervise, "measure", interrupted)
        run_training(job, train=train)
    proved(GAIN)
    again = replace(job, is_resumed=True)
    if harm == "config":
        again = replace(again, config=job.config.model_copy(update={"seed": 7}))
    else:
        name, old, new = {
            "prompt": ("evals/test_colour.py", "Colour of", "The colour of"),
            "train": ("data/train.jsonl", '"red"', '"RED"'),
            "val": ("data/val.jsonl", '"red"', '"RED"'),
            "base": ("base/model.safetensors", "weights", "other weights"),
        }[harm]
        path = job.rootdir / name
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    before = stored(job)
    told = rf"^the training in \S+ cannot go on, as these changed since: {re.escape(named)}; take the changes back"
    with pytest.raises(SettingsError, match=told):
        run_training(again, train=Trainer())
    assert stored(job) == before


@pytest.mark.parametrize(
    "part",
    [{"optim__soup": 2}, {"search": {"trials": 2, "space": {"lora.r": {"choices": [4, 8]}}}}],
    ids=["soup", "search"],
)
def test_a_soup_or_a_search_that_goes_on_is_held_to_its_rows_at_once(tmp_path: Path, part: Any) -> None:
    config = load_config(write_project(tmp_path, "base", **part), shown_as="tiny.yaml")
    plan = Plan(name="tiny", id="t1", config=config, rootdir=tmp_path, folder=tmp_path / "run", free=0)
    first = tmp_path / "run" / ("members" if config.search is None else "trials") / "0"
    first.mkdir(parents=True)
    one = config.member(0) if config.search is None else config.chosen({"lora.r": 4})
    plan.hold_to({"config": config.digest})
    replace(plan, config=one, folder=first).hold_to({"config": one.digest, "val": "other"})
    with pytest.raises(SettingsError, match=r"cannot go on, as these changed since: val \(data/val\.jsonl\); take"):
        require_same(plan)


TARGETS = 'config (lora.targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up..., now ["up_proj"])'
MANY = (
    "config (optim.learning_rate: 0.01, now 0.0002; optim.batch: 4, now 2; optim.max_steps: 8, now none;"
    ' optim.schedule: "cosine", now "linear"; optim.warmup: 0.03, now 0.5; 1 more)'
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"optim__learning_rate": 0.003}, "config (optim.learning_rate: 0.01, now 0.003)"),
        ({"lora__targets": ["up_proj"], "proof__margin": 0.2, "needs": {"ram_gib": 1}}, TARGETS),
        (
            {"seed": 5, "search": {"trials": 2, "space": {"lora.r": {"choices": [4, 8]}}}, "lora__r": 4},
            "config (seed: 0, now 5; lora.r: 8, now 4; search.trials: none, now 2;"
            " search.space.lora.r.log: none, now false; search.space.lora.r.choices: none, now [4, 8])",
        ),
        ({"optim": {"batch": 2, "schedule": "linear", "warmup": 0.5, "average": True}}, MANY),
        ({"data__slice": "easy", "data__limit": 9}, 'config (data.slice: none, now "easy"; data.limit: none, now 9)'),
    ],
)
def test_the_keys_that_changed_are_named_with_both_values(tmp_path: Path, changes: Any, told: str) -> None:
    """A default that was not written has its value; what may change is not named."""
    before = load_config(write_project(tmp_path, "base"), shown_as="tiny.yaml")
    now = load_config(write_project(tmp_path, "base", **changes), shown_as="tiny.yaml")
    plan = Plan(name="tiny", id="t1", config=before, rootdir=tmp_path, folder=tmp_path, free=0)
    plan.hold_to({"config": before.digest})
    with pytest.raises(SettingsError) as caught:
        replace(plan, config=now).hold_to({"config": now.digest})
    assert f"cannot go on, as these changed since: {told}; take the changes back" in str(caught.value)


def test_what_a_training_of_an_older_version_does_not_say_is_not_named(tmp_path: Path) -> None:
    config = load_config(write_project(tmp_path, "base"), shown_as="tiny.yaml")
    plan = Plan(name="tiny", id="t1", config=config, rootdir=tmp_path, folder=tmp_path, free=0)
    plan.hold_to({"config": "other"})
    for older in (None, {"version": 0}):
        (tmp_path / "configuration.json").unlink(missing_ok=True)
        if older is not None:
            write_json(tmp_path / "configuration.json", older)
        with pytest.raises(SettingsError, match=r"as these changed since: config; take"):
            plan.hold_to({"config": config.digest})


def test_resuming_takes_the_newest_that_was_not_proved(job: Job, proved: Proved) -> None:
    proved(GAIN)
    broken = Trainer("failed")
    with pytest.raises(TrainingFailedError):
        run_training(job, train=broken)
    other = Trainer("trained")
    run_training(job, train=other)
    going_on = Trainer("trained")
    run_training(replace(job, is_resumed=True), train=going_on)
    assert going_on.plans[0].folder == broken.plans[0].folder
    newest = max(broken.plans[0].id, other.plans[0].id)
    told = rf"no training in .* can go on \(the proof of {newest} has ended\); leave out --llmeval-train-resume"
    with pytest.raises(SettingsError, match=told):
        run_training(replace(job, is_resumed=True), train=going_on)


def interrupted_after(step: int) -> Callable[[Plan, Mapping[str, str]], Outcome]:
    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        write_json(plan.identity, {})
        if step:
            (plan.folder / f"checkpoint-{step}").mkdir()
        raise KeyboardInterrupt

    return train


def test_resuming_passes_over_one_that_was_begun_by_mistake_and_says_where_it_begins(job: Job, proved: Proved) -> None:
    """A newer one without a checkpoint would begin at step 0 and lose what the older one has."""
    proved(GAIN)
    for step in (700, 0):
        with pytest.raises(KeyboardInterrupt):
            run_training(job, train=interrupted_after(step))
    (older,) = (path.parent for path in job.place.glob("tiny/*/checkpoint-700"))
    going_on, told = Trainer("trained"), list[str]()
    run_training(replace(job, is_resumed=True, report=told.append), train=going_on)
    assert going_on.plans[0].folder == older
    assert told[0] == (
        f"tiny: begins anew in {older}, where no checkpoint is whole"
        " (passed over checkpoint-700: trainer_state.json is missing)"
    )


def test_a_second_session_leaves_a_training_alone(job: Job, proved: Proved) -> None:
    """Of the first one's folder nothing is taken away, and its record stays."""
    proved(GAIN)
    inner: list[str] = []

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        outcome = Trainer("trained")(plan, environ)
        (plan.folder / "outcome.json").write_text("of the first", "utf-8")
        shutil.move(plan.adapter, plan.folder / "later")
        with pytest.raises(SettingsError, match="another session still trains or measures in .*; wait for its end"):
            run_training(replace(job, is_resumed=True), train=Trainer())
        inner.append((plan.folder / "outcome.json").read_text("utf-8"))
        assert stored(job).status == "running"
        shutil.move(plan.folder / "later", plan.adapter)
        return outcome

    run_training(job, train=train)
    assert inner == ["of the first"]
    assert stored(job).status == "finished"


def test_a_folder_that_cannot_be_written_into_is_told(job: Job) -> None:
    """As that of another account, whose training was to go on."""
    with pytest.raises(TrainingFailedError):
        run_training(job, train=Trainer("failed"))
    before = stored(job)
    (folder,) = job.place.glob("tiny/*")
    (folder / ".session.lock").unlink()
    (folder / ".session.lock").mkdir()
    told = rf"^{folder}/\.session\.lock: cannot be written: Is a directory; \d+ MB are free; see --llmeval-db$"
    with pytest.raises(SettingsError, match=told):
        run_training(replace(job, is_resumed=True), train=Trainer())
    assert stored(job) == before


def test_what_could_not_be_measured_is_no_verdict_and_can_be_measured_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, proved: Proved
) -> None:
    def broken(measurement: Measurement) -> list[Gain]:
        raise LlmevalError("the adapter could not be measured on val")

    monkeypatch.setattr(supervise, "measure", broken)
    with pytest.raises(TrainingFailedError, match="the adapter could not be measured on val"):
        run_training(job, train=Trainer("trained"))
    assert (stored(job).status, stored(job).verdict) == ("failed", "none")
    proved(GAIN)
    run_training(replace(job, is_resumed=True), train=Trainer())
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")


def test_a_proof_that_was_broken_off_is_taken_up_without_training_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, proved: Proved
) -> None:
    def interrupted(measurement: Measurement) -> list[Gain]:
        raise KeyboardInterrupt

    monkeypatch.setattr(supervise, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_training(job, train=Trainer("trained"))
    proved(GAIN)
    told: list[str] = []
    run_training(replace(job, is_resumed=True, report=told.append), train=Trainer())
    (adapter,) = job.place.glob("tiny/*/adapter")
    assert told[0] == f"tiny: measures the adapter in {adapter}, trained before"
    assert json.loads(next(job.place.glob("tiny/*/proof.json")).read_text("utf-8"))[0]["delta"] == 0.9


def test_a_finished_adapter_is_proved_by_what_the_proof_asks_now(
    job: Job, monkeypatch: pytest.MonkeyPatch, proved: Proved
) -> None:
    """A typo in proof.metric, which shows only now, costs no training."""

    def refused(measurement: Measurement) -> list[Gain]:
        raise SettingsError("proof.metric: 'exakt'")

    with monkeypatch.context() as patched, pytest.raises(SettingsError, match="exakt"):
        patched.setattr(supervise, "measure", refused)
        run_training(job, train=Trainer("trained"))
    assert (stored(job).status, stored(job).reason) == ("failed", "proof.metric: 'exakt'")
    asked = proved(GAIN)
    other = job.config.model_copy(update={"proof": job.config.proof.model_copy(update={"metric": "pass_rate"})})
    run_training(replace(job, config=other, is_resumed=True), train=Trainer())
    assert asked[0].config.proof.metric == "pass_rate"
    assert stored(job).config["proof"]["metric"] == "pass_rate"


def test_what_is_recorded_of_a_training_stays_where_it_goes_on(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    during: list[Training] = []

    def interrupted(measurement: Measurement) -> list[Gain]:
        during.append(stored(job))
        raise KeyboardInterrupt

    monkeypatch.setattr(supervise, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_training(job, train=Trainer("trained"))
    before = stored(job)
    later = replace(job, is_resumed=True, git={"git_commit": "def", "git_dirty": True})
    monkeypatch.setattr(supervise, "utc_now", lambda: "2100-01-01T00:00:00+00:00")
    with pytest.raises(KeyboardInterrupt):
        run_training(later, train=Trainer())
    assert before.adapter is not None
    assert during[1] == replace(before, status="running", finished_at=None)
    assert stored(job) == replace(before, finished_at="2100-01-01T00:00:00+00:00")


def test_a_training_that_cannot_go_on_as_things_are_now_stays_what_it_was(job: Job) -> None:
    def interrupted(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        write_json(plan.identity, {})
        raise KeyboardInterrupt

    def refused(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        return Outcome(state="refused", message="the rows changed")

    with pytest.raises(KeyboardInterrupt):
        run_training(job, train=interrupted)
    before = stored(job)
    with pytest.raises(SettingsError, match="the rows changed"):
        run_training(replace(job, is_resumed=True), train=refused)
    assert stored(job) == before
    assert before.status == "interrupted"
