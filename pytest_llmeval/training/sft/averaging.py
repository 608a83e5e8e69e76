"""The running mean of an adapter over its steps: looked at, saved and proved, while steps continue from the newest."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pytest_llmeval.training.checkpoints import NEWEST

__all__ = ["Average"]

_SHARPNESS = 1
"""Exponent of the weight of step t, which grows as t to this power: with 1, the last 29 % of steps make half of the
mean."""


class Average:
    """Polynomial-decay averaging of the weights of all steps so far, later ones counting more (Shamir and Zhang 2013).

    At a high learning rate, steps oscillate around what is good for unseen rows; the mean does not. The length of the
    training need not be known: at each step, the mean covers an equally large share of the steps before it.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the current weights as the mean.

        Args:
            weights: the adapter's weights by name, which steps change in place.
        """
        self._newest = dict(weights)
        self._mean = {name: value.detach().clone() for name, value in weights.items()}
        self._aside: dict[str, Tensor] = {}

    def add(self, step: int) -> None:
        """Add the weights after a step to the mean.

        Args:
            step: its number, from 1.
        """
        share = (_SHARPNESS + 1) / (step + _SHARPNESS)
        with torch.no_grad():
            torch._foreach_lerp_(list(self._mean.values()), list(self._newest.values()), share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean in the place of the newest weights, and restore those at exit."""
        self._aside = {name: value.detach().clone() for name, value in self._newest.items()}
        self._put(self._mean)
        try:
            yield
        finally:
            self._put(self._aside)
            self._aside = {}

    def save(self, checkpoint: Path) -> None:
        """Write the newest weights beside the mean; to be called within ``in_place``."""
        save_file({name: value.contiguous() for name, value in self._aside.items()}, checkpoint / NEWEST)

    def load(self, checkpoint: Path) -> None:
        """Resume from a checkpoint whose mean was just loaded in the place of the newest weights."""
        for name, value in self._newest.items():
            self._mean[name].copy_(value.detach())
        self._put(load_file(checkpoint / NEWEST))

    def _put(self, weights: Mapping[str, Any]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(list(self._newest.values()), [weights[name] for name in self._newest])
