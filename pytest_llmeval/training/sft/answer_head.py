"""The output head on a CPU: log-probabilities of the tokens that count, and their gradient in the same pass.

trl's own function is made for GPUs. Without Triton it computes the head for every token, in tiles of 4,096 tokens that
no CPU cache holds, and recomputes them in the backward pass, which took longer than all layers below. Here a block of
tokens stays in the cache until everything about it is computed, the gradient included: that of a token's
log-probability is a row of its own, which the backward pass only scales.
"""

from typing import Any

import torch
from torch import Tensor
from trl.trainer import utils as trl_utils

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.memory import HEAD_BLOCK_BYTES

__all__ = ["score_answers_only"]


def score_answers_only() -> None:
    """Replace trl's function by the one here, for heads that are frozen and plain; for trainings on a CPU only."""
    if isinstance(trl_utils._ChunkedLogProbFunction, _Either):
        return
    # trl 1.15 has no ``_use_triton``: it leaves tokens out that do not count anyway, and its function is for GPUs.
    is_for_cpus = hasattr(trl_utils, "_use_triton")
    trl_utils._ChunkedLogProbFunction = _Either(trl_utils._ChunkedLogProbFunction if is_for_cpus else None)
    if is_for_cpus:
        trl_utils._use_triton = lambda device: True  # leaves out tokens that do not count; kernels ask another name


class _Either:
    """Stand-in for trl's function, which uses ours where it applies."""

    def __init__(self, otherwise: Any) -> None:
        self.otherwise = otherwise

    def apply(self, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *how: Any) -> Any:
        """Return the log-probability of each token, and None for everything else that trl's function returns.

        Raises:
            SettingsError: the head is not one that is computed here, and this trl's function does not work on CPUs.
        """
        match how:  # temperature, tile width, cap and scale of the logits, outputs wanted
            case (1.0, _, None, 1.0, ("log_probs",)) if bias is None and not weight.requires_grad:
                return _AnswerHead.apply(hidden, weight, targets), None, None, None, None
        if self.otherwise is None:
            raise SettingsError("the head of this base needs trl 1.16 on a CPU: pip install 'trl>=1.16'")
        return self.otherwise.apply(hidden, weight, bias, targets, *how)


class _AnswerHead(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed here
    """Log-probabilities of N target tokens, from their hidden states (N x H) and the head (V x H)."""

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
            if slopes is not None:  # d log p_t / d logits: 1 at t, less the probabilities
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
