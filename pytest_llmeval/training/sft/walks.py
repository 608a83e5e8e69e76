"""What a step need not do: go through all modules of a model, of which there are thousands, for what few of them have.

transformers does so for each micro-batch to say that the model trains, and twice in each step to find the weights that
are trained: to clip their gradients and to drop them, which are set to 0 here, in their place.
"""

from collections.abc import Callable
from typing import Any

__all__ = ["spare_walks"]


def spare_walks(model: Any, inner: Any, zero_grad: Callable[..., None]) -> None:
    """Have ``train`` and ``zero_grad`` do only what is left to do.

    Args:
        model: that steps are taken with.
        inner: the same without what shares it among processes; nothing below it is switched by itself.
        zero_grad: sets the gradients of what is trained to 0.
    """
    switch = inner.train

    def train(mode: bool = True) -> Any:
        return inner if inner.training is mode else switch(mode)

    switch()
    zero_grad()
    inner.train, model.zero_grad = train, zero_grad
