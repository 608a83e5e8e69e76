"""The base in memory, loaded for training as it is loaded for the eval."""

from collections.abc import Sequence
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from torch.distributed.tensor import DTensor

from pytest_llmeval.core.errors import ModelError, SettingsError
from pytest_llmeval.models.hf.loading import chosen_device, chosen_dtype, load_model
from pytest_llmeval.models.hf.memory import is_out_of_memory
from pytest_llmeval.models.hf.sources import Source
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["load_base", "require_layers", "sums_in_bf16", "trained_weights"]


def sums_in_bf16(device: str) -> bool:
    """Return whether a training on ``cpu`` or ``cuda`` computes in bfloat16: whether the chip has units for it.

    Those of CPUs are AMX (Intel, since 2023) and AVX-512's for bfloat16 (AMD, since 2022; Intel, some since 2020). With
    AVX-512, products are twice as fast as in 32 bits (measured on an EPYC of 2022), with AMX faster still. Without
    either they are slower.
    """
    if device == "cpu":
        told = getattr(torch.cpu, "get_capabilities", None)  # missing in torch 2.6
        return told is not None and any(told().get(name) for name in ("amx_bf16", "avx512_bf16"))
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def load_base(config: TrainingConfig, source: Source) -> Any:
    """Load the base with its frozen weights, and return it.

    Raises:
        ModelError: the weights cannot be read.
        MemoryError: they do not fit, although the estimate found room: another process has taken it since.
    """
    weights = weights_of(config, str(source.base))
    device = _device(config, weights)
    try:
        model = load_model(weights, source, device, chosen_dtype(weights, device))
    except ModelError as error:
        if error.__context__ is not None and is_out_of_memory(error.__context__):
            raise MemoryError(f"while the base was loaded: {error.__context__}") from None
        raise
    for module in model.modules():
        if isinstance(module, Linear4bit):
            # Else the first look at a CPU with AVX-512 rounds the weights' scales for good, and a training that was
            # resumed from a checkpoint would see other scales than one that was never interrupted.
            module.support_avx512bf16_for_cpu = False
            if config.device == "cpu" and sums_in_bf16("cpu"):
                module.compute_dtype = torch.bfloat16
    return model


def trained_weights(model: torch.nn.Module) -> dict[str, Any]:
    """Return the trained weights by name, on the host; where processes hold parts of them, all must call this."""
    trained = {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}
    whole = ((name, each.full_tensor() if isinstance(each, DTensor) else each) for name, each in trained.items())
    return {name: each.to("cpu", copy=True) for name, each in whole}


def require_layers(model: torch.nn.Module, targets: Sequence[str]) -> None:
    """Raise if ``targets`` has names that no layer of ``model`` has, which peft would ignore.

    Raises:
        SettingsError: the base has other layers, for example one for query, key and value together.
    """
    layers = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    missing = [name for name in targets if not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    if missing:
        found = dict.fromkeys(layer.rpartition(".")[2] for layer in layers if not layer.endswith("lm_head"))
        raise SettingsError(f"lora.targets: the base has no layer {', '.join(missing)}; it has {', '.join(found)}")


def _device(config: TrainingConfig, weights: WeightsSpec) -> str:
    """Return the device that weights are loaded to: a GPU of each process, or the host, from which they are split."""
    if config.device == "cpu" or config.launch.engine == "fsdp":
        return "cpu"
    return f"cuda:{torch.cuda.current_device()}" if config.launch.processes > 1 else chosen_device(weights)
