"""Linear layers fused with their LoRA adapter, for few operations in the forward and the backward pass.

peft computes ``base(x) + scaling * B(A(x))`` one operation at a time: it casts the input to the adapter's dtype and
back, scales and adds the products separately, and autograd does the same in the backward pass. Here the matrix products
also add (``addmm``): of 16 operations on tensors as large as a layer's input or output, 8 are left.
"""

from functools import partial
from typing import Any, NamedTuple

import bitsandbytes
import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from torch import Tensor

__all__ = ["drawn_marks", "fuse_adapters"]

_LEVELS = 256
"""Number of levels that the dropout probability is rounded to on a CPU."""
_WITH_OWN = ("cuda",)
"""Devices for which torch has dropout as a single operation."""


def fuse_adapters(model: Any) -> int:
    """Fuse layers of a peft model with their adapters, for passes with gradients; return the number of fused layers.

    Layers that do more than add two products stay as they are: those with a variant such as DoRA, and those that are
    neither ``Linear`` nor ``Linear4bit``. Without gradients, or with the adapter merged or switched off, peft's own
    forward is used.
    """
    found = [module for module in model.modules() if isinstance(module, LoraLayer) and _is_plain(module)]
    for module in found:
        (name,) = module.active_adapters
        share = getattr(module.lora_dropout[name], "p", 0.0)
        parts = module.lora_A[name], module.lora_B[name], module.scaling[name], share, module.get_base_layer()
        module.forward = partial(_forward, module, module.forward, parts)
    return len(found)


def _is_plain(module: Any) -> bool:
    base = module.get_base_layer()
    if type(base) not in (torch.nn.Linear, Linear4bit) or len(module.active_adapters) != 1:
        return False
    (name,) = module.active_adapters
    return (
        name in module.lora_A
        and type(module.lora_dropout[name]) in (torch.nn.Identity, torch.nn.Dropout)
        and name not in module.lora_variant
        and module.lora_A[name].bias is None
        and module.lora_B[name].bias is None
        and not hasattr(module, "_hf_hook")
    )


def _forward(module: Any, otherwise: Any, parts: tuple[Any, ...], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if args or kwargs or not torch.is_grad_enabled() or module.disable_adapters or module.merged:
        found: Tensor = otherwise(x, *args, **kwargs)
        return found
    a, b, scaling, share, base = parts  # looked up once, as each lookup costs the host time
    summed: Tensor = _LoraLinear.apply(x, a.weight, b.weight, scaling, share if module.training else 0.0, base)
    return summed


class _LoraLinear(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed here
    """``base(x) + scaling * drop(x) A^T B^T`` with gradients of x, A (r x in) and B (out x r); the base is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, scaling: float, share: float, base: Any) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else a.dtype
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        dropped = _dropped(rows, share)
        low_a, low_b = a.to(dtype), b.to(dtype)
        inner = torch.mm(dropped.read, low_a.t())
        of_inner = scaling / dropped.left_of_read
        result: Tensor = base(x)  # a new tensor, so it can be added to in place
        _add_product(result.view(-1, result.shape[-1]), inner, low_b.t(), of_inner)
        # Rows are saved rather than ``dropped.read``, because sibling layers share them.
        ctx.save_for_backward(rows, dropped.kept, inner, low_a, low_b)
        ctx.scalings, ctx.base = (scaling / dropped.left, of_inner), base
        ctx.shape, ctx.dtypes = x.shape, (x.dtype, a.dtype, b.dtype)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None, None]:
        rows, kept, inner, a, b = ctx.saved_tensors
        of_x, of_a, of_b = ctx.dtypes
        scaling, of_inner = ctx.scalings
        gradient = gradients[0].reshape(-1, gradients[0].shape[-1]).to(rows.dtype)
        through_b = torch.mm(gradient, b)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.mm(gradient, _weight(ctx.base).to(rows.dtype))
            if kept is None:
                _add_product(grad_x, through_b, a, scaling)
            else:
                grad_x.add_(torch.mm(through_b, a).mul_(kept), alpha=scaling)
            grad_x = grad_x.view(ctx.shape).to(of_x)
        grad_a = torch.mm(through_b.t(), rows if kept is None else rows * kept).to(of_a).mul_(scaling)
        grad_b = torch.mm(gradient.t(), inner).to(of_b).mul_(of_inner)
        return grad_x, grad_a, grad_b, None, None, None


class _Dropped(NamedTuple):
    read: Tensor
    """The layer's input as the adapter reads it."""
    kept: Tensor | None = None
    """0 for each input that is zeroed, 1 for the others; None without dropout."""
    left: float = 1.0
    """Share of inputs that are kept, by which the adapter's scaling is divided."""
    left_of_read: float = 1.0
    """The same for ``read``: 1 if ``read`` is already divided by it."""


def _dropped(rows: Tensor, share: float) -> _Dropped:
    """Apply dropout to a layer's input; on a GPU, torch does it in one operation."""
    if not share:
        return _Dropped(rows)
    if rows.device.type in _WITH_OWN:
        read, kept = torch.native_dropout(rows, share, True)
        return _Dropped(read, kept, left=1 - share)
    levels = max(1, min(round(share * _LEVELS), _LEVELS - 1))
    kept = drawn_marks(rows, levels)
    left = 1 - levels / _LEVELS
    return _Dropped(rows * kept, kept, left, left)


def drawn_marks(rows: Tensor, levels: int) -> Tensor:
    """Return 0 for each value that dropout zeroes, with probability ``levels`` / 256, and 1 for the others.

    One random byte decides on each value, and eight bytes are drawn at once. torch's own dropout draws a number for
    each value, on many CPUs in one thread, which takes longer than the products of a small model.
    """
    count = rows.numel()
    drawn = torch.empty(-(-count // 8), dtype=torch.int64, device=rows.device).random_(-(2**63), None)
    return drawn.view(torch.uint8)[:count].ge_(levels).view_as(rows)


def _add_product(total: Tensor, left: Tensor, right: Tensor, scaling: float) -> None:
    """Add ``scaling * left right`` to ``total`` in place."""
    if total.dtype == left.dtype:
        total.addmm_(left, right, alpha=scaling)
    else:
        total.add_(torch.mm(left, right), alpha=scaling)


def _weight(base: Any) -> Tensor:
    """Return the weights of a frozen layer (out x in), dequantised if they have 4 bits."""
    weight: Tensor = base.weight
    if isinstance(base, Linear4bit):
        return bitsandbytes.functional.dequantize_4bit(weight.view(-1, 1), base.weight.quant_state)
    return weight
