"""The loss of the tokens that count, and nothing beside it.

trl also takes the entropy and the share of tokens that are likeliest, which nothing here reads: to bring these numbers
to the host it waits for the GPU between the way forth and the way back, several times for each micro-batch.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import add_fused_lm_head

from pytest_llmeval.training.sft.arguments import draws

__all__ = ["PlainLoss"]


class PlainLoss:
    """The mean over tokens of what an answer's own are unlikely by, as trl computes it."""

    def __init__(self, base: Any) -> None:
        """Have the head of a model tell this and no more.

        Args:
            base: without an adapter; trl has put its head in.
        """
        add_fused_lm_head(base)
        self._needs_mask = base.config.model_type != "llama" or draws(base.config)

    def of(self, model: Any, inputs: Mapping[str, Any], counted: Tensor | int | None, *, processes: int) -> Tensor:
        """Return the loss of a micro-batch.

        The rows that a llama trains on are passed without their mask: padding stands behind them, where no token that
        counts sees it, and attention has quicker ways, and keeps less, for rows that look whole.

        Args:
            model: that is asked.
            inputs: tokens with padding on the right, and their labels.
            counted: tokens of the whole step that count; None where it is the mean of this micro-batch.
            processes: that have a part of the step each.
        """
        is_masked = self._needs_mask or not model.training
        passed = {name: value for name, value in inputs.items() if is_masked or name != "attention_mask"}
        outputs = model(**passed, use_cache=False, fused_lm_head=True)
        total = (-outputs.log_probs).sum()  # of tokens that do not count 0
        if counted is None:
            return total / outputs.label_mask.sum().clamp(min=1)
        return total / torch.as_tensor(counted).clamp(min=1) * processes
