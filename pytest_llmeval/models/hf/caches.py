"""Key-value caches of a batch: a common prefix of its prompts is read once, and new tokens do not copy old ones."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from pytest_llmeval.models.hf.forward import cached, forward, in_like_lengths, left_padded, takes

__all__ = ["Prompts", "read"]

_WORTH_IT = 16
"""Smallest number of tokens in a common prefix that is read separately; fewer are as fast with the rest."""
_STEP = 64
"""Number of tokens by which the cache of a single answer grows; room for its largest length might not fit in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """A batch of prompts, with the cache of the tokens already read."""

    ids: Any
    """Tokens of shape (rows, longest): the common prefix, padding, and the rest of each prompt."""
    mask: Any
    """Attention mask of the same shape."""
    cache: Any
    """A DynamicCache of the first tokens of ``ids``, from none to all but the last; None lets transformers choose."""


def read(model: Any, prompts: Sequence[Sequence[int]], pad: int, room: int) -> Prompts:
    """Return ``prompts`` as a batch; read their common prefix and, if their lengths differ much, the rest too.

    For several prompts, the cache has room for ``room`` tokens after each, allocated at once, as the batch was formed
    for that size.

    Nothing is read for a single prompt, for models with layers that attend to only some of the tokens (the padding
    after the prefix would count), and for models that take no positions (they would count the padding).
    """
    cache = DynamicCache(config=model.config)
    is_known = bool(cache.layers) and all(type(layer) is DynamicLayer for layer in cache.layers)
    room = room if len(prompts) > 1 else _STEP
    if is_known:
        cache.layers = [_RoomyLayer(room) for _ in cache.layers]
    if not is_known or len(prompts) == 1 or not takes(model, "position_ids"):
        ids, mask = left_padded(prompts, pad, model.device)
        return Prompts(ids=ids, mask=mask, cache=cache if is_known else None)
    size = len(os.path.commonprefix([list(prompt[:-1]) for prompt in prompts]))
    begin = prompts[0][: size if size >= _WORTH_IT else 0]
    if begin:
        _read_on(model, cache, begin, [begin], pad)
    own = [prompt[len(begin) :] for prompt in prompts]
    groups = in_like_lengths([len(each) for each in own], model.device)
    if len(groups) > 1:
        cache = _read_apart(model, cache, begin, own, groups, pad, room)
    elif begin:
        cache.batch_repeat_interleave(len(prompts))
    ids, mask = _behind(begin, own, pad, model.device)
    return Prompts(ids=ids, mask=mask, cache=cache)


def _behind(begin: Sequence[int], own: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Return tokens and mask of rows with the common prefix ``begin``, padded between it and the rest."""
    ids, mask = left_padded(own, pad, device)
    shared = torch.tensor([list(begin)] * len(own), dtype=ids.dtype, device=device)
    return torch.cat([shared, ids], dim=1), torch.cat([torch.ones_like(shared), mask], dim=1)


def _read_on(model: Any, cache: Any, begin: Sequence[int], rows: Sequence[Sequence[int]], pad: int) -> None:
    """Read the tokens of ``rows`` into ``cache``; if it already holds ``begin``, the rows follow that prefix."""
    read = cache.get_seq_length()
    ids, mask = _behind(begin[:read], rows, pad, model.device)
    forward(model, mask, logits=1, input_ids=ids[:, read:], use_cache=True, **cached(model, cache))


def _read_apart(
    model: Any,
    begun: Any,
    begin: Sequence[int],
    own: Sequence[Sequence[int]],
    groups: Sequence[Sequence[int]],
    pad: int,
    room: int,
) -> Any:
    """Read each group of rows by itself, and return one cache of all rows without their last tokens."""
    whole = DynamicCache()
    whole.layers = [_RoomyLayer(room) for _ in begun.layers]
    width = len(begin) + max(map(len, own)) - 1
    for group in groups:
        cache = copy.deepcopy(begun)
        for layer in cache.layers:
            layer.room = 0
        if begin:
            cache.batch_repeat_interleave(len(group))
        rows = [own[place][:-1] for place in group]
        if any(rows):
            _read_on(model, cache, begin, rows, pad)
        if begin or any(rows):
            for layer, part in zip(whole.layers, cache.layers, strict=True):
                layer.hold(group, part, of=len(own), begin=len(begin), width=width)
    return whole


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not followed
    """A layer that writes into preallocated memory.

    DynamicLayer copies all keys and values for each token, which takes a third of the time.
    """

    keys: Any
    values: Any
    _rooms: tuple[Any, Any] | None = None

    def __init__(self, room: int) -> None:
        """Prepare.

        Args:
            room: number of further tokens to allocate memory for whenever it has to grow.
        """
        super().__init__()
        self.room = room

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Append new keys and values, and return all, of shape (rows, heads, tokens, size)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        size = self.get_seq_length()
        end = size + key_states.shape[-2]
        if self._rooms is None or self._rooms[0].shape[0] != key_states.shape[0] or self._rooms[0].shape[-2] < end:
            length = end + self.room
            self._rooms = _room(key_states, self.keys, size, length), _room(value_states, self.values, size, length)
        keys, values = self._rooms
        keys[:, :, size:end], values[:, :, size:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def hold(self, rows: Sequence[int], part: Any, *, of: int, begin: int, width: int) -> None:
        """Copy some rows from a layer that holds only these.

        Args:
            rows: indices of the rows.
            part: the layer with the rows; its tokens become the first ``begin`` and the last ones of ``width``.
            of: number of rows in all.
            begin: length of the common prefix.
            width: number of tokens in a row, including the gap, which is zeros, as masked values still enter sums.
        """
        if not self.is_initialized:
            self.lazy_initialization(part.keys, part.values)
            length = width + self.room
            self._rooms = _zeros(part.keys, of, length), _zeros(part.values, of, length)
            self.keys, self.values = (room[:, :, :width] for room in self._rooms)
        own = part.keys.shape[-2] - begin
        for whole, states in ((self.keys, part.keys), (self.values, part.values)):
            whole[rows, :, :begin] = states[:, :, :begin]
            whole[rows, :, width - own :] = states[:, :, begin:]


def _zeros(states: Any, rows: int, tokens: int) -> Any:
    return states.new_zeros(rows, states.shape[1], tokens, states.shape[-1])


def _room(states: Any, before: Any, size: int, tokens: int) -> Any:
    """Return memory for ``tokens``, with the first ``size`` copied from ``before``."""
    rows, heads, _, width = states.shape
    room = states.new_empty(rows, heads, tokens, width)
    if size:
        room[:, :, :size] = before
    return room
