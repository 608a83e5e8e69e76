"""A training from the session's side: second try, record, proof. The trainer and the answers are stand-ins."""

import gc
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.card import card
from pytest_llmeval.training.config import LaunchModel
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.machine import Machine
from pytest_llmeval.training.plan import Outcome, Plan, write_json
from pytest_llmeval.training.process import TrainingFailedError
from pytest_llmeval.training.supervise import Job, run_training
from tests.support.tiny_base import write_project
from tests.training.stand_ins import GAIN, OTHER, RECORD, Proved, Trainer, stored


def test_a_training_is_recorded_with_its_curves_and_its_proof(job: Job, proved: Proved) -> None:
    asked = proved(GAIN, replace(GAIN, split="test"))
    trainer = Trainer("trained")
    run_training(job, train=trainer)
    found = stored(job)
    assert (found.status, found.verdict, found.steps, found.git_commit) == ("finished", "pass", 8, "abc")
    assert found.log == [{"step": 1, "loss": 2.0}]
    assert found.proof is not None
    assert [each["split"] for each in found.proof] == ["val", "test"]
    adapter, base = trainer.plans[0].adapter, job.rootdir / "base"
    assert asked[0].specs == {
        "base": f"hf:{base}?device=cpu&load=4bit",
        "adapter": f"hf:{base}+{adapter}?device=cpu&load=4bit",
    }


def test_the_card_tells_the_gain_and_how_it_came_about(job: Job, proved: Proved) -> None:
    proved(GAIN)
    trainer = Trainer("trained")
    run_training(job, train=trainer)
    card = (trainer.plans[0].adapter / "README.md").read_text("utf-8")
    assert "| val, 12 | exact | 0.0 % | 90.0 % | 90.0 % (70.0 % to 100.0 %) | 10.0 % | pass |" in card
    assert (
        "the checkpoint of step 4 is kept, the best by exact on `data/val.jsonl`: exact 0.5, loss 1.5" in card.lower()
    )
    assert "1,234 tokens/s on x86_64, at most 3.00 GiB" in card
    assert f"    pytest {job.config.eval} --model 'hf:base+ADAPTER?load=4bit'" in card


def test_the_card_says_why_there_is_no_interval(job: Job) -> None:
    """And shows no question marks beside a gain that is known."""
    record = {**RECORD, "config": job.config.model_dump(mode="json")}
    alike = replace(GAIN, after=1.0, delta=1.0, low=None, high=None)
    told = "100.0 % (no interval: all rows, or groups of them, changed alike)"
    assert f"| val, 12 | exact | 0.0 % | 100.0 % | {told} | 10.0 % | pass |" in card(record, [alike])


def test_the_card_has_what_must_not_get_worse_and_the_bound_that_decided(job: Job) -> None:
    """The bound may be below the interval's lower end; a number that is not a share is not told in percent."""
    record = {**RECORD, "config": job.config.model_dump(mode="json")}
    speed = {"metric": "latency_s", "value": 0.25, "delta": -0.25, "low": None, "high": None}
    others = ({**OTHER, "metric": "json_match"}, {**OTHER, **speed})
    told = card(
        record, [replace(GAIN, reason="the gain may be as little as 0.6, the margin is 0.1; 0 to 0.9", others=others)]
    )
    assert "| val, 12 | json_match | 50.0 % | 75.0 % | 25.0 % (10.0 % to 40.0 %) | not worse | pass |" in told
    assert "| val, 12 | latency_s | 0.500 | 0.250 | -0.250 (no interval) | not worse | pass |" in told
    assert "\n- val: the gain may be as little as 0.6, the margin is 0.1\n" in told


