"""The order of training rows: drawn anew in each train_epoch, with rows of similar length in a step.

transformers orders the steps of some hundred rows from the longest to the shortest. Rows of one length are often of one
kind, and after twenty steps of short rows a small model has half forgotten the long ones: with SmolLM2-135M on
json_extraction, 8 rows a step, the loss leaps from 0.02 to 0.25 and more at every fiftieth step, and a checkpoint is
good at the rows that came last. Here steps come in random order, except that the longest is first, so that a lack of
memory shows at once.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

from pytest_llmeval.core.ids import digest

__all__ = ["ByLength"]


class ByLength(torch.utils.data.Sampler[int]):  # type: ignore[misc]  # torch is not typed here
    """A sampler whose order depends only on seed and train_epoch.

    transformers draws the order from the generator that dropout also uses: a training resumed in its second train_epoch
    would get the order of the first, and two processes would get different ones.
    """

    def __init__(self, lengths: Sequence[int], *, step: int, seed: int, train_epoch: Callable[[], int]) -> None:
        """Prepare.

        Args:
            lengths: number of tokens in each row.
            step: number of rows in a step, over all processes.
            seed: of the training.
            train_epoch: returns the number of the one that begins, from 0.
        """
        self._lengths, self._step, self._seed, self._train_epoch = list(lengths), step, seed, train_epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        text = f"{self._seed} {self._train_epoch()}"  # their sum would equal that of another seed in another round
        drawn = torch.Generator().manual_seed(int(digest(text)[:16], 16))
        rows = get_length_grouped_indices(self._lengths, self._step, generator=drawn)
        whole = len(rows) // self._step
        mixed = (1 + torch.randperm(max(whole - 1, 0), generator=drawn)).tolist()
        for number in (0, *mixed, max(whole, 1)):  # the last step has the remaining rows
            yield from rows[number * self._step : (number + 1) * self._step]
