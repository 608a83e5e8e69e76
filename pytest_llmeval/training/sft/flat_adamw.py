"""The optimizer of an adapter with one update a step, not one for each of its hundreds of weights.

bitsandbytes launches a kernel for each tensor and waits for it before the next. Here the weights are parts of one
tensor, each from a multiple of the block on that has one scale for the states of its numbers: the updates are the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from bitsandbytes.optim import AdamW
from torch import Tensor

from pytest_llmeval.core.errors import SettingsError

__all__ = ["FlatAdamW"]

_BLOCK = 256
"""Numbers that bitsandbytes keeps one scale for."""
_LEAST_8BIT = 4096
"""The states of smaller tensors have 32 bits."""


class FlatAdamW(AdamW):  # type: ignore[misc]  # bitsandbytes is not typed here
    """bitsandbytes' AdamW over two tensors: of what has states of 8 bits, and of what is too small for them."""

    def __init__(self, weights: Sequence[torch.nn.Parameter], **how: Any) -> None:
        """Make the weights parts of these two, and so their gradients.

        Args:
            weights: of one kind, that are trained.
            how: they are, in bitsandbytes' words.
        """
        self.weights = tuple(weights)
        large = _Joined([each for each in weights if each.numel() >= _LEAST_8BIT])
        small = _Joined([each for each in weights if each.numel() < _LEAST_8BIT])
        self._joined = [each for each in (large, small) if each.weights]
        self._small = small.whole
        super().__init__([each.whole for each in self._joined], **how)
        self.zero_grad()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to 0, in the place that the next ones are added to."""
        for each in self._joined:
            each.take_in()
            each.whole.grad.zero_()

    def get_config(self, gindex: int, pindex: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return how a tensor is updated."""
        found: dict[str, Any] = super().get_config(gindex, pindex, group)
        return {**found, "optim_bits": 32} if group["params"][pindex] is self._small else found

    def load_state_dict(self, state_dict: dict[str, Any], move_to_device: bool = True) -> None:
        """Go on from a checkpoint.

        Raises:
            SettingsError: it has a state for each weight.
        """
        if [len(each["params"]) for each in state_dict["param_groups"]] != [len(self._joined)]:
            raise SettingsError(
                "the checkpoint is of another version of pytest-llmeval; train anew, without --llmeval-train-resume"
            )
        super().load_state_dict(state_dict, move_to_device)
        for state in self.state.values():  # a file keeps the mark of paged memory, which a loaded tensor is not in
            state.update({name: each.detach() for name, each in state.items() if isinstance(each, Tensor)})


class _Joined:
    """A tensor that has weights as its parts, and in its gradient theirs."""

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.weights = weights
        count = sum(map(_taken, weights))
        self.whole: Any = torch.nn.Parameter(weights[0].data.new_zeros(count) if weights else torch.empty(0))
        self.whole.grad = torch.zeros_like(self.whole)
        self._values, self._gradients = (list(_parts(own, weights)) for own in (self.whole.data, self.whole.grad))

    def take_in(self) -> None:
        """Have each weight and its gradient in their places, also where another one put them elsewhere.

        ``Module.to`` copies them on a CPU, to which accelerate gives a number; DDP drops gradients at the start.
        """
        for each, value, gradient in zip(self.weights, self._values, self._gradients, strict=True):
            if each.data_ptr() != value.data_ptr():
                value.copy_(each.data)
                each.data = value
            if each.grad is None or each.grad.data_ptr() != gradient.data_ptr():
                each.grad = gradient.detach()  # not the one that is kept, whose memory ``Module.to`` exchanges too


def _taken(weight: Tensor) -> int:
    """Return how many numbers a weight takes, up to the next block."""
    return int(-(-weight.numel() // _BLOCK) * _BLOCK)


def _parts(whole: Tensor, weights: Sequence[Tensor]) -> Iterator[Tensor]:
    """Return what of ``whole`` each of the weights takes, in their order and form."""
    begin = 0
    for each in weights:
        yield whole[begin : begin + each.numel()].view_as(each)
        begin += _taken(each)