def test_the_card_tells_what_decided_the_adapter(job: Job) -> None:
    """Two roundings of the embedded model's weights, the commit of another one's, and rows apart from variants."""
    config = job.config.model_dump(mode="json")
    config["optim"]["average"], config["lora"]["dropout"] = True, 0.05
    train = {"file": "t", "rows": 24, "too_long": [], "long_variants": ["t:1, variant 1 (99 tokens)"]}
    record = {**RECORD, "config": config, "data": {"train": train, "val": {"file": "v"}}}
    embedded = card({**record, "base": {"spec": "local:smollm2", "revision": None}}, [])
    assert "Weights of the base: 4bit, of the numbers that a GGUF file of 4-bit ones stands for; adapter of" in embedded
    assert "of rank 8, alpha 16, dropout 0.05, on q_proj" in embedded
    assert "The checkpoint of step 4, with the mean over the steps, is kept, the best by exact" in embedded
    assert "Rows left out because they are too long: 0; variants: 1." in embedded
    of_hub = card({**record, "base": {"spec": "org/m", "revision": "abc123"}}, [])
    assert "Weights of the base: 4bit, of commit `abc123`; adapter" in of_hub


def test_an_adapter_that_does_not_gain_its_margin_fails(job: Job, proved: Proved) -> None:
    proved(GAIN, replace(GAIN, split="test", verdict="fail", low=0.05, reason="the loss may be up to -0.05"))
    with pytest.raises(TrainingFailedError) as caught:
        run_training(job, train=Trainer("trained"))
    told = str(caught.value)
    assert "test: exact 0.0 % -> 90.0 % over 12 rows" in told
    assert "a gain above the margin of 10.0 % is not sure; with more rows it may be surer; llmeval" in told
    assert "the loss may be up to -0.05" in told
    assert f"llmeval compare {GAIN.base_run} {GAIN.adapter_run} shows the rows" in told
    assert "val:" not in told
    assert (stored(job).status, stored(job).verdict) == ("finished", "fail")


def test_another_score_that_fell_fails_it_too(job: Job, proved: Proved) -> None:
    proved(replace(GAIN, others=({**OTHER, "verdict": "fail", "reason": "it fell by 0.2"},)))
    with pytest.raises(TrainingFailedError, match="val: pass_rate is worse: it fell by 0.2"):
        run_training(job, train=Trainer("trained"))


def test_another_score_that_nobody_gave_guards_nothing_and_fails(job: Job, proved: Proved) -> None:
    other = {**OTHER, "metric": "pas_rate", "verdict": "unmeasurable", "reason": "no case has a score 'pas_rate'"}
    proved(replace(GAIN, others=(other,)))
    with pytest.raises(TrainingFailedError, match="val: pas_rate may be worse: no case has a score 'pas_rate'"):
        run_training(job, train=Trainer("trained"))


