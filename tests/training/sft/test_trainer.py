"""What a training leaves behind, and how it goes on."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytest_llmeval.models.hf.base_weights import weights_digests
from pytest_llmeval.training.checkpoints import NEWEST
from pytest_llmeval.training.plan import Outcome, Plan
from tests.support.file_mode import mode
from tests.support.full_disk import largest_file
from tests.training.conftest import Train
from tests.training.stand_ins import run_json


def weights(plan: Plan) -> bytes:
    return (plan.adapter / "adapter_model.safetensors").read_bytes()


def curves(plan: Plan) -> list[dict[str, Any]]:
    lines = (plan.adapter / "train_log.jsonl").read_text("utf-8").splitlines()
    timed = ("runtime", "per_second")
    return [{key: value for key, value in json.loads(line).items() if not key.endswith(timed)} for line in lines]


def test_the_adapter_stands_as_a_whole_with_what_made_it(trained: Plan) -> None:
    from pytest_llmeval.training.sft.weights import sums_in_bf16

    names = {path.name for path in trained.adapter.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "run.json", "train_log.jsonl"}
    (like := trained.folder / "new").touch()
    assert {path.name: mode(path) for path in trained.adapter.iterdir()} == dict.fromkeys(names, mode(like))
    kept = [path for path in trained.folder.glob("checkpoint-*/*") if path.is_file()]
    assert {path.name: mode(path) for path in kept} == {path.name: mode(like) for path in kept}
    found = run_json(trained)
    assert found["complete"] is True
    assert found["config"] == trained.config.model_dump(mode="json")
    assert set(found["digests"]) == {"config", "prompt", "max_tokens", "train", "val", "base", "chat_template"}
    assert found["data"]["train"]["rows"] == 24
    assert found["data"]["train"]["too_long"] == []
    assert {"torch", "trl", "peft", "bitsandbytes", "python"} <= set(found["versions"])
    assert found["steps"] == 8
    assert found["best_step"] in (4, 8)
    assert found["tokens_per_s"] > 0
    assert found["peak_memory_bytes"] > 1 << 28
    assert found["wall_seconds"] > found["step_seconds"]
    assert (found["fused_layers"], found["adapted_layers"], found["liger"], found["driver"]) == (14, 14, False, None)
    base = Path(trained.config.base)
    assert found["tokenizer_sha256"] == hashlib.sha256((base / "tokenizer.json").read_bytes()).hexdigest()
    held = found["base"]
    assert (held["dtype"], held["quantization"]["bnb_4bit_quant_type"]) == ("float32", "nf4")
    assert held["quantization"]["bnb_4bit_use_double_quant"] is True
    assert held["weights"] == weights_digests(base) != {}
    assert held["computed_in"] == ["bfloat16" if sums_in_bf16("cpu") else "float32"]
    changed = found["sft_arguments"]
    assert (changed["learning_rate"], changed["optim"], changed["max_length"]) == (0.01, "paged_adamw_8bit", None)
    assert not {"output_dir", "weight_decay"} & changed.keys()


@pytest.mark.parametrize(
    ("dropout", "of_base", "is_preserved"), [(0.0, 0.0, False), (0.1, 0.0, True), (0.0, 0.1, True)]
)
def test_random_numbers_are_drawn_again_only_where_there_are_any(
    trained: Plan, tiny_base: Path, dropout: float, of_base: float, is_preserved: bool
) -> None:
    """With checkpointing; the state of the generators is taken and set for each layer then."""
    from transformers import AutoConfig

    from pytest_llmeval.training.sft.arguments import sft_arguments
    from pytest_llmeval.training.sft.material import gather

    lora = trained.config.lora.model_copy(update={"dropout": dropout})
    plan = replace(trained, config=trained.config.model_copy(update={"lora": lora}))
    base = AutoConfig.from_pretrained(tiny_base, attention_dropout=of_base)
    found = sft_arguments(plan, replace(gather(trained).fit, checkpointing=True), base)
    assert found.gradient_checkpointing_kwargs == {"use_reentrant": False, "preserve_rng_state": is_preserved}


def test_held_out_loss_and_task_metric_are_in_the_curves(trained: Plan) -> None:
    looks = {entry["step"]: entry for entry in curves(trained) if "eval_exact" in entry}
    assert sorted(looks) == [4, 8]
    losses = [entry["loss"] for entry in curves(trained) if "loss" in entry]
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_a_held_out_loss_is_the_mean_over_tokens_whatever_is_looked_at_at_once(train: Train) -> None:
    """Answers of different lengths, by one row and by four."""
    losses = [
        [
            entry["eval_loss"]
            for entry in curves(train(optim__learning_rate=1e-9, most_rows=rows)[0])
            if "eval_loss" in entry
        ]
        for rows in (1, 4)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_on_a_gpu_held_out_rows_are_answered_at_once_as_far_as_they_fit(trained: Plan) -> None:
    """A token takes the same time for many of them."""
    from pytest_llmeval.training.sft import material

    on_cpu = material.gather(trained)
    on_gpu = material.gather(replace(trained, config=trained.config.model_copy(update={"device": "cuda"})))
    assert on_cpu.answered_at_once == on_cpu.fit.micro_batch
    assert on_gpu.answered_at_once == max(on_gpu.fit.micro_batch, trained.config.check.rows)


def test_of_the_embedded_model_the_weights_of_its_gguf_file_alone_are_known(
    trained: Plan, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that is made of it has the form of the hub's 16-bit weights, on which the adapter may answer, too."""
    from pytest_llmeval.training.sft import material

    gguf = tmp_path / "a.gguf"
    gguf.write_bytes(b"weights")
    monkeypatch.setattr(material, "embedded_folder", lambda *args, **rest: tiny_base)
    monkeypatch.setattr(material, "smollm2_path", lambda cache_dir: gguf)
    plan = replace(trained, config=trained.config.model_copy(update={"base": "local:smollm2"}))
    assert material.gather(plan).base_weights == weights_digests(gguf)


