"""Forward passes for rows of different lengths: left padding, and grouping of rows that are read together.

Only the logits that are needed are requested: all of them can take more memory than the weights.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch

from pytest_llmeval.core.signatures import signature_of

__all__ = ["cached", "forward", "in_like_lengths", "left_padded", "takes"]

_CALL_ON_CPU = 32
"""Number of tokens that take a CPU as long as one more call of the model.

A call reads all weights from memory, which takes as long as the computation of some tokens.
"""
_CALL = 2048
"""The same number on an accelerator, which computes that many tokens while the host launches the kernels of a call."""


def forward(model: Any, mask: Any, *, logits: int, input_ids: Any, **inputs: Any) -> Any:
    """Return the output for a left-padded batch.

    Args:
        model: the base, or the base with adapters.
        mask: attention mask of shape (rows, longest); it includes the tokens before ``input_ids``, which are in the
            cache.
        logits: number of the last logits of each row that are needed; a model without that choice returns all.
        input_ids: tokens to read, of shape (rows, at most longest).
        inputs: further arguments for the model.
    """
    taken = _parameters(model)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
    choices = {"position_ids": positions, "logits_to_keep": logits}
    chosen = {name: value for name, value in choices.items() if name in taken}
    return model(input_ids=input_ids, attention_mask=mask, **chosen, **inputs)


def cached(model: Any, cache: Any) -> dict[str, Any]:
    """Return the keyword argument that passes ``cache`` to a model; transformers renamed it in 5.24."""
    return {"cache" if takes(model, "cache") else "past_key_values": cache}


def takes(model: Any, name: str) -> bool:
    """Return whether a model, or the base of one with adapters, accepts an argument of this name."""
    return name in _parameters(model)


def _parameters(model: Any) -> Collection[str]:
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    return signature_of(base.forward).parameters


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Return the padded tokens of ``rows`` and their attention mask, both of shape (rows, longest)."""
    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def in_like_lengths(lengths: Sequence[int], device: Any) -> list[list[int]]:
    """Return the indices of rows in groups of similar lengths, the longest first.

    A new group begins where the padding of the current one would cost more than another call of the model.
    """
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