def test_an_end_before_the_last_step_is_told(job: Job, proved: Proved) -> None:
    proved(GAIN)
    told: list[str] = []

    def early(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        return replace(Trainer("trained")(plan, environ), message="it ended after step 8 of 100")

    run_training(replace(job, report=told.append), train=early)
    assert told[-2:] == ["tiny: it ended after step 8 of 100", told[-1]]


def test_out_of_memory_goes_on_once_with_half_the_rows(job: Job, proved: Proved) -> None:
    proved(GAIN)
    trainer = Trainer("out_of_memory", "trained")
    told: list[str] = []
    run_training(replace(job, report=told.append), train=trainer)
    first, second = trainer.plans
    assert (first.most_rows, first.is_resumed) == (None, False)
    assert (second.most_rows, second.is_resumed, second.folder) == (2, True, first.folder)
    assert told[1:] == [
        "tiny: out of memory with 4 rows at once; going on with 2",
        f"tiny: the adapter lies in {first.adapter}",
    ]


def test_out_of_memory_with_one_row_goes_on_with_checkpointing(job: Job, proved: Proved) -> None:
    proved(GAIN)
    trainer = Trainer("out_of_memory", "trained", rows=1, checkpointing=False)
    told: list[str] = []
    run_training(replace(job, report=told.append), train=trainer)
    assert trainer.plans[1].most_rows == 1
    assert told[1] == "tiny: out of memory with 1 row at once; going on with checkpointing"


def test_out_of_memory_with_one_row_is_the_end(job: Job) -> None:
    with pytest.raises(TrainingFailedError, match="out of memory with one row at once"):
        run_training(job, train=Trainer("out_of_memory", rows=1))


def test_gpus_that_are_left_idle_are_told(job: Job, proved: Proved) -> None:
    proved(GAIN)
    told: list[str] = []
    machine = Machine(gpu="Card", gpu_total=24 << 30, gpus=4, ram_free=8 << 30)
    config = job.config.model_copy(update={"device": "cuda", "launch": LaunchModel(processes=2)})
    trainer = Trainer("trained")
    run_training(replace(job, config=config, machine=machine, report=told.append), train=trainer)
    assert told[1] == "tiny: 2 of 4 GPUs are used; launch.processes says how many"
    assert trainer.plans[0].free == int(0.9 * (24 << 30))


def test_processes_share_the_memory_of_the_machine(job: Job, proved: Proved) -> None:
    proved(GAIN)
    config = job.config.model_copy(update={"launch": LaunchModel(processes=4)})
    trainer = Trainer("trained")
    run_training(replace(job, config=config), train=trainer)
    assert trainer.plans[0].free == int(0.9 * (2 << 30))


def test_out_of_memory_twice_fails_with_the_estimate_of_the_second_try(job: Job, proved: Proved) -> None:
    proved(GAIN)
    with pytest.raises(TrainingFailedError, match=r"out of memory twice .*\n  total  2\.00 GiB"):
        run_training(job, train=Trainer("out_of_memory", "out_of_memory"))
    assert stored(job).status == "failed"


def test_a_second_try_that_ends_before_it_is_laid_out_shows_the_estimate_of_the_first(job: Job) -> None:
    """Its file lies there still."""
    first = Trainer("out_of_memory")

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        killed = Outcome(state="out_of_memory", message="the system killed it")
        return first(plan, environ) if plan.most_rows is None else killed

    told = r"twice, the second time before anything was loaded \(the .* it\); the estimate was:\n  total  9\.00 GiB"
    with pytest.raises(TrainingFailedError, match=told):
        run_training(job, train=train)


def test_out_of_memory_before_the_rows_are_laid_out_is_a_failure_of_its_own(job: Job) -> None:
    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        return Outcome(state="out_of_memory", message="the system killed it for want of memory")

    with pytest.raises(TrainingFailedError, match=r"out of memory before anything was loaded \(the system killed it"):
        run_training(job, train=train)
    assert stored(job).status == "failed"


@pytest.mark.parametrize("fault", [RuntimeError("can't start new thread"), OSError(11, "can't start new thread")])
def test_what_nobody_foresaw_leaves_no_training_running(job: Job, fault: Exception) -> None:
    """Nor is it told as a full disk."""

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        raise fault

    with pytest.raises(type(fault), match="new thread"):
        run_training(job, train=train)
    found = stored(job)
    assert (found.status, found.reason) == ("failed", f"{type(fault).__name__}: {fault}")


def test_what_broke_is_recorded_and_says_where_it_lies(job: Job, proved: Proved) -> None:
    with pytest.raises(TrainingFailedError) as caught:
        run_training(job, train=Trainer("failed"))
    assert "tiny: training failed: it failed" in str(caught.value)
    assert str(job.place / "tiny") in str(caught.value)
    assert stored(job).reason is not None


def test_a_mistake_of_the_users_is_one(job: Job) -> None:
    with pytest.raises(SettingsError, match="tiny: it refused"):
        run_training(job, train=Trainer("refused"))


class OutOfTime(BaseException):
    """What pytest-timeout raises, which is no Exception."""


@pytest.mark.parametrize("raised", [KeyboardInterrupt, OutOfTime])
def test_an_interrupt_says_how_to_go_on(job: Job, raised: type[BaseException]) -> None:
    def interrupted(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        write_json(plan.identity, {})
        raise raised

    told: list[str] = []
    with pytest.raises(raised):
        run_training(replace(job, report=told.append), train=interrupted)
    assert re.fullmatch(r"tiny: what the training does is written to .*/tiny/[^/]+/output\.txt", told[0])
    assert told[1:] == ["tiny: continue with: pytest NODEID --llmeval-train-resume"]
    assert stored(job).status == "interrupted"


INTERRUPTING = """
import os, pathlib, signal, sys, time

def end(number, frame):
    time.sleep(0.5)
    os._exit(0)

signal.signal(signal.SIGINT, end)
folder = pathlib.Path(sys.orig_argv[-1]).parent
(folder / "identity.json").write_text("{}")
if BEGUN:
    (folder / "start.json").write_text("[]")
time.sleep(1)  # the session has to wait for it first
os.kill(os.getppid(), signal.SIGINT)
time.sleep(20)
"""
"""What the process of a training does before it imports anything."""


@pytest.mark.parametrize(
    ("has_begun", "told"),
    [(True, "a checkpoint is saved at the end of this step"), (False, "it has not begun its steps, and ends soon")],
)
def test_an_interrupt_is_answered_at_once(job: Job, has_begun: bool, told: str) -> None:
    """A step may take long, and so may a checkpoint."""
    (job.rootdir / "sitecustomize.py").write_text(f"BEGUN = {has_begun}\n{INTERRUPTING}", "utf-8")
    lines: list[str] = []
    gc.disable()  # what hypothesis measures of it would swallow an interrupt that comes meanwhile
    try:
        with pytest.raises(KeyboardInterrupt):
            run_training(replace(job, environ={"PYTHONPATH": str(job.rootdir)}, report=lines.append))
    finally:
        gc.enable()
    assert lines[1:] == [f"tiny: {told}; a second Ctrl-C ends it at once", f"tiny: continue with: {job.again}"]


@pytest.mark.parametrize("part", ["", "members/0"])
def test_after_an_interrupt_the_step_of_the_checkpoint_is_named(job: Job, killed: Path, part: str) -> None:
    def interrupted(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        write_json(plan.identity, {})
        shutil.copytree(killed / "run" / "checkpoint-4", plan.folder / "checkpoint-4")
        raise KeyboardInterrupt

    config = job.config.model_copy(update={"optim": job.config.optim.model_copy(update={"soup": 2})} if part else {})
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_training(replace(job, config=config, report=told.append), train=interrupted)
    where = f" in {part}" if part else ""
    assert told[-1] == f"tiny: the checkpoint of step 4{where} is kept; continue with: {job.again}"


def test_an_interrupt_before_anything_began_names_nothing_to_go_on_with(job: Job) -> None:
    def interrupted(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        raise KeyboardInterrupt

    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_training(replace(job, report=told.append), train=interrupted)
    assert len(told) == 1
    assert stored(job).status == "interrupted"


def test_a_folder_that_no_spec_can_name_is_refused_before_anything_is_trained(job: Job) -> None:
    with pytest.raises(SettingsError, match=r"a '\+' in a model's spec begins its adapter"):
        run_training(replace(job, place=job.place / "c++"), train=Trainer())


def test_a_search_is_recorded_with_all_its_trials(job: Job, proved: Proved) -> None:
    pytest.importorskip("optuna", reason="needs the extra search")
    wanted = {"trials": 2, "space": {"lora.r": {"choices": [4, 8]}}}
    path = write_project(job.rootdir, "base", search=wanted)
    config = load_config(path, shown_as="tiny.yaml")
    asked = proved(GAIN)
    told: list[str] = []
    run_training(replace(job, config=config, report=told.append), train=Trainer("trained", "trained"))
    (folder,) = job.place.glob("tiny/*")
    assert told[0] == f"tiny: what the training does is written to {folder}/trials/*/output.txt"
    found = stored(job)
    assert (found.status, found.verdict, found.config["search"]["trials"]) == ("finished", "pass", 2)
    assert found.record is not None
    assert [each["state"] for each in found.record["search"]["trials"]] == ["complete", "complete"]
    assert found.record["config"]["lora"]["r"] in (4, 8)
    (adapter,) = job.place.glob("tiny/*/adapter")
    assert asked[0].specs["adapter"] == f"hf:{job.rootdir}/base+{adapter}?device=cpu&load=4bit"
    assert "- The best of 2 trials: lora.r " in (adapter / "README.md").read_text("utf-8")