def test_the_loss_is_of_the_answer_and_its_end_only(trained: Plan, tiny_base: Path) -> None:
    from pytest_llmeval.training.sft.material import gather

    material = gather(trained)
    first = material.train[0]
    assert material.chat.tokens("red<|end|>") == list(first.completion)
    columns = first.columns()
    assert sum(columns["completion_mask"]) == len(first.completion)
    assert columns["input_ids"][: len(first.prompt)] == list(first.prompt)


def test_variants_are_trained_on_and_counted(train: Train) -> None:
    def in_json(root: Path) -> None:
        for path in (root / "data").glob("*.jsonl"):
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            for row in rows:
                row["input"]["thing"] += "7"
                row["target"] = {"thing": row["input"]["thing"]}
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    plan, outcome = train(
        edit=in_json, data__completion="json", data__variants=2, check__metric="json_exact", optim__train_epochs=1,
        optim__max_steps=None, proof__metric="json_exact",
    )  # fmt: skip
    assert outcome.state == "trained"
    found = run_json(plan)
    assert found["steps"] == 72 / 4
    assert (found["data"]["train"]["rows"], found["data"]["train"]["variants"]) == (72, 48)
    made = [json.loads(line) for line in (plan.folder / "variants.jsonl").read_text("utf-8").splitlines()]
    assert len(made) == 48
    assert made[0]["id"] == "row-0, variant 1"
    assert all(row["target"]["thing"] in row["input"]["thing"] for row in made)


def test_a_killed_training_goes_on_to_the_same_bits(trained: Plan, killed: Path, train: Train) -> None:
    """Weights and curves, though the first process looked, saved and answered rows in between."""
    plan, outcome = train(killed)
    assert outcome.state == "trained"
    assert run_json(plan)["resumed_from"] == 4
    assert weights(plan) == weights(trained)
    assert [entry for entry in curves(plan) if "train_loss" not in entry] == [
        entry for entry in curves(trained) if "train_loss" not in entry
    ]


def test_a_training_goes_on_with_as_many_rows_at_once_as_it_began_with(train: Train, tmp_path: Path) -> None:
    """Others would round its sums in another way, though there is memory for more of them now."""
    whole, _ = train(most_rows=2)
    root = tmp_path / "killed"
    shutil.copytree(whole.rootdir, root)
    for name in ("adapter", "checkpoint-8"):
        shutil.rmtree(root / "run" / name)
    plan, _ = train(root)
    assert run_json(plan)["micro_batch"] == 2
    assert weights(plan) == weights(whole)
    (line,) = json.loads((plan.folder / "start.json").read_text("utf-8"))
    assert line == (
        "a step of 4 rows takes 2 at once, 2 times, without checkpointing; 14 of 14 layers are computed in one piece"
        " with their adapter, without Liger's kernels"
    )


def test_one_that_must_go_on_with_fewer_rows_says_so(killed: Path, train: Train) -> None:
    plan, outcome = train(killed, most_rows=2)
    assert outcome.state == "trained"
    assert run_json(plan)["micro_batch"] == 2
    _, note = json.loads((plan.folder / "start.json").read_text("utf-8"))
    assert note.startswith("2 rows at once where it began with 4, ")


