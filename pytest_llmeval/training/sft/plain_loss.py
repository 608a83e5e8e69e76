"""The loss of the answer's tokens, without the metrics that trl adds.

trl also computes the entropy and the share of tokens that are the likeliest, which nothing here reads. To move these
numbers to the host it waits for the GPU between forward and backward pass, several times in each micro-batch.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import add_fused_lm_head

from pytest_llmeval.training.sft.arguments import draws

__all__ = ["PlainLoss"]


class PlainLoss:
    """The mean negative log-likelihood of the answers' tokens, as trl computes it."""

    def __init__(self, base: Any) -> None:
        """Give the model a head that computes log-probabilities only.

        Args:
            base: the model without an adapter; trl has already put its own head in.
        """
        add_fused_lm_head(base)
        self._needs_mask = base.config.model_type != "llama" or draws(base.config)

    def of(self, model: Any, inputs: Mapping[str, Any], counted: Tensor | int | None, *, processes: int) -> Tensor:
        """Return the loss of a micro-batch.

        The training rows of a Llama are passed without a mask: padding comes after them, where no token that counts
        sees it, and attention is faster and keeps less memory for rows without a mask.

        Args:
            model: the model, with its adapter.
            inputs: tokens with padding on the right, and their labels.
            counted: number of tokens in the whole step that count; None to take the mean over this micro-batch.
            processes: number of processes that share the step.
        """
        is_masked = self._needs_mask or not model.training
        passed = {name: value for name, value in inputs.items() if is_masked or name != "attention_mask"}
        outputs = model(**passed, use_cache=False, fused_lm_head=True)
        total = (-outputs.log_probs).sum()  # 0 for tokens that do not count
        if counted is None:
            return total / outputs.label_mask.sum().clamp(min=1)
        return total / torch.as_tensor(counted).clamp(min=1) * processes
