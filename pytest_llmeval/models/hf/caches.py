"""Keys and values of a batch: what all its prompts begin with is read once, and no token copies those before it."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from pytest_llmeval.models.hf.forward import forward, takes

__all__ = ["cache_of"]

_WORTH_IT = 16
"""Tokens that prompts share; fewer are read with the rest as fast."""
_STEP = 64
"""Tokens by which a layer's room grows."""


def cache_of(model: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """Return a cache for a batch, which holds what all ``prompts`` begin with where that is worth it.

    Returns:
        A DynamicCache; None, for transformers to choose, where layers of the model look at less than all tokens: to
        them the gap that padding leaves behind the beginning would count.
    """
    cache = DynamicCache(config=model.config)
    if not cache.layers or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [_RoomyLayer() for _ in cache.layers]
    size = len(os.path.commonprefix([list(prompt[:-1]) for prompt in prompts]))
    # A model that is not told where tokens stand counts what is padded between them.
    if len(prompts) > 1 and size >= _WORTH_IT and takes(model, "position_ids"):
        begin = torch.tensor([list(prompts[0][:size])], device=model.device)
        mask = torch.ones_like(begin)
        forward(model, mask, logits=1, input_ids=begin, past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(prompts))
    return cache


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not followed
    """A layer that writes into room made ahead: DynamicLayer copies all for each token, a third of the time."""

    keys: Any
    values: Any
    _rooms: tuple[Any, Any] | None = None

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Return all keys and values, of shape (rows, heads, tokens, size), the new ones behind the others."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        size = self.get_seq_length()
        end = size + key_states.shape[-2]
        if self._rooms is None or self._rooms[0].shape[0] != key_states.shape[0] or self._rooms[0].shape[-2] < end:
            self._rooms = _room(key_states, self.keys, size, end), _room(value_states, self.values, size, end)
        keys, values = self._rooms
        keys[:, :, size:end], values[:, :, size:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values


def _room(states: Any, before: Any, size: int, end: int) -> Any:
    """Return room for ``end`` tokens and some more, with the ``size`` tokens that were there before."""
    rows, heads, _, width = states.shape
    room = states.new_empty(rows, heads, end + _STEP, width)
    if size:
        room[:, :, :size] = before
    return room