def test_a_training_that_ended_early_is_not_begun_again(train: Train, tmp_path: Path) -> None:
    """It was killed between its last checkpoint and the adapter, and moved to where there is more room."""
    early = {"check__every": 1, "check__patience": 1, "optim__learning_rate": 1e-9}
    whole, ended = train(**early)
    before, bits, told = run_json(whole), weights(whole), curves(whole)
    assert before["steps"] < 8
    line = f"it ended after step {before['steps']} of 8, after a look without a better exact (check.patience)"
    assert ended == Outcome(state="trained", message=line)
    root = whole.rootdir.rename(tmp_path / "moved")
    shutil.rmtree(root / "run" / "adapter")
    plan, outcome = train(root, **early)
    assert outcome == ended
    after = run_json(plan)
    assert (after["steps"], after["best_step"], weights(plan)) == (before["steps"], before["best_step"], bits)
    assert [entry for entry in curves(plan) if "train_loss" not in entry] == [
        entry for entry in told if "train_loss" not in entry
    ]


def test_a_metric_that_has_not_risen_yet_is_waited_for_and_the_loss_chooses_among_equals(train: Train) -> None:
    """At this rate nothing is learned in eight steps but a little of the loss."""
    plan, outcome = train(check__every=1, check__patience=2, optim__learning_rate=1e-4)
    assert outcome == Outcome(state="trained")
    looks = [entry for entry in curves(plan) if "eval_exact" in entry]
    losses = [entry["eval_loss"] for entry in curves(plan) if "eval_loss" in entry]
    assert [entry["eval_exact"] for entry in looks] == [looks[0]["eval_exact"]] * 8
    assert losses == sorted(losses, reverse=True)
    assert (run_json(plan)["steps"], run_json(plan)["best_step"]) == (8, 8)


@pytest.mark.parametrize("average", [False, True])
def test_a_training_whose_steps_are_done_takes_no_further_one(train: Train, tmp_path: Path, average: bool) -> None:
    """It was killed between its last checkpoint and the adapter, and the project has moved since."""
    steps = {"optim__max_steps": 7, "optim__schedule": "constant", "optim__average": average, "check__every": 7}
    whole, _ = train(**steps)
    root = tmp_path / "killed"
    shutil.copytree(whole.rootdir, root)
    shutil.rmtree(root / "run" / "adapter")
    plan, outcome = train(root, **steps)
    assert outcome.state == "trained"
    assert run_json(plan)["steps"] == 7
    assert weights(plan) == weights(whole)
    assert [entry for entry in curves(plan) if "train_loss" not in entry] == [
        entry for entry in curves(whole) if "train_loss" not in entry
    ]


def test_a_constant_rate_rises_first_as_any_other(train: Train) -> None:
    plan, _ = train(optim__schedule="constant", optim__warmup=0.5)
    rates = [entry["learning_rate"] for entry in curves(plan) if "learning_rate" in entry]
    assert rates[0] < rates[1] < rates[2] < rates[3] < rates[4] == rates[7] == 0.01


@pytest.mark.parametrize(("dropout", "average"), [(0.0, False), (0.3, False), (0.0, True)])
def test_a_training_that_goes_on_in_a_later_train_epoch_meets_the_same_rows(
    train: Train, tmp_path: Path, dropout: float, average: bool
) -> None:
    """24 rows are 6 steps; the second process begins in the middle of the second round, and drops the same inputs."""
    steps = {"optim__max_steps": 12, "lora__dropout": dropout, "optim__average": average}
    whole, _ = train(**steps)
    root = tmp_path / "killed"
    shutil.copytree(whole.rootdir, root)
    for name in ("adapter", "checkpoint-12"):
        shutil.rmtree(root / "run" / name)
    plan, outcome = train(root, **steps)
    assert outcome.state == "trained"
    assert run_json(plan)["resumed_from"] == 8
    assert weights(plan) == weights(whole)


def test_a_mean_is_kept_and_the_steps_are_those_without_it(trained: Plan, train: Train, tmp_path: Path) -> None:
    """Looks are of the mean, too; what the steps go on from stands beside it."""
    plan, outcome = train(optim__average=True)
    assert outcome.state == "trained"
    assert [entry["loss"] for entry in curves(plan) if "loss" in entry] == [
        entry["loss"] for entry in curves(trained) if "loss" in entry
    ]
    last, newest = (load_file(plan.folder / "checkpoint-8" / name) for name in ("adapter_model.safetensors", NEWEST))
    plain = load_file(trained.folder / "checkpoint-8" / "adapter_model.safetensors")
    for name, value in plain.items():
        (own,) = (each for key, each in newest.items() if key.replace(".default", "") == name)
        assert torch.equal(own, value)
    assert any(not torch.equal(last[name], plain[name]) for name in plain)
    best = plan.folder / f"checkpoint-{run_json(plan)['best_step']}" / "adapter_model.safetensors"
    kept = load_file(plan.adapter / "adapter_model.safetensors")
    assert all(torch.equal(kept[name], value.bfloat16()) for name, value in load_file(best).items())


