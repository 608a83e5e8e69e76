"""AdamW for an adapter as one update for all weights, instead of one for each of its hundreds of tensors.

bitsandbytes launches a kernel for each tensor and waits for it before it launches the next. Here all weights are views
into one tensor. Each begins at a multiple of the block of numbers that share a scale, so that the updates are the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from bitsandbytes.optim import AdamW
from torch import Tensor

from pytest_llmeval.core.errors import SettingsError

__all__ = ["FlatAdamW"]

_BLOCK = 256
"""Number of values for which bitsandbytes keeps one scale."""
_LEAST_8BIT = 4096
"""Smallest tensor, in numbers, whose optimizer states have 8 bits; those of smaller ones have 32."""


class FlatAdamW(AdamW):  # type: ignore[misc]  # bitsandbytes is not typed here
    """bitsandbytes' AdamW over two tensors: one with 8-bit states, and one of weights too small for these."""

    def __init__(self, weights: Sequence[torch.nn.Parameter], **how: Any) -> None:
        """Turn the weights and their gradients into views of the two tensors.

        Args:
            weights: the trained weights, all of one dtype.
            how: settings, as arguments of bitsandbytes' AdamW.
        """
        self.weights = tuple(weights)
        large = _Joined([each for each in weights if each.numel() >= _LEAST_8BIT])
        small = _Joined([each for each in weights if each.numel() < _LEAST_8BIT])
        self._joined = [each for each in (large, small) if each.weights]
        self._small = small.whole
        super().__init__([each.whole for each in self._joined], **how)
        self.zero_grad()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to 0 in place, where the next ones are added."""
        for each in self._joined:
            each.take_in()
            each.whole.grad.zero_()

    def get_config(self, gindex: int, pindex: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of a tensor's update: 32-bit states for the small weights."""
        found: dict[str, Any] = super().get_config(gindex, pindex, group)
        return {**found, "optim_bits": 32} if group["params"][pindex] is self._small else found

    def load_state_dict(self, state_dict: dict[str, Any], move_to_device: bool = True) -> None:
        """Load the state from a checkpoint.

        Raises:
            SettingsError: the checkpoint has a state for each weight, as an older version wrote it.
        """
        if [len(each["params"]) for each in state_dict["param_groups"]] != [len(self._joined)]:
            raise SettingsError(
                "the checkpoint is of another version of pytest-llmeval; train anew, without --llmeval-train-resume"
            )
        super().load_state_dict(state_dict, move_to_device)
        for state in self.state.values():  # a file keeps the mark of paged memory, but a loaded tensor is not paged
            state.update({name: each.detach() for name, each in state.items() if isinstance(each, Tensor)})


class _Joined:
    """A tensor that weights are views of; its gradient holds theirs in the same way."""

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.weights = weights
        count = sum(map(_taken, weights))
        self.whole: Any = torch.nn.Parameter(weights[0].data.new_zeros(count) if weights else torch.empty(0))
        self.whole.grad = torch.zeros_like(self.whole)
        self._values, self._gradients = (list(_parts(own, weights)) for own in (self.whole.data, self.whole.grad))

    def take_in(self) -> None:
        """Put each weight and its gradient back into the tensor, if other code has moved them.

        ``Module.to`` copies them on a CPU, for which accelerate passes a device number; DDP drops gradients at the
        start.
        """
        for each, value, gradient in zip(self.weights, self._values, self._gradients, strict=True):
            if each.data_ptr() != value.data_ptr():
                value.copy_(each.data)
                each.data = value
            if each.grad is None or each.grad.data_ptr() != gradient.data_ptr():
                each.grad = gradient.detach()  # a new view, as ``Module.to`` exchanges the memory of the one it gets


def _taken(weight: Tensor) -> int:
    """Return the number of values that a weight occupies, rounded up to whole blocks."""
    return int(-(-weight.numel() // _BLOCK) * _BLOCK)


def _parts(whole: Tensor, weights: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the view of ``whole`` for each weight, in their order and shapes."""
    begin = 0
    for each in weights:
        yield whole[begin : begin + each.numel()].view_as(each)
        begin += _taken(each)
