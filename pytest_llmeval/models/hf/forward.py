"""One call of a model for rows of unlike lengths: what stands before short ones, and which are read together.

It is asked for no more logits than are looked at: all of them can take more room than its weights.
"""

import inspect
from collections.abc import Collection, Sequence
from typing import Any

import torch

__all__ = ["cached", "forward", "in_like_lengths", "left_padded", "takes"]

_CALL_ON_CPU = 32
"""Tokens that are read in the time which one more call of the model takes: there a call reads all weights from memory,
which takes as long as the sums of some tokens."""
_CALL = 2048
"""The same elsewhere: an accelerator computes as many in the time in which the host starts all its sums."""


def forward(model: Any, mask: Any, *, logits: int, input_ids: Any, **inputs: Any) -> Any:
    """Return the output for a left-padded batch.

    Args:
        model: the base, or the base with adapters.
        mask: which tokens count, of shape (rows, longest); those before ``input_ids`` are in the cache.
        logits: how many of the last logits of each row are wanted; a model that cannot choose returns all.
        input_ids: tokens to read, of shape (rows, at most longest).
        inputs: what else it is given.
    """
    taken = _parameters(model)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
    choices = {"position_ids": positions, "logits_to_keep": logits}
    chosen = {name: value for name, value in choices.items() if name in taken}
    return model(input_ids=input_ids, attention_mask=mask, **chosen, **inputs)


def cached(model: Any, cache: Any) -> dict[str, Any]:
    """Return the argument by which a model is given ``cache``; transformers renamed it in 5.24."""
    return {"cache" if takes(model, "cache") else "past_key_values": cache}


def takes(model: Any, name: str) -> bool:
    """Return whether a model, or the base of one with adapters, can be called with an argument."""
    return name in _parameters(model)


def _parameters(model: Any) -> Collection[str]:
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    return inspect.signature(base.forward).parameters


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Return the tokens of ``rows`` and which of them count, both of shape (rows, longest)."""
    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def in_like_lengths(lengths: Sequence[int], device: Any) -> list[list[int]]:
    """Return the places of rows in groups, the longest first: one more group where padding would cost more than it."""
    most = _CALL_ON_CPU if device.type == "cpu" else _CALL
    groups: list[list[int]] = []
    longest = padding = 0
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place], reverse=True):
        padding += longest - lengths[place]
        if groups and padding <= most:
            groups[-1].append(place)
        else:
            groups.append([place])
            longest, padding = lengths[place], 0
    return groups
