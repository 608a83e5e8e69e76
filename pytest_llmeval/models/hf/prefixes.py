"""The beginning that the prompts of a batch share, instructions and worked examples, is read once for all of them."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from pytest_llmeval.models.hf.forward import forward

__all__ = ["read_once"]

_WORTH_IT = 16
"""Tokens; fewer are read with the rest as fast."""


def read_once(model: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """Return the keys and values of what all ``prompts`` begin with, for each row.

    Returns:
        A DynamicCache; None where that is not worth it, or where layers of the model look at less than all tokens: to
        them the gap that padding leaves behind the beginning would count.
    """
    size = len(os.path.commonprefix([list(prompt[:-1]) for prompt in prompts]))
    if len(prompts) == 1 or size < _WORTH_IT:
        return None
    begin = torch.tensor([list(prompts[0][:size])], device=model.device)
    cache = forward(model, torch.ones_like(begin), logits=1, input_ids=begin, use_cache=True).past_key_values
    if type(cache) is not DynamicCache or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.batch_repeat_interleave(len(prompts))
    return cache
