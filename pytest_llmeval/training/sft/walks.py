"""A shortcut for the walks through a model's thousands of modules that transformers makes in each step.

It walks them for each micro-batch to switch the model to training, and twice in each step to find the trained weights:
to clip their gradients, and to drop them. Here the gradients are set to 0 in place instead.
"""

from collections.abc import Callable
from typing import Any

__all__ = ["spare_walks"]


def spare_walks(model: Any, inner: Any, zero_grad: Callable[..., None]) -> None:
    """Replace ``train`` and ``zero_grad`` by versions that do only what is still necessary.

    Args:
        model: the model that steps are taken with.
        inner: the same model without the wrapper that shares it among processes; its submodules are never switched
            alone.
        zero_grad: sets the gradients of the trained weights to 0.
    """
    switch = inner.train

    def train(mode: bool = True) -> Any:
        return inner if inner.training is mode else switch(mode)

    switch()
    zero_grad()
    inner.train, model.zero_grad = train, zero_grad
