"""The models of a training configuration: its keys, their types, ranges and defaults."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, model_validator

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import shown_yaml
from pytest_llmeval.loaders.thresholds_grammar import (
    Amount,
    Flag,
    Share,
    Strict,
    Text,
    Version,
    Whole,
    ranged,
)

__all__ = [
    "MATRICES",
    "CheckModel",
    "DataModel",
    "LaunchModel",
    "LoraModel",
    "Metric",
    "OptimModel",
    "ProofModel",
    "SearchModel",
    "SpanModel",
    "TrainingConfig",
    "WeightStorage",
]

WeightStorage = Literal["4bit", "bfloat16", "float32"]
"""How frozen weights are stored: in 4 bits (NF4 with double quantisation), or as numbers of the type named."""

Metric = Literal["json_exact", "json_match", "exact", "token_f1"]
"""Scores that a completion can be given during training, each named after the scorer that computes it."""

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Names of the matrices in a Llama layer that an adapter can be attached to."""

_Below1 = Annotated[float, ranged(lambda number: 0 <= number < 1, "from 0 to below 1")]
_Above0 = Annotated[float, ranged(lambda number: number > 0, "above 0")]


def _from_0(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"found {shown_yaml(value)}; write a whole number from 0 up")
    return value


def _of_no_spec(value: str) -> str:
    if re.match("[a-z]+:", value) and value != "local:smollm2":
        raise ValueError(f"found {shown_yaml(value)}; write local:smollm2, a folder or OWNER/NAME of the hub")
    return value


def _bits(value: object) -> object:
    if value not in (None, "4bit"):
        raise ValueError(f"found {shown_yaml(value)}; write '4bit', or leave it out for dtype: bfloat16 or float32")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"found {shown_yaml(value)}; write a list of names")
    if "lm_head" in value:
        raise ValueError("found lm_head, which no server takes; leave it out")
    return tuple(value)


def _number(value: object) -> object:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"found {shown_yaml(value)}; write a number")
    return value


def _choices(value: object) -> tuple[object, ...] | None:
    if value is None:
        return None
    if (
        not isinstance(value, list | tuple)
        or len(value) < 2
        or not all(isinstance(each, str | int | float) for each in value)
    ):
        raise ValueError(f"found {shown_yaml(value)}; write a list of two or more numbers or words")
    return tuple(value)


class _Frozen(Strict):
    model_config = ConfigDict(frozen=True)  # in addition to the settings of Strict


class DataModel(_Frozen):
    """Which rows are trained on, and which are held out."""

    train: Text
    """Dataset with the training rows; as ``val`` and ``test``, a path relative to the rootdir."""
    val: Text
    test: Text
    slice: Text | None = None
    """Slice that rows of ``train``, and of ``val`` at looks, must belong to; None for all rows."""
    limit: Whole | None = None
    """Largest number of rows taken from ``train``, the first ones after ``slice`` is applied; None for all."""
    variants: Annotated[int, BeforeValidator(_from_0)] = 0
    """Number of variants made of each row of ``train``: the same task with other values in another arrangement."""
    completion: Literal["json", "text"]
    """What is learned of a target: its JSON, or its text (of an object the ``answer``, of a list the first element)."""
    max_tokens: Whole = 1024
    """Largest number of tokens in prompt and completion together."""
    on_long: Literal["error", "drop"] = "error"
    """What happens to a row with more than ``max_tokens``; dropped rows are counted and named in the record."""


class LoraModel(_Frozen):
    """The adapter's rank, scaling, dropout and target matrices."""

    r: Whole = 16
    alpha: Whole = 32
    dropout: _Below1 = 0.0
    """Probability that an input of the adapter is zeroed in a step; on a CPU it is rounded to 256ths."""
    targets: Annotated[tuple[str, ...], BeforeValidator(_names)] = MATRICES


class OptimModel(_Frozen):
    """The optimizer: learning rate, batch, number of steps, and how adapters are averaged."""

    learning_rate: _Above0 = 2e-4
    batch: Whole = 16
    """Rows of one optimizer step, however many of them fit into memory at once."""
    train_epochs: _Above0 = 3.0
    max_steps: Whole | None = None
    """Number of steps, in place of ``train_epochs``; None where ``train_epochs`` decides."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: _Below1 = 0.03
    """Share of the steps during which the learning rate rises, under every schedule."""
    weight_decay: Amount = 0.0
    max_grad_norm: _Above0 = 0.3
    average: Flag = False
    """Whether the adapter is the mean of its weights over the steps, later steps counting more."""
    soup: Whole = 1
    """Number of trainings, each with its own seed; the adapter is the mean of theirs, with the sum of their ranks."""


class LaunchModel(_Frozen):
    """How many processes train together, each on its share of the rows of a step."""

    processes: Whole = 1
    """Number of processes; on cuda each has a GPU of its own."""
    engine: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    """``ddp``: each process holds the whole base; ``fsdp``: the base is split over all; ``deepspeed``: ZeRO stage 2."""


class CheckModel(_Frozen):
    """The looks at held-out rows during training: how often, at how many rows, by which metric."""

    every: Whole = 25
    """Number of steps between two looks; a checkpoint is saved at each look."""
    rows: Whole = 30
    """Number of rows of ``val`` that the model answers at a look; the loss is computed over all rows of ``val``."""
    metric: Metric
    """Metric that chooses the best checkpoint, and that ends the training once it stops improving."""
    patience: Whole = 3
    """Number of consecutive looks without an improvement after which training ends."""


class ProofModel(_Frozen):
    """What the adapter must gain over its base in the eval, on ``val`` and on ``test``."""

    metric: Text
    """Name of a score of the eval."""
    margin: Share
    """Gain that must be exceeded: the lower 95 % confidence bound of the gain, paired by row, must lie above it."""
    slice: Text | None = None
    limit: Whole | None = None
    also: Annotated[tuple[str, ...], BeforeValidator(_names)] | None = None
    """Further scores; the proof fails if one of them is worse than the base's, or may be."""


