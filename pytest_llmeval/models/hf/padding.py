"""Rows of unlike lengths: what stands before short ones, and which are read together."""

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["in_like_lengths", "left_padded"]

_CALL_ON_CPU = 32
"""Tokens that are read in the time which one more call of the model takes: there a call reads all weights from memory,
which takes as long as the sums of some tokens."""
_CALL = 2048
"""The same elsewhere: an accelerator computes as many in the time in which the host starts all its sums."""


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
