"""The record that is saved with an adapter: run.json and train_log.jsonl."""

import importlib.metadata
import json
import math
import platform
import resource
import subprocess
import time
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import get_peft_model_state_dict

from pytest_llmeval.core.ids import file_digest
from pytest_llmeval.models.hf.loading import writing
from pytest_llmeval.models.hf.prompt_date import template_kwargs
from pytest_llmeval.training.plan import Plan, write_json
from pytest_llmeval.training.sft.material import Material
from pytest_llmeval.training.sft.ranks import Ranks
from pytest_llmeval.training.sft.watching import Clock, NotFiniteError
from pytest_llmeval.training.sft.weights import trained_weights
from pytest_llmeval.training.starting import Layout

__all__ = ["Measured", "adapter_weights", "save_adapter"]

_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "liger-kernel",
    "pytest-llmeval",
)

_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_TIMEOUT_S = 20.0
_COUNTED_ANEW = ("num_tokens", "eval_num_tokens")
"""Keys left out of the log, because trl counts them from 0 in each process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Measurements of a finished training."""

    steps: int
    best_step: int | None
    best: dict[str, float]
    """Held-out loss and task metric at the best step."""
    tokens: int
    """Number of tokens, without padding, in the steps since this process and those that train with it began."""
    step_seconds: float
    """Seconds spent in the steps of this process, without looks and checkpoints."""
    wall_seconds: float
    """Seconds since this process began, including reading and loading."""
    tokens_per_s: float | None
    peak_memory_bytes: int
    """Peak of the device's allocator, or on the CPU of the process, in bytes; of several processes the largest."""
    resumed_from: int
    """Step that this process resumed from; 0 if the training began in it."""
    log: list[dict[str, Any]]
    """All log entries, from the first step on."""

    @classmethod
    def of(
        cls, trainer: Any, clock: Clock, ranks: Ranks, *, metric: str, steps_before: int, began: float
    ) -> "Measured":
        """Return the measurements of a trainer that has ended; all processes must call this, and get the same.

        Args:
            trainer: that has ended.
            clock: of its steps.
            ranks: the processes that trained together.
            metric: of the task.
            steps_before: the step that this process resumed from.
            began: when this process began, by the monotonic clock.
        """
        state = trainer.state
        tokens = sum(ranks.each([int(trainer.tokens)]))
        is_cuda = trainer.args.device.type == "cuda"
        peak = (
            torch.cuda.max_memory_allocated() if is_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        )
        at_best: dict[str, float] = {}
        for entry in state.log_history:
            if entry.get("step") == state.best_global_step:
                at_best.update({name: entry[f"eval_{name}"] for name in ("loss", metric) if f"eval_{name}" in entry})
        return cls(
            steps=state.global_step,
            best_step=state.best_global_step,
            best=at_best,
            tokens=tokens,
            step_seconds=round(clock.seconds, 3),
            wall_seconds=round(time.monotonic() - began, 3),
            tokens_per_s=round(tokens / clock.seconds, 1) if clock.seconds else None,
            peak_memory_bytes=max(ranks.each([peak])),
            resumed_from=steps_before,
            log=[
                {key: _finite(value) for key, value in entry.items() if key not in _COUNTED_ANEW}
                for entry in state.log_history
            ],
        )


def _finite(value: Any) -> Any:
    """Return None for a number that JSON cannot express, such as the gradient of a step that float16 left out."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def adapter_weights(trainer: Any) -> dict[str, Any]:
    """Return the adapter's weights by name; all processes must call this, because each may hold a part."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    whole = trained_weights(trainer.model) if trainer.is_fsdp_enabled else None
    return dict(get_peft_model_state_dict(model, state_dict=whole, save_embedding_layers=False))


def save_adapter(
    folder: Path,
    trainer: Any,
    weights: Mapping[str, Any],
    plan: Plan,
    material: Material,
    measured: Measured,
    layout: Layout,
) -> None:
    """Write the adapter with 16-bit weights, and the files that record its origin.

    Raises:
        NotFiniteError: a weight is not finite.
        OSError: a file cannot be written.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise NotFiniteError("a weight of the adapter is not a number; nothing was saved")
    half = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    with writing():
        model.save_pretrained(folder, state_dict=half, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's card says nothing; ours follows the proof
    _put_in_order(folder / "adapter_config.json", str(material.source.base))
    with open(folder / "train_log.jsonl", "w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(entry, sort_keys=True)}\n" for entry in measured.log)
    settings = _changed(trainer.args)
    facts = _facts(plan, material, measured)
    facts["base"] |= _held(model.get_base_model())
    write_json(folder / "run.json", {**facts, **asdict(layout), "sft_arguments": settings})


def _facts(plan: Plan, material: Material, measured: Measured) -> dict[str, Any]:
    config = plan.config
    found = {key: value for key, value in asdict(measured).items() if key != "log"}
    return {
        "complete": True,
        "training": plan.id,
        "name": plan.name,
        **plan.git,
        "config": config.model_dump(mode="json"),
        "digests": dict(material.identity),
        "base": {
            "spec": config.base,
            "revision": material.source.base.name if material.source.hub_id else None,
            "weights": dict(material.base_weights),
        },
        "chat_template_sha256": material.identity["chat_template"],
        "tokenizer_sha256": _tokenizer_sha256(material.source.base),
        "date_string": template_kwargs()["date_string"],
        "prompt": material.task.prompt.source,
        "data": dict(material.data),
        "warnings": list(material.warnings),
        "estimated_memory_bytes": material.fit.estimate.total,
        "seed": config.seed,
        "versions": _versions(),
        "device": torch.cuda.get_device_name() if config.device == "cuda" else platform.machine(),
        "driver": _driver() if config.device == "cuda" else None,
        **found,
    }


def _held(base: Any) -> dict[str, Any]:
    """Return the dtype of the base's weights and, for 4-bit layers, their quantisation and dtypes of computation."""
    config = getattr(base.config, "quantization_config", None)
    computed = {str(each.compute_dtype) for each in base.modules() if isinstance(each, Linear4bit)}
    return {
        "dtype": str(base.dtype).removeprefix("torch."),
        "quantization": None if config is None else config.to_dict(),
        "computed_in": sorted(name.removeprefix("torch.") for name in computed),
    }


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version(), "cuda": torch.version.cuda}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _driver() -> str | None:
    """Return the version of the GPU's driver; None if nvidia-smi does not report it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(told.split()), None)


def _tokenizer_sha256(base: Path) -> str | None:
    """Return the digest of the file that a tokenizer is read from; None if there is none."""
    files = (base / name for name in _TOKENIZERS)
    return next((file_digest(file) for file in files if file.is_file()), None)


def _changed(arguments: Any) -> dict[str, Any]:
    """Return trl's arguments that differ from their defaults, without ``output_dir``, a path of this machine."""
    values = arguments.to_dict()
    defaults = {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(arguments)
        if each.init and each.name != "output_dir"
    }
    return {name: values[name] for name, default in defaults.items() if getattr(arguments, name) != default}


def _put_in_order(path: Path, base: str) -> None:
    """Sort the target modules, which peft writes in the order of a set, and name the base by its folder."""
    config = json.loads(path.read_text("utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = base
    write_json(path, config)
