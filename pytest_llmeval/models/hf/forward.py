"""One call of a model, asked for no more logits than are looked at: all of them can take more room than its weights."""

import inspect
from collections.abc import Collection
from typing import Any

__all__ = ["cached", "forward", "takes"]


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
