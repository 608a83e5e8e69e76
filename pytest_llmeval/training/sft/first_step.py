"""Whether a training computes what it says: before its first step changes anything the model is its base."""

import math

from pytest_llmeval.core.errors import LlmevalError

__all__ = ["NotTheBaseError", "require_near"]

_NEAR = 0.2
"""A share of the loss: more than rounding to 16 bits makes of it, less than what a wrong attention or type does."""


class NotTheBaseError(LlmevalError):
    """The first loss is not that of the base."""


def require_near(trained: float, asked: float) -> None:
    """Compare two losses of the first rows.

    Args:
        trained: as steps are computed.
        asked: as answers are.

    Raises:
        NotTheBaseError: they are further apart than they may be, or no numbers.
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
