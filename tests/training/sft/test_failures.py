"""What goes wrong while training, and what is left then."""

import json
import math
import os
import re
import shutil
import signal
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.plan import Outcome, Plan
from tests.support.full_disk import largest_file
from tests.training.conftest import Train
from tests.training.stand_ins import run_json


def test_a_disk_that_fills_up_leaves_no_half_checkpoint(train: Train) -> None:
    with largest_file(30_000):
        plan, outcome = train()
    assert outcome.state == "unsaved"
    assert "checkpoint-4: cannot be written: " in outcome.message
    assert "MB are free" in outcome.message
    assert list(plan.folder.glob("checkpoint-*")) == []
    assert not plan.adapter.exists()


def test_a_disk_that_fills_up_costs_no_earlier_checkpoint(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are kept at most: the third takes one away, once all of it is there."""
    from pytest_llmeval.training.sft.averaging import Average

    save = Average.save

    def full(average: Average, checkpoint: Path) -> None:
        if checkpoint.name == "checkpoint-3":
            raise OSError(28, "No space left on device")
        save(average, checkpoint)

    monkeypatch.setattr(Average, "save", full)
    plan, outcome = train(optim__average=True, optim__max_steps=4, check__every=1)
    assert outcome.state == "unsaved"
    assert "checkpoint-3: cannot be written: No space left on device; " in outcome.message
    assert {path.name for path in plan.folder.glob("checkpoint-*")} == {"checkpoint-1", "checkpoint-2"}


def test_a_loss_that_is_no_number_ends_it(train: Train) -> None:
    plan, outcome = train(optim__learning_rate=1e30, optim__max_grad_norm=1e30)
    assert outcome.state == "failed"
    assert "nothing of this step was kept" in outcome.message
    assert not plan.adapter.exists()


def test_a_model_that_never_stops_is_no_result(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of six tokens could have ended; with three none could."""
    from pytest_llmeval.training.sft import watching

    def edit(root: Path) -> None:
        path = root / "evals" / "test_colour.py"
        path.write_text(path.read_text("utf-8").replace('"max_tokens": 3', '"max_tokens": 6'), "utf-8")

    monkeypatch.setattr(watching, "_generate", lambda model, chat, prompts, *rest: [[9] * 6 for _ in prompts])
    plan, outcome = train(edit=edit)
    assert outcome.state == "failed"
    assert "none of the answers came to an end: it did not learn to stop" in outcome.message
    assert not plan.adapter.exists()
    assert list(plan.folder.glob("checkpoint-*"))


def test_layers_that_train_another_model_than_the_base_end_it_at_the_first_step(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of random weights one model is about as bad as another, so what is allowed is less here."""
    from pytest_llmeval.training.sft import first_step, lora_linear

    def wrong(module: Any, otherwise: Any, parts: Any, x: Any) -> Any:
        return otherwise(x) * (0.0 if module.training else 1.0)

    monkeypatch.setattr(first_step, "_NEAR", 0.02)
    monkeypatch.setattr(lora_linear, "_forward", wrong)
    plan, outcome = train()
    assert outcome.state == "failed"
    assert re.search(r"the loss of the first rows as it is trained is \S+ times that of the base", outcome.message)
    assert not list(plan.folder.glob("checkpoint-*"))


def test_a_base_whose_own_loss_is_no_number_is_told_apart() -> None:
    from pytest_llmeval.training.sft.first_step import NotTheBaseError, require_near

    with pytest.raises(NotTheBaseError, match="the loss of the base itself is nan on the first rows"):
        require_near(math.nan, math.nan)


def test_a_loss_that_is_no_number_leaves_what_was_good(
    train: Train, trained: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmeval.training.sft import trainer

    class Poison(trainer.Clock):  # type: ignore[misc,name-defined]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            super().on_step_begin(args, state, control, **kwargs)
            if state.global_step == 5:
                next(each for each in kwargs["model"].parameters() if each.requires_grad).data.fill_(math.nan)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Clock", Poison)
        plan, outcome = train()
    assert (outcome.state, [path.name for path in plan.folder.glob("checkpoint-*")]) == ("failed", ["checkpoint-4"])
    again, outcome = train(plan.rootdir)
    assert outcome.state == "trained"
    weights = [(each.adapter / "adapter_model.safetensors").read_bytes() for each in (again, trained)]
    assert weights[0] == weights[1]


def test_a_best_checkpoint_that_is_gone_at_the_end_leaves_no_adapter(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the last step are other ones."""
    from transformers import TrainerCallback

    from pytest_llmeval.training.sft import trainer

    class Lost(TrainerCallback):  # type: ignore[misc]
        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 8:
                shutil.rmtree(state.best_model_checkpoint)

    monkeypatch.setattr(trainer, "Finite", Lost)
    plan, outcome = train()
    assert outcome.state == "failed"
    assert outcome.message.endswith(", the best one so far, is gone")
    assert not plan.adapter.exists()


def test_a_signal_makes_a_checkpoint_from_which_it_goes_on_to_the_same_bits(
    train: Train, trained: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    from pytest_llmeval.training.sft import trainer

    class Signalled(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 5:
                os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Finite", Signalled)
        plan, outcome = train()
    assert outcome == Outcome(state="interrupted", message="a checkpoint was made after step 6")
    assert not plan.adapter.exists()
    again, outcome = train(plan.rootdir)
    assert outcome.state == "trained"
    weights = [(each.adapter / "adapter_model.safetensors").read_bytes() for each in (again, trained)]
    assert weights[0] == weights[1]


def test_a_terminal_that_is_lost_leaves_a_checkpoint(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback

    from pytest_llmeval.training.sft import trainer

    class HungUp(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 1:
                os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(trainer, "Finite", HungUp)
    _, outcome = train()
    assert outcome == Outcome(state="interrupted", message="a checkpoint was made after step 2")


def test_a_metric_that_cannot_be_held_to_a_target_is_told_before_the_first_step(train: Train) -> None:
    def edit(root: Path) -> None:
        path = root / "data" / "val.jsonl"
        path.write_text(path.read_text("utf-8").replace('"target": "red"', '"target": {"colour": 7}', 1), "utf-8")

    plan, outcome = train(edit=edit, data__completion="json", check__metric="token_f1")
    assert outcome.state == "refused"
    assert not plan.identity.exists()
    assert "data/" in outcome.message


@pytest.mark.parametrize("on_long", ["error", "drop"])
def test_rows_that_are_too_long(train: Train, on_long: str) -> None:
    """The last step is looked at, though ``check.every`` is more."""

    def edit(root: Path) -> None:
        path = root / "data" / "train.jsonl"
        long = {"id": "long", "input": {"thing": "x" * 200}, "target": "red"}
        path.write_text(path.read_text("utf-8") + json.dumps(long) + "\n", "utf-8")

    plan, outcome = train(edit=edit, data__on_long=on_long, optim__max_steps=4, check__every=25)
    if on_long == "error":
        assert outcome.state == "refused"
        assert "1 of 25 rows have more than 64 tokens: data/train.jsonl:25 (" in outcome.message
    else:
        record = run_json(plan)
        found = record["data"]["train"]
        assert record["best_step"] == 4
        assert (found["rows"], len(found["too_long"])) == (24, 1)
        assert found["too_long"][0].startswith("data/train.jsonl:25 (")


def with_long_row(root: Path, split: str, name: str) -> None:
    """Add a row of some 200 tokens in the slice ``name``."""
    path = root / "data" / f"{split}.jsonl"
    long = {"id": "long", "input": {"thing": "x" * 200}, "target": "red", "slice": name}
    path.write_text(path.read_text("utf-8") + json.dumps(long) + "\n", "utf-8")


@pytest.fixture
def short_base(tiny_base: Path, tmp_path: Path) -> Path:
    """It reads 100 tokens."""
    base = shutil.copytree(tiny_base, tmp_path / "short")
    config = json.loads((base / "config.json").read_text("utf-8"))
    (base / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 100}), "utf-8")
    return base


READ_AT_MOST = "100 tokens that the base reads at most (max_position_embeddings in its config.json)"


@pytest.mark.parametrize("on_long", ["error", "drop"])
def test_rows_that_the_base_does_not_read_whole(train: Train, short_base: Path, on_long: str) -> None:
    plan, outcome = train(
        base=short_base, edit=lambda root: with_long_row(root, "train", "easy"), data__max_tokens=4000,
        data__on_long=on_long, optim__max_steps=4,
    )  # fmt: skip
    if on_long == "error":
        assert outcome.state == "refused"
        assert outcome.message.startswith(f"1 of 25 rows have more than the {READ_AT_MOST}: data/")
        assert outcome.message.endswith(" tokens); shorten them, or write on_long: drop")
    else:
        record = run_json(plan)
        assert record["data"]["train"]["rows"] == 24
        _, note = json.loads((plan.folder / "start.json").read_text("utf-8"))
        assert note.startswith(f"left out as too long for the {READ_AT_MOST}: 1 row: data/train.jsonl:25 (")


@pytest.mark.parametrize(("split", "proof", "is_refused"), [
    ("val", {}, True),
    ("test", {}, True),
    ("test", {"slice": "easy"}, False),
    ("test", {"limit": 12}, False),
])  # fmt: skip
def test_held_out_rows_whose_prompt_the_base_does_not_read_are_refused_before_training(
    train: Train, short_base: Path, split: str, proof: dict[str, Any], is_refused: bool
) -> None:
    """Unless the proof does not ask them."""
    plan, outcome = train(
        base=short_base, edit=lambda root: with_long_row(root, split, "hard"), optim__max_steps=4,
        proof={"metric": "exact", "margin": 0.1, **proof},
    )  # fmt: skip
    assert outcome.state == ("refused" if is_refused else "trained")
    assert not is_refused or outcome.message.startswith(
        f"1 held-out row cannot be answered, as the prompt alone takes the {READ_AT_MOST}: data/{split}.jsonl:13 ("
    )


def test_a_test_row_inside_train_is_refused_before_anything_is_loaded(train: Train) -> None:
    def edit(root: Path) -> None:
        first = (root / "data" / "train.jsonl").read_text("utf-8").splitlines()[2]
        path = root / "data" / "test.jsonl"
        path.write_text(path.read_text("utf-8") + first.replace("row-2", "again") + "\n", "utf-8")

    _, outcome = train(edit=edit)
    assert outcome == Outcome(
        state="refused",
        message="1 held-out rows are trained on; take them out of data/train.jsonl:\n"
        "data/train.jsonl:3 is data/test.jsonl:13 (again)",
    )


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("Triton Error [CUDA]: out of memory", "out_of_memory"),
        ("DefaultCPUAllocator: can't allocate memory", "out_of_memory"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "out_of_memory"),
        ("CUDA error: an illegal memory access was encountered", "failed"),
    ],
)
def test_no_memory_that_is_told_in_words_can_be_tried_again_with_fewer_rows(
    train: Train, monkeypatch: pytest.MonkeyPatch, told: str, state: str
) -> None:
    from pytest_llmeval.training.sft import trainer

    def broken(*args: object) -> Outcome:
        raise RuntimeError(told)

    monkeypatch.setattr(trainer, "train", broken)
    _, outcome = train()
    assert outcome == Outcome(state=state, message=f"RuntimeError: {told}")  # type: ignore[arg-type]


def test_no_memory_while_the_base_is_loaded_is_tried_again(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process took it since the estimate: no mistake of whoever wrote the configuration."""
    import torch
    from transformers import AutoModelForCausalLM

    def broken(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("Tried to allocate 3.00 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", broken)
    _, outcome = train()
    message = "while the base was loaded: Tried to allocate 3.00 GiB"
    assert outcome == Outcome(state="out_of_memory", message=message)


def test_no_memory_is_told_with_the_estimate(train: Train) -> None:
    _, outcome = train(free=1 << 20)
    assert outcome.state == "refused"
    assert outcome.message.startswith("one row of ")


def test_a_base_that_each_process_reads_whole_must_have_room_in_the_host(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is split. The kernel would kill one, and with half the rows again."""
    from pytest_llmeval.training.config import LaunchModel
    from pytest_llmeval.training.sft import material, trainer
    from pytest_llmeval.training.sft.ranks import Ranks

    plan, _ = train(free=1 << 20, dtype="float32")
    split = plan.config.model_copy(update={"launch": LaunchModel(processes=2, engine="fsdp")})
    monkeypatch.setattr(material, "free_host_bytes", lambda unknown: 100_000)
    with pytest.raises(SettingsError, match=r"^base: each of 2 processes reads .* 0\.00 GiB, .* launch\.processes"):
        trainer.train(replace(plan, config=split, free=8 << 30), Ranks(LaunchModel()), None)  # type: ignore[arg-type]
    assert not plan.identity.exists()


@pytest.mark.parametrize(("here", "elsewhere"), [(1 << 20, 8 << 30), (8 << 30, 1 << 20)])
def test_what_each_gpu_has_free_when_training_begins_is_all_there_is(
    train: Train, monkeypatch: pytest.MonkeyPatch, here: int, elsewhere: int
) -> None:
    """Less than the session saw, or than its card has: another process may hold the rest."""
    import torch

    from pytest_llmeval.training.sft import trainer
    from pytest_llmeval.training.sft.ranks import Ranks

    monkeypatch.setattr(trainer, "require_device", lambda config: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (here, 8 << 30))
    monkeypatch.setattr(Ranks, "each", lambda self, values: [*values, elsewhere])
    _, outcome = train(device="cuda")
    assert outcome.state == "refused"
    assert f"and {min(0.9 * (here + 500_000_000), elsewhere) / 2**30:.2f} GiB are free on the cuda" in outcome.message


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("./nowhere", "base: ./nowhere: no such folder"),
        ("owner/nothing", "base: owner/nothing: neither a folder here nor in the cache of the Hugging Face hub"),
        ("evals", "config.json is missing"),
    ],
)
def test_a_base_that_is_not_there_is_one_line(train: Train, base: str, told: str) -> None:
    _, outcome = train(base=base)
    assert outcome.state == "refused"
    assert told in outcome.message
    assert "\n" not in outcome.message


def test_a_base_without_its_tokenizer_is_one_line(train: Train, tiny_base: Path, tmp_path: Path) -> None:
    base = shutil.copytree(tiny_base, tmp_path / "base", ignore=shutil.ignore_patterns("token*", "chat*"))
    _, outcome = train(base=base)
    assert outcome.state == "refused"
    assert outcome.message.startswith(f"base: the tokenizer in {base} cannot be loaded: ")
    assert "\n" not in outcome.message


def test_a_gguf_file_is_no_base_to_train_on(train: Train, tmp_path: Path) -> None:
    base = tmp_path / "model.gguf"
    base.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    _, outcome = train(base=base)
    told = f"base: {base}: a GGUF file, which only answers; name a folder with safetensors"
    assert outcome == Outcome(state="refused", message=told)
