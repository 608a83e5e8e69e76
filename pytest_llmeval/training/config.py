"""What a training configuration may say."""

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
    "Held",
    "LaunchModel",
    "LoraModel",
    "Metric",
    "OptimModel",
    "ProofModel",
    "SearchModel",
    "SpanModel",
    "TrainingConfig",
]

Held = Literal["4bit", "bfloat16", "float32"]
"""How frozen weights are held: NF4 with double quantisation, or numbers."""

Metric = Literal["json_exact", "json_match", "exact", "token_f1"]
"""Scores that a completion can be given while training, by the scorers of these names."""

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Of a layer of a Llama, that an adapter can sit on."""

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
    model_config = ConfigDict(frozen=True)  # beside what Strict says


class DataModel(_Frozen):
    """Which rows are trained on, and which are held out."""

    train: Text
    """A dataset below the rootdir, as are the next two."""
    val: Text
    test: Text
    slice: Text | None = None
    """Rows of this slice only."""
    limit: Whole | None = None
    """The first so many rows of ``train``, after ``slice``; None for all."""
    variants: Annotated[int, BeforeValidator(_from_0)] = 0
    """So many more of each row of ``train``, with other values in another arrangement."""
    completion: Literal["json", "text"]
    """What the target becomes: its JSON, or the text (of an object its ``answer``, of a list the first)."""
    max_tokens: Whole = 1024
    """Of prompt and completion together."""
    on_long: Literal["error", "drop"] = "error"
    """What is done about rows with more; dropped ones are counted and named in the record."""


class LoraModel(_Frozen):
    """The adapter."""

    r: Whole = 16
    alpha: Whole = 32
    dropout: _Below1 = 0.0
    """Share of an adapter's inputs that a step leaves out; on a CPU rounded to 256ths."""
    targets: Annotated[tuple[str, ...], BeforeValidator(_names)] = MATRICES


class OptimModel(_Frozen):
    """How long and how fast."""

    learning_rate: _Above0 = 2e-4
    batch: Whole = 16
    """Rows of one step, however many are in memory at once."""
    train_epochs: _Above0 = 3.0
    max_steps: Whole | None = None
    """So many steps, however many epochs that makes; None where ``train_epochs`` decides."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: _Below1 = 0.03
    """Share of the steps in which the rate rises, by every schedule."""
    weight_decay: Amount = 0.0
    max_grad_norm: _Above0 = 0.3
    average: Flag = False
    """Whether the adapter is the mean over the steps, later ones counting more, rather than that of the newest."""
    soup: Whole = 1
    """So many trainings, each by a seed of its own; the adapter is the mean of theirs, with the sum of their ranks."""


class LaunchModel(_Frozen):
    """How many processes train together, each with its share of a step's rows."""

    processes: Whole = 1
    """On cuda each has a GPU of its own."""
    engine: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    """``ddp``: each holds the whole base; ``fsdp``: the base is split over all; ``deepspeed``: ZeRO, stage 2."""


class CheckModel(_Frozen):
    """What is looked at while training."""

    every: Whole = 25
    """Steps between two looks, each with a checkpoint."""
    rows: Whole = 30
    """Rows of ``val`` that are answered; the loss is over all of them."""
    metric: Metric
    """By it the best checkpoint is chosen, and the end where it grows no more."""
    patience: Whole = 3
    """Looks without a better metric after which training ends."""


class ProofModel(_Frozen):
    """What the adapter must gain over its base, on ``val`` and ``test``, by the eval."""

    metric: Text
    """A score of the eval."""
    margin: Share
    """By so much the adapter is surely better: the lower 95 % bound of the gain, paired by row, lies above."""
    slice: Text | None = None
    limit: Whole | None = None
    also: Annotated[tuple[str, ...], BeforeValidator(_names)] | None = None
    """Further scores that must not be worse than the base's by chance."""


class SpanModel(_Frozen):
    """What one key is tried with: numbers from ``low`` to ``high``, both included, or ``choices``."""

    low: Annotated[int | float | None, BeforeValidator(_number)] = None
    high: Annotated[int | float | None, BeforeValidator(_number)] = None
    log: Flag = False
    """Whether small numbers are tried as often as large ones."""
    choices: Annotated[tuple[Any, ...] | None, BeforeValidator(_choices)] = None


class SearchModel(_Frozen):
    """Trials of other values: the one that ``check.metric`` of ``val`` likes best is proved."""

    trials: Whole
    """How many, each a training of its own without a proof."""
    space: dict[str, SpanModel]
    """By key of ``optim`` or ``lora``, as ``optim.learning_rate``."""
    prune_after: Whole | None = None
    """So many trials come to their end first; from then on one is given up at a look at which the best that it has
    seen is below the median of the others' at that step. None: no trial is given up."""


class NeedsModel(_Frozen):
    """What the machine must have; else the configuration is skipped."""

    gpu_gib: Amount = 0.0
    """Memory of one CUDA GPU in GiB; with 0 none is needed."""
    ram_gib: Amount = 0.0
    """Memory that is free, in GiB."""


class TrainingConfig(_Frozen):
    """One file of ``finetune/configs``."""

    version: Version
    eval: Text
    """Node id of the eval whose prompt is trained with, and that base and adapter are measured by."""
    base: Annotated[Text, AfterValidator(_of_no_spec)]
    """``local:smollm2``, a folder with safetensors, or an id of the hub (with ``@REVISION`` where one is meant)."""
    load: Annotated[Literal["4bit"] | None, BeforeValidator(_bits)] = None
    """``4bit`` for frozen weights in NF4 with double quantisation, which they are where ``dtype`` is not written."""
    dtype: Literal["bfloat16", "float32"] | None = None
    """Of frozen weights that are not quantised, and of the sums; load and dtype are the options of ``hf:`` specs."""
    device: Literal["cpu", "cuda"]
    seed: Annotated[int, BeforeValidator(_from_0)] = 0
    kernels: Flag = True
    """Whether layers are computed in one piece with their adapters, and by Liger's kernels on cuda where installed."""
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
            return {**data, "load": "4bit"}  # which a record says so, written or not
        return data

    @property
    def held(self) -> Held:
        """How the frozen weights are held."""
        return self.dtype or "4bit"

    @property
    def digest(self) -> str:
        """sha256 in hex over all that decides the adapter, whatever the order and layout of the file.

        What it must gain and what the machine must have may change before a training goes on. A default counts as if
        it were not written, so that a newer version with more keys goes on with what an older one began.
        """
        deciding = self.model_dump(mode="json", exclude={"proof", "needs"}, exclude_defaults=True)
        return digest(canonical(deciding))

    def member(self, number: int) -> "TrainingConfig":
        """Return the configuration of one training of a soup, from 0: the first has the seed of all."""
        alone = self.optim.model_copy(update={"soup": 1})
        return self.model_copy(update={"seed": (self.seed + number) % 2**32, "optim": alone})

    def chosen(self, values: Mapping[str, Any]) -> "TrainingConfig":
        """Return the configuration of one trial: without a search, and with ``values`` by key, as ``lora.r``.

        Raises:
            ValidationError: of pydantic, for a value that its key cannot have.
        """
        data = self.model_dump()
        data["search"] = None
        for key, value in values.items():
            part, _, name = key.partition(".")
            data[part][name] = value
        return TrainingConfig.model_validate(data)