def test_a_checkpoint_without_the_newest_weights_is_passed_over(
    train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, _ = train(optim__average=True)
    root = tmp_path / "killed"
    shutil.copytree(whole.rootdir, root)
    shutil.rmtree(root / "run" / "adapter")
    (root / "run" / "checkpoint-8" / NEWEST).unlink()
    plan, _ = train(root, optim__average=True)
    assert f"passed over checkpoint-8: {NEWEST} is missing" in capfd.readouterr().out
    assert run_json(plan)["resumed_from"] == 4
    assert weights(plan) == weights(whole)


def test_the_same_seed_gives_the_same_bits_and_another_one_others(trained: Plan, train: Train) -> None:
    assert weights(train()[0]) == weights(trained)
    assert weights(train(seed=1)[0]) != weights(trained)


def test_a_broken_newest_checkpoint_is_passed_over(trained: Plan, killed: Path, train: Train, capfd: Any) -> None:
    broken = killed / "run" / "checkpoint-6"
    shutil.copytree(killed / "run" / "checkpoint-4", broken)
    whole = (broken / "optimizer.pt").read_bytes()
    (broken / "optimizer.pt").write_bytes(whole[: len(whole) // 2])
    plan, outcome = train(killed)
    assert outcome.state == "trained"
    assert "passed over checkpoint-6: " in capfd.readouterr().out
    assert run_json(plan)["resumed_from"] == 4
    assert weights(plan) == weights(trained)


def test_a_newest_checkpoint_whose_content_a_power_cut_took_is_passed_over(
    trained: Plan, train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Blocks that were never written read as zeros, under a header that is whole."""
    root = tmp_path / "killed"
    shutil.copytree(trained.rootdir, root)
    shutil.rmtree(root / "run" / "adapter")
    path = root / "run" / "checkpoint-8" / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    plan, outcome = train(root)
    assert outcome.state == "trained"
    assert "passed over checkpoint-8: adapter_model.safetensors is damaged" in capfd.readouterr().out
    assert weights(plan) == weights(trained)


@pytest.mark.parametrize("newest", [4, 8])
def test_a_checkpoint_whose_best_one_is_gone_is_passed_over(
    trained: Plan, train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str], newest: int
) -> None:
    """Else the newest weights, or after the last step untrained ones, would be saved as the best ones."""
    root = tmp_path / "killed"
    shutil.copytree(trained.rootdir, root)
    for name in ("adapter", f"checkpoint-{12 - newest}"):
        shutil.rmtree(root / "run" / name)
    path = root / "run" / f"checkpoint-{newest}" / "trainer_state.json"
    state = json.loads(path.read_text("utf-8"))
    best = {"best_global_step": 2, "best_model_checkpoint": str(root / "run" / "checkpoint-2")}
    path.write_text(json.dumps({**state, **best}), "utf-8")
    plan, outcome = train(root)
    assert outcome.state == "trained"
    told = f"passed over checkpoint-{newest}: checkpoint-2, the best one so far, is gone"
    assert told in capfd.readouterr().out
    assert weights(plan) == weights(trained)


def test_a_changed_training_does_not_go_on(killed: Path, train: Train) -> None:
    def edit(root: Path) -> None:
        path = root / "data" / "train.jsonl"
        path.write_text(path.read_text("utf-8").replace('"target": "red"', '"target": "RED"'), "utf-8")

    _, outcome = train(killed, edit=edit, optim__learning_rate=0.02)
    assert outcome.state == "refused"
    told = "as these changed since: config (optim.learning_rate: 0.01, now 0.02), train (data/train.jsonl); take"
    assert told in outcome.message


def test_a_smaller_micro_batch_makes_the_same_steps(trained: Plan, train: Train) -> None:
    plan, outcome = train(most_rows=2)
    assert outcome.state == "trained"
    found = run_json(plan)
    assert (found["micro_batch"], found["accumulation"], found["steps"]) == (2, 2, 8)
    first, small = (next(entry["loss"] for entry in curves(each) if "loss" in entry) for each in (trained, plan))
    assert abs(first - small) < 0.2


def test_an_adapter_that_finds_no_room_is_not_trained_again(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoints are there, and the values that it was trained with are no worse for it."""
    from pytest_llmeval.training.sft import trainer
    from pytest_llmeval.training.sft.record import save_adapter

    def full(*given: Any) -> None:
        with largest_file(10_000):
            save_adapter(*given)

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "save_adapter", full)
        plan, outcome = train()
    assert outcome.state == "unsaved"
    assert f"{plan.adapter}: cannot be written: Error while serializing: I/O error: File too large" in outcome.message
    assert outcome.message.endswith("; the checkpoints are whole")
    assert not plan.adapter.exists()
    again, outcome = train(plan.rootdir)
    assert (outcome.state, again.adapter.is_dir()) == ("trained", True)
