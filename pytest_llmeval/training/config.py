"""One training configuration, read strictly: every mistake is named with file, line and key, all of them at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.gate.names import did_you_mean, show_key
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.loaders.strict_yaml import KeyPath, StrictDocument, load_strict
from pytest_llmeval.loaders.thresholds_grammar import Flag, Text, Whole, ranged, show_value

__all__ = [
    "CheckModel",
    "DataModel",
    "LaunchModel",
    "LoraModel",
    "Metric",
    "OptimModel",
    "ProofModel",
    "TrainingConfig",
    "configurations",
    "load_config",
]

Metric = Literal["json_exact", "json_match", "exact", "token_f1"]
"""Scores that a completion can be given while training, by the scorers of these names."""

_Share = Annotated[float, ranged(lambda number: 0 <= number <= 1, "in 0..1")]
_Above0 = Annotated[float, ranged(lambda number: number > 0, "above 0")]
_From0 = Annotated[float, ranged(lambda number: number >= 0, "from 0 up")]


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"found {show_value(value)}; write a whole number from 0 up")
    return value


def _version(value: object) -> int:
    if isinstance(value, bool) or value != 1:
        raise ValueError(f"found {show_value(value)}; write 1, the version that is read here")
    return 1


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"found {show_value(value)}; write a list of names")
    if "lm_head" in value:
        raise ValueError("found lm_head, which no server takes; leave it out")
    return tuple(value)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DataModel(_Strict):
    """Which rows are trained on, and which are held out."""

    train: Text
    """A dataset below the rootdir, as are the next two."""
    val: Text
    test: Text
    slice: Text | None = None
    """Rows of this slice only."""
    limit: Whole | None = None
    """The first so many rows of ``train``, after ``slice``; None for all."""
    completion: Literal["json", "text"]
    """What the target becomes: its JSON, or the text (of an object its ``answer``, of a list the first)."""
    max_tokens: Whole = 1024
    """Of prompt and completion together."""
    on_long: Literal["error", "drop"] = "error"
    """What is done about rows with more; dropped ones are counted and named in the record."""


class LoraModel(_Strict):
    """The adapter."""

    r: Whole = 16
    alpha: Whole = 32
    dropout: _Share = 0.0
    targets: Annotated[tuple[str, ...], BeforeValidator(_names)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


class OptimModel(_Strict):
    """How long and how fast."""

    learning_rate: _Above0 = 2e-4
    batch: Whole = 16
    """Rows of one step, however many are in memory at once."""
    train_epochs: _Above0 = 3.0
    max_steps: Whole | None = None
    """So many steps, however many epochs that makes; None where ``train_epochs`` decides."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: _Share = 0.03
    """Share of the steps in which the rate rises."""
    weight_decay: _From0 = 0.0
    max_grad_norm: _Above0 = 0.3


class LaunchModel(_Strict):
    """How many processes train together, each with its share of a step's rows."""

    processes: Whole = 1
    """On cuda each has a GPU of its own."""
    engine: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    """``ddp``: each holds the whole base; ``fsdp``: the base is split over all; ``deepspeed``: ZeRO, stage 2."""


class CheckModel(_Strict):
    """What is looked at while training."""

    every: Whole = 25
    """Steps between two looks, each with a checkpoint."""
    rows: Whole = 30
    """Rows of ``val`` that are answered; the loss is over all of them."""
    metric: Metric
    """By it the best checkpoint is chosen, and the end where it grows no more."""
    patience: Whole = 3
    """Looks without a better metric after which training ends."""


class ProofModel(_Strict):
    """What the adapter must gain over its base, on ``val`` and ``test``, by the eval."""

    metric: Text
    """A score of the eval."""
    margin: _Share
    """By so much the adapter is surely better: the lower 95 % bound of the gain, paired by row, lies above."""
    slice: Text | None = None
    limit: Whole | None = None
    also: Annotated[tuple[str, ...], BeforeValidator(_names)] | None = None
    """Further scores that must not be worse than the base's by chance."""


class NeedsModel(_Strict):
    """What the machine must have; else the configuration is skipped."""

    gpu_gib: _From0 = 0.0
    """Memory of one CUDA GPU in GiB; with 0 none is needed."""
    ram_gib: _From0 = 0.0
    """Memory that is free, in GiB."""


