"""A check before the first step that the model with its new adapter still computes what its base computes."""

import math

from pytest_llmeval.core.errors import LlmevalError

__all__ = ["NotTheBaseError", "require_near"]

_NEAR = 0.2
"""Largest relative difference of the losses: more than rounding to 16 bits causes, less than a wrong attention or
dtype."""


class NotTheBaseError(LlmevalError):
    """Raised if the first loss is not that of the base."""


def require_near(trained: float, asked: float) -> None:
    """Compare two losses of the first rows.

    Args:
        trained: computed as in a training step.
        asked: computed as for answers.

    Raises:
        NotTheBaseError: they differ by more than 20 %, or are not finite.
    """
    if not math.isfinite(asked):
        raise NotTheBaseError(
            f"the loss of the base itself is {asked} on the first rows; dtype: float32 has room for more"
        )
    if not abs(trained - asked) <= _NEAR * asked:
        raise NotTheBaseError(
            f"the loss of the first rows as it is trained is {trained / asked if asked else math.inf:.2f} times that of"
            " the base as it answers: computed in two ways, they should agree within 20 %, so nothing was trained."
            " kernels: false leaves fused layers and Liger's kernels out"
        )
