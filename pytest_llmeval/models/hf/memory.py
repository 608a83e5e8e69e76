"""How many tokens fit into memory at once, and how an error says that it was too many."""

from typing import Any

import torch

from pytest_llmeval.models.host_memory import free_host_bytes, says_out_of_memory

__all__ = ["bytes_per_token", "free_bytes", "is_out_of_memory", "logits_bytes"]

_UNKNOWN_FREE = 2**33


def bytes_per_token(config: Any, item_bytes: int) -> int:
    """Return the bytes that one token of a batch takes: its keys and values, and the widest sums of one layer.

    Args:
        config: of a transformers model.
        item_bytes: bytes of a number of its dtype.
    """
    text = config.get_text_config()
    hidden, heads = _size(text, "hidden_size", 1024), _size(text, "num_attention_heads", 0)
    head_size = _size(text, "head_dim", hidden // max(heads, 1))
    cached = 2 * _size(text, "num_hidden_layers", 1) * _size(text, "num_key_value_heads", heads) * head_size
    sums = 8 * hidden + 3 * _size(text, "intermediate_size", 4 * hidden)
    return int((cached + sums) * item_bytes)


def _size(text: Any, name: str, otherwise: int) -> int:
    """Return a size that a model may not have (no heads), or may have one of for each layer: then the largest."""
    value = getattr(text, name, None) or otherwise
    return int(max(value) if isinstance(value, list | tuple) else value)


def logits_bytes(config: Any, item_bytes: int) -> int:
    """Return the bytes that the logits of one token take, and their logarithms, which are made row by row."""
    return _size(config.get_text_config(), "vocab_size", 0) * (item_bytes + 4)


def free_bytes(device: Any) -> int:
    """Return the memory that is free on a device, as far as this process may use it."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return free_host_bytes(_UNKNOWN_FREE)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is short: by its class, or in words only."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or says_out_of_memory(str(error))
