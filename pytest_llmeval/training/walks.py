"""What a step need not do: go through all modules of a model, of which there are thousands, for what few of them have.

transformers does so for each micro-batch to say that the model trains, and twice in each step to find the weights that
are trained: to clip their gradients and to let go of them.
"""

from typing import Any

from torch import Tensor

__all__ = ["spare_walks"]


def spare_walks(model: Any, inner: Any) -> list[Tensor]:
    """Have ``train`` and ``zero_grad`` do only what is left to do; return the weights that are trained.

    Args:
        model: that steps are taken with.
        inner: the same without what shares it among processes; nothing below it is switched by itself.
    """
    trained = [each for each in inner.parameters() if each.requires_grad]
    switch = inner.train
    switch()

    def train(mode: bool = True) -> Any:
        return inner if inner.training is mode else switch(mode)

    def zero_grad(set_to_none: bool = True) -> None:
        for each in trained:
            each.grad = None

    inner.train, model.zero_grad = train, zero_grad
    return trained
