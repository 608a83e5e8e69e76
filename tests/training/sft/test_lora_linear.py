"""Layers with an adapter, computed in one piece: the same numbers as peft's, to what rounding changes."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries among themselves

Found = dict[str, Any]


def built(base: Path, load: str, **lora: Any) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    torch.manual_seed(0)
    held: dict[str, Any] = {"dtype": torch.bfloat16 if load == "bf16" else torch.float32}
    if load == "4bit":
        held["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
        )
    model = AutoModelForCausalLM.from_pretrained(base, **held)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", **lora)
    model = get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    return model


def drawn(rows: Any, levels: int) -> Any:
    from pytest_llmeval.training.sft.lora_linear import drawn_marks

    return drawn_marks(rows, levels)


def gradients(model: Any, *, autocast: bool) -> tuple[float, Found]:
    """Return the loss of some tokens, and what each weight of the adapter is told of it."""
    import torch

    tokens = torch.arange(24).view(2, 12) % model.config.vocab_size
    model.zero_grad()
    torch.manual_seed(1)  # of what dropout leaves out
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
    loss.backward()
    return loss.item(), {name: each.grad.clone() for name, each in model.named_parameters() if each.requires_grad}


@pytest.mark.parametrize(("load", "autocast", "tolerance"), [
    ("fp32", False, 1e-5),
    ("fp32", True, 0.05),
    ("bf16", True, 0.05),
    ("4bit", True, 0.05),
])  # fmt: skip
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_loss_and_gradients_are_those_of_peft(
    tiny_base: Path, load: str, autocast: bool, tolerance: float, checkpointing: bool, dropout: float
) -> None:
    import torch

    from pytest_llmeval.training.sft.lora_linear import drawn_marks, fuse_adapters

    model = built(tiny_base, load, lora_dropout=dropout)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout) and module.p:
            module.forward = lambda x: x * drawn_marks(x, 64) / 0.75  # the same are left out both ways
    loss, before = gradients(model, autocast=autocast)
    assert fuse_adapters(model) == 7 * model.config.num_hidden_layers
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    again, after = gradients(model, autocast=autocast)
    assert again == pytest.approx(loss, rel=tolerance / 10)
    assert before.keys() == after.keys()
    for name, gradient in before.items():
        assert after[name].dtype == gradient.dtype == torch.float32
        difference = (after[name] - gradient).norm() / gradient.norm()
        assert difference < tolerance, name


def test_on_a_gpu_dropout_is_one_operation_of_torch(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU stands in for one; peft's layers are given the same numbers to leave out."""
    import torch

    from pytest_llmeval.training.sft import lora_linear

    def refused(*given: object) -> None:
        raise AssertionError("marks are drawn by themselves")

    monkeypatch.setattr(lora_linear, "_WITH_OWN", ("cpu",))
    monkeypatch.setattr(lora_linear, "drawn_marks", refused)
    model = built(tiny_base, "fp32", lora_dropout=0.3)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout) and module.p:
            module.forward = lambda x: torch.native_dropout(x, 0.3, True)[0]
    loss, before = gradients(model, autocast=False)
    lora_linear.fuse_adapters(model)
    again, after = gradients(model, autocast=False)
    assert again == pytest.approx(loss, rel=1e-6)
    for name, gradient in before.items():
        assert (after[name] - gradient).norm() < 1e-5 * gradient.norm(), name


def test_a_call_looks_up_nothing_but_the_two_weights(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules look for their parts in Python, one dict after the other."""
    import torch
    from peft.tuners.lora import LoraLayer

    from pytest_llmeval.training.sft.lora_linear import fuse_adapters

    model = built(tiny_base, "fp32", lora_dropout=0.1)
    model.train()
    fuse_adapters(model)
    layer: Any = next(module for module in model.modules() if isinstance(module, LoraLayer))
    layer.base_layer.forward = torch.nn.Identity().forward
    asked: list[str] = []
    look_up = torch.nn.Module.__getattr__

    def counting(module: Any, name: str) -> Any:
        asked.append(name)
        return look_up(module, name)

    monkeypatch.setattr(torch.nn.Module, "__getattr__", counting)
    layer.forward(torch.ones(2, layer.in_features))
    assert asked == ["weight", "weight"]


@pytest.mark.parametrize("levels", [13, 26, 128, 243])
def test_the_share_left_out_is_the_one_asked_for_at_every_place_of_eight(levels: int) -> None:
    import torch

    torch.manual_seed(0)
    rows = torch.empty(8192, 8 * 3)  # each column is one place of the eight that are drawn at once
    marks = drawn(rows, levels)
    share, rows_seen = levels / 256, len(rows)
    deviation = (share * (1 - share) / rows_seen) ** 0.5
    assert marks.shape == rows.shape
    assert set(marks.unique().tolist()) == {0, 1}
    assert ((1 - marks.float().mean(0)) - share).abs().max() < 5 * deviation
    assert torch.corrcoef(marks.float().t()).fill_diagonal_(0).abs().max() < 5 / rows_seen**0.5


def test_what_is_left_out_follows_from_the_seed() -> None:
    import torch

    rows = torch.empty(5, 13)  # not a multiple of eight
    marks = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        marks.append(drawn(rows, 128).tolist())
    assert marks[0] == marks[1] != marks[2]


def test_nothing_is_left_out_where_a_model_does_not_train(tiny_base: Path) -> None:
    from pytest_llmeval.training.sft.lora_linear import fuse_adapters

    model = built(tiny_base, "fp32", lora_dropout=0.5)
    fuse_adapters(model)
    model.eval()
    without = built(tiny_base, "fp32")
    assert gradients(model, autocast=False)[0] == pytest.approx(gradients(without, autocast=False)[0], rel=1e-6)


def test_layers_that_do_more_stay_as_they_are(tiny_base: Path) -> None:
    from pytest_llmeval.training.sft.lora_linear import fuse_adapters

    assert fuse_adapters(built(tiny_base, "fp32", use_dora=True)) == 0


def test_switched_off_or_without_gradients_the_layers_are_those_of_peft(tiny_base: Path) -> None:
    import torch

    from pytest_llmeval.training.sft.lora_linear import fuse_adapters

    model = built(tiny_base, "fp32")
    tokens = torch.arange(12).view(1, 12) % model.config.vocab_size
    with torch.no_grad():
        on, off = model(tokens).logits, model.base_model.model
        with model.disable_adapter():
            off = model(tokens).logits
        fuse_adapters(model)
        assert torch.equal(model(tokens).logits, on)
    with model.disable_adapter():
        assert torch.equal(model(tokens).logits, off)
    assert not torch.equal(on, off)
