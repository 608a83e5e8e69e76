"""What a step has the host do; the numbers that come out are held to elsewhere."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bitsandbytes
import pytest
import torch

from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.sft.watching import Clock
from tests.training.conftest import Train


@contextmanager
def counted(owner: Any, *names: str) -> Iterator[Counter[str]]:
    """Count the calls of functions by name, in steps after the first one, which compares and prepares."""
    found: Counter[str] = Counter()
    steps = 0
    is_within = False

    def counting(name: str) -> Callable[..., Any]:
        function = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if is_within:
                found[name] += 1
            return function(*args, **kwargs)

        return call

    def begin(clock: Clock, *args: Any, **kwargs: Any) -> None:
        nonlocal steps, is_within
        steps, is_within = steps + 1, steps > 0

    def end(clock: Clock, *args: Any, **kwargs: Any) -> None:
        nonlocal is_within
        is_within = False

    with pytest.MonkeyPatch.context() as patched:
        for name in names:
            patched.setattr(owner, name, counting(name))
        patched.setattr(Clock, "on_step_begin", begin)
        patched.setattr(Clock, "on_step_end", end)
        yield found


def test_a_step_goes_through_no_modules_to_switch_them_or_to_find_what_is_trained(train: Train) -> None:
    """Two micro-batches a step: transformers went through all of them four times."""
    with counted(torch.nn.Module, "train", "named_modules") as calls:
        _, outcome = train(most_rows=2, optim__max_steps=3)
    assert outcome.state == "trained"
    assert calls == {}


@pytest.mark.parametrize(("r", "kinds"), [(8, 1), (64, 2)])
def test_a_step_updates_all_weights_at_once(train: Train, r: int, kinds: int) -> None:
    """There are 28, some with states of 8 bits; bitsandbytes updates one after the other and waits for each."""
    with counted(bitsandbytes.functional, "optimizer_update_32bit", "optimizer_update_8bit_blockwise") as calls:
        _, outcome = train(optim__max_steps=3, lora__r=r)
    assert outcome.state == "trained"
    assert list(calls.values()) == [2] * kinds


def test_between_forth_and_back_nothing_is_brought_to_the_host(train: Train) -> None:
    """Each such number has it wait for a GPU; transformers asks for one, whether rows were packed."""
    with counted(torch.Tensor, "item", "tolist", "__bool__", "__int__", "__float__") as calls:
        _, outcome = train(most_rows=2, optim__max_steps=3)
    assert outcome.state == "trained"
    assert calls == {"__bool__": 4}  # two micro-batches in each of two steps


def losses(plan: Plan, *names: str) -> list[float]:
    log = (plan.adapter / "train_log.jsonl").read_text("utf-8").splitlines()
    return [entry[name] for entry in map(json.loads, log) for name in names if name in entry]


def test_losses_are_those_of_trl_though_padding_is_not_masked(train: Train) -> None:
    """Rows of different lengths; the first loss is the same to the bit, what gradients make of it to 16 bits."""
    from pytest_llmeval.training.sft import trainer

    masks: list[Any] = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def seen(*args: Any, attn_mask: Any = None, **kwargs: Any) -> Any:
        if torch.is_grad_enabled():
            masks.append(attn_mask)
        return attend(*args, attn_mask=attn_mask, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.nn.functional, "scaled_dot_product_attention", seen)
        plan, _ = train(optim__max_steps=3)
        assert masks == [None] * len(masks)
        patched.setattr(trainer, "PlainLoss", lambda base: None)
        as_trl, _ = train(optim__max_steps=3)
        assert any(mask is not None for mask in masks)
    ours, theirs = losses(plan, "loss"), losses(as_trl, "loss")
    assert len(ours) == 3
    assert ours[0] == theirs[0]
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert losses(plan, "grad_norm")[0] == pytest.approx(losses(as_trl, "grad_norm")[0], rel=1e-3)
    assert not losses(plan, "entropy", "mean_token_accuracy", "eval_entropy")


@pytest.mark.parametrize("counted_tokens", [None, 77])
def test_gradients_of_padded_rows_are_the_same_without_a_mask(tiny_base: Path, counted_tokens: int | None) -> None:
    """In 32 bits, for all weights and the loss of one micro-batch and of its share in a step."""
    from transformers import AutoModelForCausalLM

    from pytest_llmeval.training.sft.plain_loss import PlainLoss

    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32).train()
    plain = PlainLoss(model)
    tokens = torch.arange(4 * 40).view(4, 40) % model.config.vocab_size
    mask = torch.stack([torch.arange(40) < length for length in (40, 37, 20, 3)]).long()
    inputs = {"input_ids": tokens, "labels": tokens.masked_fill(mask == 0, -100), "attention_mask": mask}
    theirs = model(**inputs, fused_lm_head=True, num_items_in_batch=counted_tokens).loss
    theirs.backward()
    expected = {name: each.grad.clone() for name, each in model.named_parameters()}
    model.zero_grad()
    ours = plain.of(model, inputs, counted_tokens, processes=1)
    ours.backward()
    assert ours.item() == theirs.item()
    for name, each in model.named_parameters():
        assert (each.grad - expected[name]).norm() <= 1e-6 * expected[name].norm(), name
