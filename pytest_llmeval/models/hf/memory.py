"""How many tokens fit into memory at once."""

from typing import Any

import torch

from pytest_llmeval.models.host_memory import free_host_bytes

__all__ = ["bytes_per_token", "free_bytes"]

_UNKNOWN_FREE = 2**33


def bytes_per_token(config: Any, item_bytes: int) -> int:
    """Return the bytes that one token of a batch takes: its keys and values, and the widest sums of one layer.

    Args:
        config: of a transformers model.
        item_bytes: bytes of a number of its dtype.
    """
    text = config.get_text_config()
    heads = text.num_attention_heads
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    cached = 2 * text.num_hidden_layers * (getattr(text, "num_key_value_heads", None) or heads) * head_size
    sums = 8 * text.hidden_size + 3 * (getattr(text, "intermediate_size", None) or 4 * text.hidden_size)
    return int((cached + sums) * item_bytes)


def free_bytes(device: Any) -> int:
    """Return the memory that is free on a device, as far as this process may use it."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return free_host_bytes(_UNKNOWN_FREE)
