"""Keys and values of a batch: what all its prompts begin with is read once, and no token copies those before it."""

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
"""Tokens that prompts share; fewer are read with the rest as fast."""
_STEP = 64
"""Tokens by which the room of an answer that is written alone grows: it may be longer than there is memory for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """A batch of prompts, and what was read of them."""

    ids: Any
    """Their tokens, of shape (rows, longest): what all begin with, padding, what each has of its own."""
    mask: Any
    """Which of them count, of the same shape."""
    cache: Any
    """A DynamicCache of the first tokens of ``ids``, from none to all but the last; None for transformers to choose."""


def read(model: Any, prompts: Sequence[Sequence[int]], pad: int, room: int) -> Prompts:
    """Return ``prompts`` as a batch; what they share is read, and where their lengths differ much so is the rest.

    Of several there is room for ``room`` tokens behind each, all of it made at once: a batch was formed by that.

    Left as a whole to whoever writes the answers are a single prompt, models of which a layer looks at less than all
    tokens (the gap that padding leaves behind the beginning would count), and those that are not told where tokens
    stand (they count what is padded between them).
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
    """Return tokens and mask of rows that begin alike, padded behind that."""
    ids, mask = left_padded(own, pad, device)
    shared = torch.tensor([list(begin)] * len(own), dtype=ids.dtype, device=device)
    return torch.cat([shared, ids], dim=1), torch.cat([torch.ones_like(shared), mask], dim=1)


def _read_on(model: Any, cache: Any, begin: Sequence[int], rows: Sequence[Sequence[int]], pad: int) -> None:
    """Add to ``cache`` what it lacks of ``rows``; with them stands ``begin`` where it holds that."""
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
    """Return a cache of all rows but their last tokens, of which each group was read by itself."""
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
    """A layer that writes into room made ahead: DynamicLayer copies all for each token, a third of the time."""

    keys: Any
    values: Any
    _rooms: tuple[Any, Any] | None = None

    def __init__(self, room: int) -> None:
        """Prepare.

        Args:
            room: tokens behind those that are written, for which there is room then.
        """
        super().__init__()
        self.room = room

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Return all keys and values, of shape (rows, heads, tokens, size), the new ones behind the others."""
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
        """Take some rows over from a layer that holds these alone.

        Args:
            rows: their places.
            part: the layer; its tokens are the first ``begin`` ones and those before the end of ``width``.
            of: all rows.
            begin: tokens with which all rows begin.
            width: tokens of a row, those between included: zeros, as what is masked still enters sums.
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
    """Return room for ``tokens``, with the ``size`` that were there before."""
    rows, heads, _, width = states.shape
    room = states.new_empty(rows, heads, tokens, width)
    if size:
        room[:, :, :size] = before
    return room
