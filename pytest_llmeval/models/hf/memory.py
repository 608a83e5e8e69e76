"""Memory of a batch: bytes per token, free memory, and recognition of out-of-memory errors."""

from typing import Any

import torch

from pytest_llmeval.models.host_memory import free_host_bytes, says_out_of_memory

__all__ = ["bytes_per_token", "free_bytes", "is_out_of_memory", "logits_bytes"]

_UNKNOWN_FREE = 2**33


def bytes_per_token(config: Any, item_bytes: int) -> int:
    """Return the bytes that one token of a batch takes: its keys and values, and the widest activations of a layer.

    Args:
        config: configuration of a transformers model.
        item_bytes: bytes per number of its dtype.
    """
    text = config.get_text_config()
    hidden, heads = _size(text, "hidden_size", 1024), _size(text, "num_attention_heads", 0)
    head_size = _size(text, "head_dim", hidden // max(heads, 1))
    cached = 2 * _size(text, "num_hidden_layers", 1) * _size(text, "num_key_value_heads", heads) * head_size
    sums = 8 * hidden + 3 * _size(text, "intermediate_size", 4 * hidden)
    return int((cached + sums) * item_bytes)


def _size(text: Any, name: str, otherwise: int) -> int:
    """Return a size in a model's configuration; ``otherwise`` if it is missing, the largest if layers differ."""
    value = getattr(text, name, None) or otherwise
    return int(max(value) if isinstance(value, list | tuple) else value)


def logits_bytes(config: Any, item_bytes: int) -> int:
    """Return the bytes of one token's logits and of their float32 log probabilities, computed row by row."""
    return _size(config.get_text_config(), "vocab_size", 0) * (item_bytes + 4)


def free_bytes(device: Any) -> int:
    """Return the bytes of free memory on a device that this process may use."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return free_host_bytes(_UNKNOWN_FREE)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, by its class or by its message."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or says_out_of_memory(str(error))
