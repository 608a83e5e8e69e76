"""One update for all weights: the same numbers as one for each."""

import copy
from pathlib import Path
from typing import Any

import bitsandbytes.functional
import pytest
import torch
from bitsandbytes.optim import AdamW

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.sft.flat_adamw import FlatAdamW

pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")

SHAPES = ((16, 300), (3,), (64, 64), (5, 13), (1, 4097), (4095,), (8, 1024))
"""With states of 8 and of 32 bits, and ends within a block of 256."""
HOW: Any = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1, "optim_bits": 8, "is_paged": True}


def drawn() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def stepped(optimizer: Any, weights: list[torch.nn.Parameter], first: int, last: int) -> None:
    """Take steps of two micro-batches each."""
    for step in range(first, last):
        optimizer.zero_grad()
        for micro_batch in range(2):
            torch.manual_seed(10 * step + micro_batch)
            sum((each * torch.randn_like(each)).sum() for each in weights).backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()


def test_weights_are_those_of_an_update_for_each_also_from_a_checkpoint_on() -> None:
    ours, theirs = drawn(), drawn()
    flat = FlatAdamW(ours, **HOW)
    stepped(AdamW(theirs, **HOW), theirs, 0, 6)
    stepped(flat, ours, 0, 3)
    again = copy.deepcopy([each.data for each in ours])
    saved = copy.deepcopy(flat.state_dict())
    stepped(flat, ours, 3, 6)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    gone_on = [torch.nn.Parameter(each) for each in again]
    flat = FlatAdamW(gone_on, **HOW)
    flat.load_state_dict(saved)
    stepped(flat, gone_on, 3, 6)
    assert all(torch.equal(one, other) for one, other in zip(gone_on, theirs, strict=True))


def test_what_another_one_put_elsewhere_is_back_in_its_place_before_a_step() -> None:
    """As accelerate's ``to`` does with weights, and DDP's zero_grad with gradients."""
    ours, theirs = drawn(), drawn()
    flat = FlatAdamW(ours, **HOW)
    for each in ours:
        each.data, each.grad.data = each.data.clone(), each.grad.data.clone()
    ours[0].grad = None
    stepped(flat, ours, 0, 2)
    stepped(AdamW(theirs, **HOW), theirs, 0, 2)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_state_that_was_paged_is_none_once_it_is_loaded_to_where_the_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with several GPUs; a file keeps the mark of paged memory, and bitsandbytes would prefetch what has it."""
    weights = drawn()
    stepped(before := FlatAdamW(weights, **HOW), weights, 0, 1)
    for state in before.state.values():
        for name in ("state1", "state2"):
            state[name].is_paged, state[name].page_deviceid = True, 0  # as bitsandbytes marks what it pages on CUDA
    torch.save(before.state_dict(), tmp_path / "optimizer.pt")
    prefetched: list[Any] = []
    monkeypatch.setattr(bitsandbytes.functional, "prefetch_tensor", lambda state, **how: prefetched.append(state))
    after = FlatAdamW(weights, **HOW)
    after.load_state_dict(torch.load(tmp_path / "optimizer.pt", map_location="cpu", weights_only=True))
    stepped(after, weights, 1, 2)
    assert prefetched == []


def test_a_checkpoint_with_a_state_for_each_weight_is_refused() -> None:
    weights = drawn()
    stepped(before := AdamW(weights, **HOW), weights, 0, 1)
    with pytest.raises(SettingsError, match="the checkpoint is of another version of pytest-llmeval"):
        FlatAdamW(drawn(), **HOW).load_state_dict(before.state_dict())
