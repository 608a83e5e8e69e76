"""How much memory a training takes, told from the base's config.json alone, before anything is loaded.

The terms are those of QLoRA with a fused loss that never builds the logits: frozen weights, adapter with gradients and
optimizer state, what activations keep of each token, one layer's working set, and what the device itself takes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config import Held

__all__ = [
    "DEVICE_BYTES",
    "HEAD_BLOCK_BYTES",
    "MEMORY_SHARE",
    "Estimate",
    "Fit",
    "NoRoomError",
    "Recipe",
    "Shape",
    "answered_at_once",
    "estimate",
    "fit",
    "require_host",
]

Engine = Literal["ddp", "fsdp", "deepspeed"]

MEMORY_SHARE = 0.9
"""Of the free memory that a training is laid out for: estimates are no measurements."""

_NF4_BYTES = 0.5 + 1 / 64 + 4 / 64 / 256
"""Of a weight: 4 bits, an 8-bit scale for each 64, and a 32-bit one for each 256 of those (QLoRA, section 3)."""
_DENSE_BYTES = {"4bit": 2, "bfloat16": 2, "float32": 4}
"""Of a weight that is not quantised, as embeddings and norms are not."""
_ADAPTER_BYTES = {"ddp": 4 + 4 + 2, "fsdp": 4 + 4 + 8, "deepspeed": 4 + 4 + 8}
"""Of an adapter's weight: fp32 value and gradient, and two states of 8 bits, or of 32 where the optimizer has none."""
_BUCKET_BYTES = 4
"""More where several processes of ``ddp`` train: its gradient once more, in what the sum over them is taken in."""
_MEAN_BYTES = 4 + 4
"""Of an adapter's weight more where its mean is kept: that, and the newest value while the mean is looked at."""
_TILE_TOKENS, _TILE_COLUMN_BYTES = 4096, 32768 * 2
"""The fused loss works on a tile of at most 4,096 tokens by 32,768 columns, in 16 bits (trl 1.15 on)."""
HEAD_BLOCK_BYTES = 24_000_000
"""On the CPU on blocks of logits, so large in fp32 (see answer_head): what the last cache of one may hold."""
_HEAD_BLOCKS = 4
"""Forms of a block that are there at once."""
DEVICE_BYTES = {"cuda": 500_000_000, "cpu": 900_000_000}
"""A CUDA context; on the CPU the interpreter with torch, transformers and trl."""
_LIVE_HIDDEN, _LIVE_INNER = 12, 3
"""Values of the hidden and the inner size that a layer keeps of each token without checkpointing: what makes the peaks
that were measured with Llama 3.2 3B on an H100 (28.2 GiB at 8,192 tokens, 55.6 GiB at 16,384)."""
_WORKING = {"cuda": (8, 4), "cpu": (10, 6)}
"""The same for the one layer that is worked on, its gradients included. On cuda what makes the peaks that were measured
with Liger's kernels (4.5 GiB at 16 x 512 tokens, 5.3 at 8 x 1,024, 8.2 at 8 x 2,048); with adapters that are not fused
it is more."""
_INNER_BY_TORCH = 1
"""Values of the inner size more without Liger, whose SwiGLU keeps no product of gate and activation. TRL was measured
to take 0.2, 0.2 and 0.5 GiB more without it, which is two; a fused layer saves at least one of them."""
_SHORT_ROW, _LONG_ROW_HEADS = 512, 16
"""On cuda rows with more tokens than that take so many values of the heads' size more for each token there: by those
peaks, 0.8 GiB for the same 8,192 tokens."""
_BUSY_TOKENS, _FEWEST_TOKENS = 8192, 4096
"""Tokens that a GPU is to have at once: a step of at most so many stays whole, as a micro-batch takes the host its time
however small it is (an H100 waits for it below them). Of a longer one at least so many without checkpointing are better
than more with it, which computes a third again: an H100 makes 17,400 tokens/s of 8,192 without it and 14,800 of 16,384
with it, and a card that has room for no more than 4,096 without it is a slower one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a model that decide its memory."""

    hidden: int
    inner: int
    """Width of the feed-forward layers."""
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool

    @classmethod
    def of(cls, config: Mapping[str, Any], shown: str) -> "Shape":
        """Return the sizes that a ``config.json`` states.

        Raises:
            SettingsError: one is missing.
        """
        try:
            heads = config["num_attention_heads"]
            return cls(
                hidden=config["hidden_size"],
                inner=config["intermediate_size"],
                layers=config["num_hidden_layers"],
                heads=heads,
                kv_heads=config.get("num_key_value_heads") or heads,
                head_dim=config.get("head_dim") or config["hidden_size"] // heads,
                vocab=config["vocab_size"],
                tied=bool(config.get("tie_word_embeddings", True)),
            )
        except KeyError as error:
            raise SettingsError(
                f"{shown}: config.json has no {error.args[0]!r}; only decoders laid out as Llama can be trained here"
            ) from None

    @property
    def linear(self) -> int:
        """Weights of the layers' matrices."""
        return sum(rows * columns for rows, columns in self.matrices().values()) * self.layers

    @property
    def dense(self) -> int:
        """Weights that are never quantised: embedding, head where it is not tied, norms."""
        return self.vocab * self.hidden * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Return the sizes, out and in, of one layer's matrices by name."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (query, self.hidden),
            "k_proj": (key, self.hidden),
            "v_proj": (key, self.hidden),
            "o_proj": (self.hidden, query),
            "gate_proj": (self.inner, self.hidden),
            "up_proj": (self.inner, self.hidden),
            "down_proj": (self.hidden, self.inner),
        }

    def adapter(self, r: int, targets: tuple[str, ...]) -> int:
        """Return the weights of an adapter of rank ``r`` on the matrices named."""
        return self.layers * sum(r * sum(size) for size in self.named(targets))

    def named(self, targets: tuple[str, ...]) -> list[tuple[int, int]]:
        """Return the sizes of the matrices named, by themselves or with what leads to them (``self_attn.q_proj``)."""
        known = self.matrices()
        return [known[last] for name in targets if (last := name.rpartition(".")[2]) in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Bytes by what takes them."""

    weights: int
    adapter: int
    """With gradients and optimizer state."""
    activations: int
    working: int
    """One layer's working set and the loss."""
    device: int

    @property
    def total(self) -> int:
        """All together, in bytes."""
        return self.weights + self.adapter + self.activations + self.working + self.device

    def lines(self) -> list[str]:
        """Return a table of it in GiB."""
        parts = ("weights", "adapter", "activations", "working", "device", "total")
        return [f"  {part:12} {getattr(self, part) / 2**30:6.2f} GiB" for part in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a training uses the memory that there is."""

    micro_batch: int
    """Rows in memory at once; divides the rows of a step."""
    accumulation: int
    checkpointing: bool
    """Whether activations are computed again rather than kept."""
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What of a configuration decides the memory of a training."""

    held: Held
    """How the base's weights are."""
    r: int
    """Rank of the adapter."""
    targets: tuple[str, ...]
    """Matrices that it sits on."""
    device: Literal["cpu", "cuda"]
    """Where it runs; on the CPU values have 4 bytes, and with weights in fp32 what passes the layers has."""
    dropout: float = 0.0
    """Share of the adapter's inputs that is left out; of each a byte says whether it was."""
    averaged: bool = False
    """Whether the mean of the adapter over its steps is kept."""
    liger: bool = True
    """Whether Liger's kernels work on the layers; only on cuda does it matter."""
    processes: int = 1
    """That train together."""
    engine: Engine = "ddp"
    """What has several processes train together."""


def estimate(shape: Shape, recipe: Recipe, *, rows: int, row_tokens: int, checkpointing: bool) -> Estimate:
    """Return what a micro-batch takes.

    Args:
        shape: of the base.
        recipe: how it is trained.
        rows: of the micro-batch.
        row_tokens: of its longest row, to which the others are padded.
        checkpointing: whether activations are computed again.
    """
    held, device = recipe.held, recipe.device
    value = 4 if device == "cpu" or held == "float32" else 2
    per_layer = shape.hidden if checkpointing else _LIVE_HIDDEN * shape.hidden + _LIVE_INNER * shape.inner
    marks = sum(read for _, read in shape.named(recipe.targets)) if recipe.dropout else 0
    each = _ADAPTER_BYTES[recipe.engine] + (_MEAN_BYTES if recipe.averaged else 0)
    if recipe.engine == "ddp" and recipe.processes > 1:
        each += _BUCKET_BYTES
    kept = (per_layer * value + (0 if checkpointing else marks)) * shape.layers
    return Estimate(
        weights=_weights(shape, held, device, recipe.processes if recipe.engine == "fsdp" else 1),
        adapter=shape.adapter(recipe.r, recipe.targets) * each,
        activations=kept * rows * row_tokens,
        working=_working(shape, rows, row_tokens, value, marks, device, recipe.liger),
        device=DEVICE_BYTES[device],
    )


def _weights(shape: Shape, held: Held, device: Literal["cpu", "cuda"], parts: int) -> int:
    """Return what frozen weights take; split ones, two layers and what is outside of layers as a whole beside its part.

    The next layer is fetched while one is worked on, and accelerate has FSDP keep embedding, head and last norm.
    """
    linear = shape.linear * (_NF4_BYTES if held == "4bit" else _DENSE_BYTES[held])
    dense = shape.dense * (4 if device == "cpu" else _DENSE_BYTES[held])
    gathered = 2 * linear / shape.layers + dense if parts > 1 else 0
    return int((linear + dense) / parts + gathered)


def _working(
    shape: Shape,
    rows: int,
    row_tokens: int,
    value: int,
    marks: int,
    device: Literal["cpu", "cuda"],
    liger: bool,
) -> int:
    """Return what the layer that is worked on takes, and the loss: on cuda the more of both, as they take turns."""
    tokens = rows * row_tokens
    hidden, inner = _WORKING[device]
    if device == "cuda" and not liger:
        inner += _INNER_BY_TORCH
    layer = (hidden * shape.hidden + inner * shape.inner) * value + marks
    if device == "cuda" and row_tokens > _SHORT_ROW:
        layer += _LONG_ROW_HEADS * shape.heads * shape.head_dim * value
    worked_on = layer * tokens + max(math.prod(size) for size in shape.matrices().values()) * value
    if device == "cpu":
        return worked_on + _HEAD_BLOCKS * HEAD_BLOCK_BYTES + 2 * shape.vocab * shape.hidden  # its weights in 16 bits
    head = min(tokens, _TILE_TOKENS) * _TILE_COLUMN_BYTES + (2 * value + 4) * shape.hidden * tokens
    return max(worked_on, head)


def answered_at_once(shape: Shape, fitted: Fit, *, free: int, rows: int, tokens: int) -> int:
    """Return how many rows a GPU answers at once while training: a token takes the same time for one and for many.

    Between steps what activations and gradients take is free. An answer keeps keys and values of each token, twice
    while they grow, and works on one layer, as if with gradients.

    Args:
        shape: of the base.
        fitted: how it is trained.
        free: bytes that there are.
        rows: that are to be answered.
        tokens: of the longest prompt and its answer.
    """
    kept = 2 * 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim
    hidden, inner = _WORKING["cuda"]
    layer = (hidden * shape.hidden + inner * shape.inner) * 2
    stays = fitted.estimate.weights + fitted.estimate.adapter + fitted.estimate.device
    return max(fitted.micro_batch, min(rows, (free - stays) // ((kept + layer) * tokens)))


def require_host(shape: Shape, *, held: Held, processes: int, free: int) -> None:
    """Refuse processes that cannot each read the whole base into the host's memory, as they do before it is split.

    Args:
        shape: of the base.
        held: how its weights are.
        processes: that read it.
        free: bytes of the host that there are.

    Raises:
        SettingsError: there are too few, with how many it takes.
    """
    each = (shape.linear + shape.dense) * _DENSE_BYTES[held]
    if processes * each > free:
        raise SettingsError(
            f"base: each of {processes} processes reads it into the host's memory before it is split,"
            f" {each / 2**30:.2f} GiB, and {free / 2**30:.2f} GiB are free;"
            " take a smaller base, fewer launch.processes, or dtype: bfloat16"
        )


class NoRoomError(SettingsError):
    """Not even one row fits with this adapter, and without one it would: a smaller one may."""


def fit(
    shape: Shape,
    recipe: Recipe,
    *,
    free: int,
    batch: int,
    row_tokens: int,
    most_rows: int | None = None,
    before: tuple[int, bool] | None = None,
) -> Fit:
    """Return the largest micro-batch that fits, first without checkpointing where enough of the step fits so.

    Args:
        shape: of the base.
        recipe: how it is trained.
        free: bytes that there are.
        batch: rows of a step in one process.
        row_tokens: tokens of the longest row.
        most_rows: no micro-batch has more rows; None for no such bound. Where ``before`` had more, it took too much
            memory, and what is chosen takes less.
        before: micro-batch and checkpointing that the training began with, taken again where they fit: others would
            round its sums in other ways; None where it begins.

    Raises:
        SettingsError: not even one row fits, with what it would take.
        NoRoomError: the same, where the adapter is too much.
    """
    sizes = [rows for rows in range(batch, 0, -1) if batch % rows == 0 and rows <= (most_rows or batch)]

    def of(rows: int, checkpointing: bool) -> Estimate:
        return estimate(shape, recipe, rows=rows, row_tokens=row_tokens, checkpointing=checkpointing)

    ways = [(rows, False) for rows in sizes if _is_enough(rows, sizes[0], row_tokens, recipe.device)]
    ways += [(rows, True) for rows in sizes]
    if before is not None and before[0] in sizes:
        ways.insert(0, before)
    most = free
    if before is not None and most_rows is not None and before[0] >= most_rows:
        most = min(free, of(*before).total - 1)
    for rows, checkpointing in ways:
        found = of(rows, checkpointing)
        if found.total <= most:
            return Fit(micro_batch=rows, accumulation=batch // rows, checkpointing=checkpointing, estimate=found)
    least = of(1, True)
    table = "\n".join(least.lines())
    kind = NoRoomError if least.total - least.adapter <= free else SettingsError
    raise kind(
        f"one row of {row_tokens} tokens takes {least.total / 2**30:.2f} GiB, and {free / 2**30:.2f} GiB are free on"
        f" the {recipe.device}; take a smaller base or lora.r, load: 4bit, or leave out long rows, of train by"
        f" data.max_tokens:\n{table}"
    )


def _is_enough(rows: int, most: int, row_tokens: int, device: Literal["cpu", "cuda"]) -> bool:
    """Return whether ``rows`` at once without checkpointing are better than up to ``most`` with it.

    A CPU wants 256 tokens for that, and as many rows as there are for answers to held-out ones.
    """
    if device == "cpu":
        return 2 * rows >= most
    return rows == most or (most * row_tokens > _BUSY_TOKENS and rows * row_tokens >= _FEWEST_TOKENS)
