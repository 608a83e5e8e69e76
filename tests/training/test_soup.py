"""Soups: several trainings by seeds of their own, and the mean of their adapters."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training import soup
from pytest_llmeval.training.card import card
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.plan import Outcome, Plan, State, write_json
from pytest_llmeval.training.process import TrainingFailedError
from pytest_llmeval.training.soup import members, train_soup
from pytest_llmeval.training.supervise import Job, run_training
from tests.support.in_process import train_here
from tests.support.tiny_base import config, write_project
from tests.training.stand_ins import GAIN, RECORD, Proved, digests_of, run_json, stored

torch = pytest.importorskip("torch", reason="needs the extra train")
safetensors = pytest.importorskip("safetensors.torch")

NAMES = ("base_model.model.model.layers.0.mlp.up_proj", "base_model.model.model.layers.0.self_attn.q_proj")


def plan_of(root: Path, base: Path | str = "base", soup: int = 3, **changes: Any) -> Plan:
    path = write_project(root, base, optim__soup=soup, seed=5, **changes)
    folder = root / "trainings" / "tiny" / "s1"
    folder.mkdir(parents=True, exist_ok=True)
    found = load_config(path, shown_as="tiny.yaml")
    return Plan(name="tiny", id="s1", config=found, rootdir=root, folder=folder, free=8 << 30)


class Trainer:
    """Stands in for the processes: each adapter is drawn by its seed; ``ends`` says by seed how one ends.

    ``real``: whether it is held to the rows that there are.
    """

    def __init__(
        self,
        ends: Mapping[int, State] = {},
        *,
        dtype: Any = torch.bfloat16,
        rows: Mapping[int, str] = {},
        real: bool = False,
    ) -> None:
        self.ends, self.dtype, self.rows, self.real = ends, dtype, rows, real
        self.seeds: list[int] = []

    def __call__(self, plan: Plan, environ: Mapping[str, str]) -> Outcome:
        seed = plan.config.seed
        assert plan.config.optim.soup == 1
        assert plan.is_resumed is (plan.folder / "fit.json").exists()
        self.seeds.append(seed)
        data = {"train": self.rows.get(seed, "t"), "variants": f"of {seed}", "val": "v"}
        plan.hold_to(digests_of(plan) if self.real else {"config": plan.config.digest, **data, "base": "b"})
        write_json(plan.folder / "fit.json", {"micro_batch": 1, "estimate": []})
        (plan.folder / "checkpoint-4").mkdir(exist_ok=True)
        if seed in self.ends:
            return Outcome(state=self.ends[seed], message="so it was")
        plan.adapter.mkdir()
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, (out, into) in zip(NAMES, ((5, 7), (6, 7)), strict=True):
            weights[f"{name}.lora_A.weight"] = torch.randn(4, into, generator=generator).to(self.dtype)
            weights[f"{name}.lora_B.weight"] = torch.randn(out, 4, generator=generator).to(self.dtype)
        safetensors.save_file(weights, plan.adapter / "adapter_model.safetensors", metadata={"format": "pt"})
        write_json(
            plan.adapter / "adapter_config.json",
            {"r": 4, "lora_alpha": 16, "base_model_name_or_path": str(plan.rootdir / "base")},
        )
        (plan.adapter / "train_log.jsonl").write_text('{"loss": 1.0, "step": 1}\n', "utf-8")
        more = {"tokens": 100, "step_seconds": 10.0 + seed, "resumed_from": 0, "digests": {"config": "c"}, "seed": seed}
        more["wall_seconds"] = 20.0
        record = {**RECORD, **more, "config": plan.config.model_dump(mode="json")}
        write_json(plan.adapter / "run.json", record)
        return Outcome(state="trained")


def cooked(plan: Plan, trainer: Any) -> list[str]:
    """Make the soup; return what the user is told."""
    told: list[str] = []
    train_soup(plan, trainer, environ={}, report=told.append)
    return told


def added(adapter: Path) -> dict[str, Any]:
    """Return what an adapter adds to each matrix, as peft computes it."""
    told = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    found = {
        name: value.double() for name, value in safetensors.load_file(adapter / "adapter_model.safetensors").items()
    }
    scale = told["lora_alpha"] / told["r"]
    return {name: scale * found[f"{name}.lora_B.weight"] @ found[f"{name}.lora_A.weight"] for name in NAMES}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_adapter_adds_the_mean_of_what_each_adds(tmp_path: Path, dtype: Any) -> None:
    plan = plan_of(tmp_path)
    told = cooked(plan, Trainer(dtype=dtype))
    assert told == [f"tiny: training {number + 1} of 3 in members/{number}: seed {number + 5}" for number in range(3)]
    each = [added(member.adapter) for member in members(plan)]
    for name, mean in added(plan.adapter).items():
        torch.testing.assert_close(mean, sum(one[name] for one in each) / 3)
    raw = safetensors.load_file(plan.adapter / "adapter_model.safetensors")
    assert {value.dtype for value in raw.values()} == {dtype}
    assert raw[f"{NAMES[0]}.lora_A.weight"].shape == (12, 7)


def test_the_record_has_all_of_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    cooked(plan, Trainer())
    found = run_json(plan)
    assert (found["steps"], found["tokens"], found["step_seconds"]) == (24, 300, 48.0)
    assert found["wall_seconds"] == 60.0
    assert found["tokens_per_s"] == round(300 / 48, 1)
    assert found["config"]["optim"]["soup"] == 3
    assert found["digests"]["config"] == plan.config.digest
    assert [(each["seed"], each["best_step"]) for each in found["members"]] == [(5, 4), (6, 4), (7, 4)]
    log = [json.loads(line) for line in (plan.adapter / "train_log.jsonl").read_text("utf-8").splitlines()]
    assert [entry["seed"] for entry in log] == [5, 6, 7]
    text = card(found, [])
    assert "rank 24" in text
    assert "The mean of 3 trainings" in text
    assert "seed 6, step 4: exact 0.5, loss 1.5" in text
    assert not list(plan.folder.glob("members/*/checkpoint-*"))


def test_one_that_was_broken_off_goes_on_and_those_before_it_stay(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    with pytest.raises(TrainingFailedError, match="tiny: training interrupted: so it was"):
        cooked(plan, Trainer({6: "interrupted"}))
    assert not plan.adapter.exists()
    again = Trainer()
    where = f"begins anew in {members(plan)[1].folder}, where no checkpoint is whole (passed over checkpoint-4: "
    assert cooked(plan, again)[:2] == [
        "tiny: training 2 of 3 in members/1: seed 6",
        f"tiny: training 2 {where}trainer_state.json is missing)",
    ]
    assert again.seeds == [6, 7]
    assert plan.adapter.is_dir()


def test_a_session_goes_on_with_a_soup_and_proves_it_once(job: Job, proved: Proved) -> None:
    path = write_project(job.rootdir, "base", optim__soup=3, seed=5)
    job = replace(job, config=load_config(path, shown_as="tiny.yaml"), report=(told := list[str]()).append)
    asked = proved(GAIN)

    def interrupted(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        if plan.config.seed == 6:
            raise KeyboardInterrupt
        return Trainer(real=True)(plan, environ)

    with pytest.raises(KeyboardInterrupt):
        run_training(job, train=interrupted)
    assert stored(job).status == "interrupted"
    again = Trainer(real=True)
    run_training(replace(job, is_resumed=True), train=again)
    assert again.seeds == [6, 7]
    found = stored(job)
    assert (found.status, found.verdict, found.steps, found.best_step) == ("finished", "pass", 24, None)
    assert len(asked) == 1
    assert any(line.endswith("/members/*/output.txt") for line in told)
    assert any("goes on with the trainings in " in line for line in told)


def test_a_disk_that_is_full_once_all_are_trained_costs_no_training(
    job: Job, proved: Proved, monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    path = write_project(job.rootdir, "base", optim__soup=3)
    of_soup = replace(job, config=load_config(path, shown_as="tiny.yaml"))
    proved(GAIN)
    told = r"cannot be written: No space left on device; \d+ MB are free; fix that, then go on with: pytest NODEID "
    with monkeypatch.context() as patched, pytest.raises(TrainingFailedError, match=told):
        patched.setattr(soup, "_write_mean", full)
        run_training(of_soup, train=Trainer(real=True))
    assert stored(job).status == "failed"
    run_training(replace(of_soup, is_resumed=True), train=Trainer(dict.fromkeys(range(3), "failed")))
    assert (stored(job).status, stored(job).verdict) == ("finished", "pass")


def test_one_that_is_refused_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tiny: so it was"):
        cooked(plan_of(tmp_path), Trainer({5: "refused"}))


@pytest.mark.parametrize("variants", [0, 1])
def test_all_are_held_to_the_rows_of_the_first(tmp_path: Path, variants: int) -> None:
    """Their variants are others by each seed."""
    check: dict[str, Any] = {"check__metric": "json_exact", "data__completion": "json", "data__variants": variants}
    with pytest.raises(SettingsError, match=r"these changed since: train .data/train\.jsonl.;"):
        cooked(plan_of(tmp_path, **check), Trainer(rows={6: "others"}))
    cooked(plan_of(tmp_path / "same", **check), Trainer())


def test_one_that_goes_on_is_held_to_its_own_variants(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    with pytest.raises(TrainingFailedError, match="interrupted"):
        cooked(plan, Trainer({6: "interrupted"}))
    second = members(plan)[1]
    assert json.loads(second.identity.read_text("utf-8"))["variants"] == "of 6"
    with pytest.raises(SettingsError, match="these changed since: variants;"):
        second.hold_to({"variants": "others"})


def test_a_soup_and_a_search_do_not_go_together(tmp_path: Path) -> None:
    space = {"lora.r": {"choices": [4, 8]}}
    told = config("b", optim__soup=2, search={"trials": 2, "space": space})
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(told), "utf-8")
    with pytest.raises(SettingsError, match=r"optim\.soup: found 2, and there is a search; write 1"):
        load_config(tmp_path / "mine.yaml", shown_as="mine.yaml")
    told = config("b", search={"trials": 2, "space": {"optim.soup": {"choices": [1, 2]}}})
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(told), "utf-8")
    with pytest.raises(SettingsError, match=r"'optim\.soup': unknown key"):
        load_config(tmp_path / "mine.yaml", shown_as="mine.yaml")


@pytest.mark.filterwarnings("ignore")  # of the libraries among themselves
def test_a_real_soup_is_an_adapter_that_peft_reads(tmp_path: Path, tiny_base: Path) -> None:
    """And each member is what a training by its seed alone would be."""
    pytest.importorskip("trl", reason="needs the extra train")
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plan = plan_of(tmp_path, tiny_base, soup=2, dtype="float32")
    cooked(plan, train_here)

    def merged(adapter: Path) -> dict[str, Any]:
        base = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float64)
        return dict(PeftModel.from_pretrained(base, adapter).merge_and_unload().state_dict())

    each = [merged(member.adapter) for member in members(plan)]
    for name, mean in merged(plan.adapter).items():
        torch.testing.assert_close(mean, (each[0][name] + each[1][name]) / 2, atol=1e-9, rtol=1e-7)
