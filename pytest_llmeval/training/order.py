"""The order in which rows are trained on: drawn anew in each train_epoch, the rows of a step of like length."""

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

__all__ = ["ByLength"]


class ByLength(torch.utils.data.Sampler[int]):  # type: ignore[misc]  # torch is not typed here
    """An order that seed and train_epoch alone decide.

    transformers draws it from the generator that dropout draws from too: a training that goes on in its second
    train_epoch would get the order of the first, and two processes would not get the same.
    """

    def __init__(self, lengths: Sequence[int], *, step: int, seed: int, train_epoch: Callable[[], int]) -> None:
        """Prepare.

        Args:
            lengths: tokens of each row.
            step: rows of a step, those of all processes together.
            seed: of the training.
            train_epoch: returns which one begins, from 0.
        """
        self._lengths, self._step, self._seed, self._train_epoch = list(lengths), step, seed, train_epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        drawn = torch.Generator().manual_seed(self._seed + self._train_epoch())
        yield from get_length_grouped_indices(self._lengths, self._step, generator=drawn)