class SpanModel(_Frozen):
    """Values that a search tries for one key: numbers from ``low`` to ``high``, both included, or ``choices``."""

    low: Annotated[int | float | None, BeforeValidator(_number)] = None
    high: Annotated[int | float | None, BeforeValidator(_number)] = None
    log: Flag = False
    """Whether numbers are drawn on a logarithmic scale, so that small ones are tried as often as large ones."""
    choices: Annotated[tuple[Any, ...] | None, BeforeValidator(_choices)] = None


class SearchModel(_Frozen):
    """A search over values of other keys: the trial with the best ``check.metric`` on ``val`` goes into the proof."""

    trials: Whole
    """Number of trials; each is a training of its own, without a proof."""
    space: dict[str, SpanModel]
    """The values to try, by key of ``optim`` or ``lora``, such as ``optim.learning_rate``."""
    prune_after: Whole | None = None
    """Number of trials that must finish before any is pruned. From then on a trial is given up at a look where its best
    value so far is below the median of the other trials' values at that step. None: no trial is pruned."""


class NeedsModel(_Frozen):
    """What the machine must have; otherwise the configuration is skipped."""

    gpu_gib: Amount = 0.0
    """Memory that one CUDA GPU must have, in GiB; 0 for no minimum."""
    ram_gib: Amount = 0.0
    """Memory of the host that must be free, in GiB."""


class TrainingConfig(_Frozen):
    """A whole training configuration: one file of ``finetune/configs``."""

    version: Version
    eval: Text
    """Node id of the eval whose prompt is trained on, and which measures base and adapter."""
    base: Annotated[Text, AfterValidator(_of_no_spec)]
    """``local:smollm2``, a folder with safetensors, or an id of the Hugging Face hub, optionally with ``@REVISION``."""
    load: Annotated[Literal["4bit"] | None, BeforeValidator(_bits)] = None
    """``4bit``: frozen weights in NF4 with double quantisation; the default unless ``dtype`` is given."""
    dtype: Literal["bfloat16", "float32"] | None = None
    """Type of unquantised frozen weights, and of the arithmetic; an option of ``hf:`` specs too, as is ``load``."""
    device: Literal["cpu", "cuda"]
    seed: Annotated[int, BeforeValidator(_from_0)] = 0
    kernels: Flag = True
    """Whether layers are computed in one piece with their adapters, and on cuda by Liger's kernels if installed."""
    data: DataModel
    lora: LoraModel = LoraModel()
    optim: OptimModel = OptimModel()
    launch: LaunchModel = LaunchModel()
    check: CheckModel
    proof: ProofModel
    needs: NeedsModel = NeedsModel()
    search: SearchModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_4bit(cls, data: object) -> object:
        if isinstance(data, Mapping) and data.get("load") is None and data.get("dtype") is None:
            return {**data, "load": "4bit"}  # so that the record states it, written or not
        return data

    @property
    def held(self) -> WeightStorage:
        """How the frozen weights are stored."""
        return self.dtype or "4bit"

    @property
    def digest(self) -> str:
        """The sha256 in hex of everything that decides the adapter, independent of the order and layout of the file.

        ``proof`` and ``needs`` are left out, because they may change before a training is resumed. So are keys at their
        default, so that a newer version with more keys can resume a training that an older one began.
        """
        deciding = self.model_dump(mode="json", exclude={"proof", "needs"}, exclude_defaults=True)
        return digest(canonical(deciding))

    def member(self, number: int) -> "TrainingConfig":
        """Return the configuration of one training of a soup: number 0 keeps the seed, later ones add their number."""
        alone = self.optim.model_copy(update={"soup": 1})
        return self.model_copy(update={"seed": (self.seed + number) % 2**32, "optim": alone})

    def chosen(self, values: Mapping[str, Any]) -> "TrainingConfig":
        """Return the configuration of one trial: no search, and ``values`` set by key, such as ``lora.r``.

        Raises:
            ValidationError: from pydantic, for a value that its key does not accept.
        """
        data = self.model_dump()
        data["search"] = None
        for key, value in values.items():
            part, _, name = key.partition(".")
            data[part][name] = value
        return TrainingConfig.model_validate(data)
