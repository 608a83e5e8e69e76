"""The order in which rows are trained on: drawn anew in each train_epoch, the rows of a step of like length.

transformers lets the steps of some hundred rows follow each other from the longest to the shortest. Rows of one length
are rows of one kind, and after twenty steps of short ones a small model has half forgotten the long ones: with
SmolLM2-135M on json_extraction, 8 rows a step, the loss leaps from 0.02 to 0.25 and more at every fiftieth step, and a
checkpoint is good at what came last. Here the steps come in any order, the longest first, so that too little memory
shows at once.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

from pytest_llmeval.core.ids import digest

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
        text = f"{self._seed} {self._train_epoch()}"  # the sum of both is that of another seed in another round
        drawn = torch.Generator().manual_seed(int(digest(text)[:16], 16))
        rows = get_length_grouped_indices(self._lengths, self._step, generator=drawn)
        whole = len(rows) // self._step
        mixed = (1 + torch.randperm(max(whole - 1, 0), generator=drawn)).tolist()
        for number in (0, *mixed, max(whole, 1)):  # the last has what is left over
            yield from rows[number * self._step : (number + 1) * self._step]
