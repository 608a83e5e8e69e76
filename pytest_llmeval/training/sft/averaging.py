"""The mean of an adapter over its steps: it is what is looked at, kept and proved, and steps go on from the newest."""

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
"""The weight of step t grows as its power of t: with 1 half of the mean is of the last 29 % of the steps so far."""


class Average:
    """Polynomial-decay averaging: the weights of all steps so far, later ones counting more (Shamir and Zhang 2013).

    Steps at a high rate go to and fro about what is good for rows that they do not see; the mean does not. It needs no
    length that a training would have to know before: at each step it is the mean of as large a share of those before.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Begin.

        Args:
            weights: by name, those that steps change in place.
        """
        self._newest = dict(weights)
        self._mean = {name: value.detach().clone() for name, value in weights.items()}
        self._aside: dict[str, Tensor] = {}

    def add(self, step: int) -> None:
        """Take the weights after a step into the mean.

        Args:
            step: its number, from 1.
        """
        share = (_SHARPNESS + 1) / (step + _SHARPNESS)
        with torch.no_grad():
            torch._foreach_lerp_(list(self._mean.values()), list(self._newest.values()), share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the mean stand where the newest weights are, and those again afterwards."""
        self._aside = {name: value.detach().clone() for name, value in self._newest.items()}
        self._put(self._mean)
        try:
            yield
        finally:
            self._put(self._aside)
            self._aside = {}

    def save(self, checkpoint: Path) -> None:
        """Write the newest weights beside the mean, which stands in their place now."""
        save_file({name: value.contiguous() for name, value in self._aside.items()}, checkpoint / NEWEST)

    def load(self, checkpoint: Path) -> None:
        """Go on from a checkpoint, whose mean has just been put in the place of the newest weights."""
        for name, value in self._newest.items():
            self._mean[name].copy_(value.detach())
        self._put(load_file(checkpoint / NEWEST))

    def _put(self, weights: Mapping[str, Any]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(list(self._newest.values()), [weights[name] for name in self._newest])
