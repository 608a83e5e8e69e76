"""The head of a model on a CPU: log-probabilities of the tokens that count, and their gradient in the same pass.

trl's own function is made for GPUs. Without Triton it puts every token through the head, in tiles of 4,096 tokens that
no cache of a CPU holds, and computes them again on the way back: more than the layers below took. Here a block of
tokens stays in the cache until all is known of it, the gradient too: that of a log-probability is a row of its own,
which the way back only scales.
"""

from typing import Any

import torch
from torch import Tensor
from trl.trainer import utils as trl_utils

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.memory import HEAD_BLOCK_BYTES

__all__ = ["score_answers_only"]


def score_answers_only() -> None:
    """Have trl compute what it needs of the head here, where that is frozen and plain; for trainings on a CPU alone."""
    if isinstance(trl_utils._ChunkedLogProbFunction, _Either):
        return
    # trl 1.15 has no such name: tokens that do not count are left out there anyhow, and its own function is for GPUs.
    is_for_cpus = hasattr(trl_utils, "_use_triton")
    trl_utils._ChunkedLogProbFunction = _Either(trl_utils._ChunkedLogProbFunction if is_for_cpus else None)
    if is_for_cpus:
        trl_utils._use_triton = lambda device: True  # tokens that do not count are left out; kernels ask another name


class _Either:
    """Takes the place of trl's function."""

    def __init__(self, otherwise: Any) -> None:
        self.otherwise = otherwise

    def apply(self, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *how: Any) -> Any:
        """Return log-probabilities, one for each token, and None for what else trl knows of them.

        Raises:
            SettingsError: the head is none that is computed here, and trl's function is none for CPUs.
        """
        match how:  # temperature, width of a tile, cap and scale of the logits, what is wanted
            case (1.0, _, None, 1.0, ("log_probs",)) if bias is None and not weight.requires_grad:
                return _AnswerHead.apply(hidden, weight, targets), None, None, None, None
        if self.otherwise is None:
            raise SettingsError("the head of this base needs trl 1.16 on a CPU: pip install 'trl>=1.16'")
        return self.otherwise.apply(hidden, weight, bias, targets, *how)


class _AnswerHead(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed here
    """Of N tokens x H, a head V x H and N targets: log-probabilities."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else hidden.dtype
        head = weight.to(dtype)
        log_probs = torch.empty(len(hidden), dtype=torch.float32)
        slopes = torch.empty(hidden.shape, dtype=torch.float32) if ctx.needs_input_grad[0] else None
        block = max(1, HEAD_BLOCK_BYTES // (4 * len(weight)))
        for start in range(0, len(hidden), block):
            span = slice(start, start + block)
            index = targets[span, None]
            logits = torch.mm(hidden[span].to(dtype), head.t()).float()
            logs = torch.log_softmax(logits, dim=1)
            log_probs[span] = logs.gather(1, index)[:, 0]
            if slopes is not None:  # of log p_t by the logits: 1 at t, less the shares
                shares = torch.exp(logs, out=logits)
                shares.neg_().scatter_add_(1, index, torch.ones_like(index, dtype=torch.float32))
                slopes[span] = torch.mm(shares.to(dtype), head)
        ctx.dtype = hidden.dtype
        ctx.save_for_backward(slopes)
        return log_probs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return (gradients[0].float()[:, None] * slopes).to(ctx.dtype), None, None
