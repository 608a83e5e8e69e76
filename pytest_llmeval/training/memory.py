"""An estimate of the memory that a training takes, from the base's config.json alone, before anything is loaded.

The terms are those of QLoRA with a fused loss that never builds the logits: frozen weights; the adapter with gradients
and optimizer state; the activations kept for each token; one layer's working set; and what the device itself takes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config import WeightStorage

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
"""Share of the free memory that a training may be planned to use, because estimates are not measurements."""

_NF4_BYTES = 0.5 + 1 / 64 + 4 / 64 / 256
"""Bytes of a weight in NF4: 4 bits, an 8-bit scale for each 64 weights, and a 32-bit scale for each 256 of those
(QLoRA, section 3)."""
_DENSE_BYTES = {"4bit": 2, "bfloat16": 2, "float32": 4}
"""Bytes of a weight that is not quantised, such as those of embeddings and norms."""
_ADAPTER_BYTES = {"ddp": 4 + 4 + 2, "fsdp": 4 + 4 + 8, "deepspeed": 4 + 4 + 8}
"""Bytes of an adapter's weight: fp32 value and gradient, and two optimizer states of 8 bits, or of 32 bits with engines
whose optimizer has no 8-bit states."""
_BUCKET_BYTES = 4
"""Further bytes of an adapter's weight if several processes train with ``ddp``: the buffer in which its gradients are
summed over processes."""
_MEAN_BYTES = 4 + 4
"""Further bytes of an adapter's weight if its mean is kept: the mean, and the newest value during a look."""
_TILE_TOKENS, _TILE_COLUMN_BYTES = 4096, 32768 * 2
"""Largest tile of the fused loss: 4,096 tokens by 32,768 columns of 16 bits (trl 1.15 on)."""
HEAD_BLOCK_BYTES = 24_000_000
"""Size of a block of fp32 logits of the loss on the CPU (see answer_head), chosen to fit into the last-level cache."""
_HEAD_BLOCKS = 4
"""Number of blocks of that size in memory at once: logits, their log-softmax, and casts of them."""
DEVICE_BYTES = {"cuda": 500_000_000, "cpu": 900_000_000}
"""Bytes of a CUDA context; on the CPU, of the interpreter with torch, transformers and trl."""
_LIVE_HIDDEN, _LIVE_INNER = 12, 3
"""Values that a layer keeps of each token without checkpointing, in multiples of the hidden and of the inner size. They
reproduce the peaks measured with Llama 3.2 3B on an H100 (28.2 GiB at 8,192 tokens, 55.6 GiB at 16,384)."""
_WORKING = {"cuda": (8, 4), "cpu": (10, 6)}
"""The same for the layer that is being computed, with its gradients. On cuda they reproduce the peaks measured with
Liger's kernels (4.5 GiB at 16 x 512 tokens, 5.3 at 8 x 1,024, 8.2 at 8 x 2,048); with adapters that are not fused it
takes more."""
_INNER_BY_TORCH = 1
"""Further multiples of the inner size without Liger, whose SwiGLU does not keep the product of gate and activation. TRL
was measured to take 0.2, 0.2 and 0.5 GiB more without Liger, which is two; a fused layer saves at least one of them."""
_SHORT_ROW, _LONG_ROW_HEADS = 512, 16
"""On cuda, rows with more than 512 tokens take 16 more values of the heads' size for each token of the working set: by
the peaks above, 0.8 GiB for the same 8,192 tokens."""
_BUSY_TOKENS, _FEWEST_TOKENS = 8192, 4096
"""Numbers of tokens that a GPU should process at once. A step of at most 8,192 stays one micro-batch, because each
micro-batch costs the host its time however small it is (below 8,192 an H100 waits for the host). Of a longer step, at
least 4,096 without checkpointing are better than more with it, which computes a third more: an H100 makes 17,400
tokens/s of 8,192 without it and 14,800 of 16,384 with it, and a card that has room for no more than 4,096 without it is
a slower one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a model that determine its memory."""

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

        Args:
            config: its content.
            shown: name of the base in messages.

        Raises:
            SettingsError: a size is missing.
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
        """Number of weights in the matrices of all layers."""
        return sum(rows * columns for rows, columns in self.matrices().values()) * self.layers

    @property
    def dense(self) -> int:
        """Number of weights that are never quantised: embedding, head unless it is tied, and norms."""
        return self.vocab * self.hidden * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Return the sizes (out, in) of one layer's matrices, by name."""
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
        """Return the number of weights in an adapter of rank ``r`` on the matrices named."""
        return self.layers * sum(r * sum(size) for size in self.named(targets))

    def named(self, targets: tuple[str, ...]) -> list[tuple[int, int]]:
        """Return the sizes of the matrices named, by their own name or a longer one, such as ``self_attn.q_proj``."""
        known = self.matrices()
        return [known[last] for name in targets if (last := name.rpartition(".")[2]) in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate of memory in bytes, by what takes it."""

    weights: int
    adapter: int
    """The adapter's weights with gradients and optimizer state."""
    activations: int
    working: int
    """Working set of one layer, and the loss."""
    device: int

    @property
    def total(self) -> int:
        """Sum of all parts, in bytes."""
        return self.weights + self.adapter + self.activations + self.working + self.device

    def lines(self) -> list[str]:
        """Return the estimate as a table in GiB."""
        parts = ("weights", "adapter", "activations", "working", "device", "total")
        return [f"  {part:12} {getattr(self, part) / 2**30:6.2f} GiB" for part in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a training uses the available memory."""

    micro_batch: int
    """Number of rows in memory at once; a divisor of the number of rows in a step."""
    accumulation: int
    checkpointing: bool
    """Whether activations are recomputed rather than kept."""
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The parts of a configuration that determine the memory of a training."""

    held: WeightStorage
    """How the base's weights are stored."""
    r: int
    """Rank of the adapter."""
    targets: tuple[str, ...]
    """Names of the matrices that the adapter is attached to."""
    device: Literal["cpu", "cuda"]
    """Device of the training; activations take 4 bytes each on the CPU, and everywhere if the weights are in fp32."""
    dropout: float = 0.0
    """Dropout of the adapter's inputs; if above 0, each input takes a byte more, which marks whether it was zeroed."""
    averaged: bool = False
    """Whether the mean of the adapter over its steps is kept."""
    liger: bool = True
    """Whether Liger's kernels compute the layers; it matters on cuda only."""
    processes: int = 1
    """Number of processes that train together."""
    engine: Engine = "ddp"
    """Engine that several processes train with."""


def estimate(shape: Shape, recipe: Recipe, *, rows: int, row_tokens: int, checkpointing: bool) -> Estimate:
    """Return the memory that training takes with a given micro-batch.

    Args:
        shape: of the base.
        recipe: how it is trained.
        rows: number of rows in the micro-batch.
        row_tokens: number of tokens in its longest row, to which the others are padded.
        checkpointing: whether activations are recomputed.
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


def _weights(shape: Shape, held: WeightStorage, device: Literal["cpu", "cuda"], parts: int) -> int:
    """Return the bytes of the frozen weights; if split over ``parts`` processes, the largest amount that one holds.

    Besides its own part, a process holds two whole layers, because the next one is fetched during computation, and all
    weights outside of layers, because accelerate makes FSDP keep embedding, head and last norm.
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
    """Return the bytes of the layer that is computed and of the loss: on cuda the larger, because they alternate."""
    tokens = rows * row_tokens
    hidden, inner = _WORKING[device]
    if device == "cuda" and not liger:
        inner += _INNER_BY_TORCH
    layer = (hidden * shape.hidden + inner * shape.inner) * value + marks
    if device == "cuda" and row_tokens > _SHORT_ROW:
        layer += _LONG_ROW_HEADS * shape.heads * shape.head_dim * value
    worked_on = layer * tokens + max(math.prod(size) for size in shape.matrices().values()) * value
    if device == "cpu":
        return worked_on + _HEAD_BLOCKS * HEAD_BLOCK_BYTES + 2 * shape.vocab * shape.hidden  # head in 16 bits
    head = min(tokens, _TILE_TOKENS) * _TILE_COLUMN_BYTES + (2 * value + 4) * shape.hidden * tokens
    return max(worked_on, head)


def answered_at_once(shape: Shape, fitted: Fit, *, free: int, rows: int, tokens: int) -> int:
    """Return how many rows a GPU answers at once at a look: all that fit, as a token takes as long for many as for one.

    Between steps the memory of activations and gradients is free. An answer keeps the keys and values of each token,
    twice while they grow, and works on one layer, estimated as if with gradients.

    Args:
        shape: of the base.
        fitted: how the base is trained.
        free: available memory in bytes.
        rows: number of rows to answer.
        tokens: number of tokens in the longest prompt and its answer.
    """
    kept = 2 * 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim
    hidden, inner = _WORKING["cuda"]
    layer = (hidden * shape.hidden + inner * shape.inner) * 2
    stays = fitted.estimate.weights + fitted.estimate.adapter + fitted.estimate.device
    return max(fitted.micro_batch, min(rows, (free - stays) // ((kept + layer) * tokens)))


def require_host(shape: Shape, *, held: WeightStorage, processes: int, free: int) -> None:
    """Raise if the host's memory cannot hold the whole base once for each process, which reads it before it is split.

    Args:
        shape: of the base.
        held: how its weights are stored.
        processes: number of processes that read it.
        free: free memory of the host in bytes.

    Raises:
        SettingsError: it cannot, with the memory that it would take.
    """
    each = (shape.linear + shape.dense) * _DENSE_BYTES[held]
    if processes * each > free:
        raise SettingsError(
            f"base: each of {processes} processes reads it into the host's memory before it is split,"
            f" {each / 2**30:.2f} GiB, and {free / 2**30:.2f} GiB are free;"
            " take a smaller base, fewer launch.processes, or dtype: bfloat16"
        )


class NoRoomError(SettingsError):
    """Raised if not even one row fits with this adapter, but would without one, so that a smaller adapter may fit."""


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
    """Return the largest micro-batch that fits, first without checkpointing if enough of the step fits that way.

    Args:
        shape: of the base.
        recipe: how it is trained.
        free: available memory in bytes.
        batch: number of rows of a step in one process.
        row_tokens: number of tokens in the longest row.
        most_rows: largest number of rows in a micro-batch; None for no limit. If ``before`` has as many or more, it ran
            out of memory, so the choice takes less than its estimate.
        before: micro-batch and checkpointing that the training began with, used again if they fit, because others would
            round its sums in another way; None for a new training.

    Raises:
        SettingsError: not even one row fits, with what it would take.
        NoRoomError: the same, if the adapter is what takes too much.
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

    On a CPU half of ``most`` is enough: steps need only 256 tokens at once to be efficient, but answers to held-out
    rows gain from each further row.
    """
    if device == "cpu":
        return 2 * rows >= most
    return rows == most or (most * row_tokens > _BUSY_TOKENS and rows * row_tokens >= _FEWEST_TOKENS)