class TrainingConfig(_Strict):
    """One file of ``finetune/configs``."""

    version: Annotated[int, BeforeValidator(_version)]
    eval: Text
    """Node id of the eval whose prompt is trained with, and that base and adapter are measured by."""
    base: Text
    """``local:smollm2``, a folder with safetensors, or an id of the hub (with ``@REVISION`` where one is meant)."""
    load: Literal["4bit", "bf16", "fp32"] = "4bit"
    """How the frozen weights are held; 4bit is NF4 with double quantisation."""
    device: Literal["cpu", "cuda"]
    seed: Annotated[int, BeforeValidator(_seed)] = 0
    kernels: Flag = True
    """Whether Liger's layer kernels are used where they are installed and the device is cuda."""
    data: DataModel
    lora: LoraModel = LoraModel()
    optim: OptimModel = OptimModel()
    launch: LaunchModel = LaunchModel()
    check: CheckModel
    proof: ProofModel
    needs: NeedsModel = NeedsModel()

    @property
    def digest(self) -> str:
        """sha256 in hex over all of it, whatever the order and layout of the file."""
        return digest(canonical(self.model_dump(mode="json")))


def configurations(folder: Path) -> list[Path]:
    """Return the configuration files of a folder, sorted by name."""
    return sorted(path for path in folder.glob("*.yaml") if path.is_file())


def load_config(path: Path, *, shown_as: str) -> TrainingConfig:
    """Return the configuration of a file.

    Raises:
        SettingsError: with a line ``FILE:LINE: KEY: what is wrong, what to do`` for each mistake.
    """
    document = load_strict(path, error=SettingsError, shown_as=shown_as)
    try:
        config = TrainingConfig.model_validate(document.data)
        wrong = list(_at_odds(config))
    except ValidationError as error:
        wrong = [(each["loc"], _told(each, each["loc"])) for each in error.errors(include_url=False)]
    if wrong:
        raise SettingsError("\n".join(_messages(wrong, document)))
    return config


def _at_odds(config: TrainingConfig) -> Iterator[tuple[KeyPath, str]]:
    """Yield each key that does not go with others, and what to write."""
    launch, batch = config.launch, config.optim.batch
    if batch % launch.processes:
        fitting = ", ".join(str(count) for count in range(1, batch + 1) if batch % count == 0)
        yield ("launch", "processes"), f"found {launch.processes}, and optim.batch is {batch}; write one of {fitting}"
    if launch.engine != "ddp" and config.device == "cpu":
        yield ("launch", "engine"), f"found '{launch.engine}', which needs GPUs; write 'ddp' for device: cpu"
    elif launch.engine == "fsdp" and config.load == "4bit":
        yield ("launch", "engine"), "found 'fsdp', which does not split 4-bit weights; write load: bf16, or 'ddp'"


def _messages(wrong: list[tuple[KeyPath, str]], document: StrictDocument) -> Iterator[str]:
    found = [(_line(path, document), f"{'.'.join(map(show_key, path)) or 'the file'}: {told}") for path, told in wrong]
    for line, told in sorted(found, key=lambda each: each[0]):
        yield f"{document.shown_as}:{line}: {told}"


def _line(path: KeyPath, document: StrictDocument) -> int:
    """Return the line of ``path`` or of the nearest key around it."""
    tried = (document.line_of(path[:length]) for length in range(len(path), -1, -1))
    return next((line for line in tried if line is not None), 1)


def _told(error: ErrorDetails, path: KeyPath) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is missing; write it"
    if error["type"] == "extra_forbidden":
        known = _known(path[:-1])
        return f"unknown key; {did_you_mean(str(path[-1]), known)}"
    if error["type"] == "literal_error":
        return f"found {show_value(error['input'])}; write {error['ctx']['expected']}"
    return f"found {show_value(error['input'])}; write a mapping of {', '.join(_known(path)) or 'its keys'}"


def _known(path: KeyPath) -> list[str]:
    """Return the keys that may stand under ``path``."""
    model: Any = TrainingConfig
    for part in path:
        model = model.model_fields[part].annotation
    return list(getattr(model, "model_fields", ()))
