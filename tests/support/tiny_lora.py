"""LoRA adapters of random numbers, written without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SMOLLM2_SHAPES", "configure", "write_lora"]

SMOLLM2_SHAPES = {
    "self_attn.q_proj": (576, 576),
    "self_attn.k_proj": (192, 576),
    "self_attn.v_proj": (192, 576),
    "mlp.down_proj": (576, 1536),
}
"""Of matrices of SmolLM2-135M: rows and columns."""


def write_lora(
    folder: Path,
    shapes: Mapping[str, tuple[int, int]],
    *,
    rank: int,
    layers: int = 1,
    seed: int = 0,
    strength: float = 1.0,
    **changes: Any,
) -> dict[str, Any]:
    """Write an adapter for the matrices of some layers, and return the products b·a of the first layer.

    Args:
        folder: made where it is missing.
        shapes: rows and columns by module.
        rank: of all.
        layers: how many have it.
        seed: of the numbers.
        strength: standard deviation of b; 0 for an adapter that changes nothing.
        changes: of its configuration.
    """
    import numpy as np
    from safetensors.numpy import save_file

    random = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    products: dict[str, Any] = {}
    for layer in range(layers):
        for name, (rows, columns) in shapes.items():
            a = (random.standard_normal((rank, columns)) / columns**0.5).astype(np.float32)
            b = (random.standard_normal((rows, rank)) * strength).astype(np.float32)
            prefix = f"base_model.model.model.layers.{layer}.{name}"
            tensors |= {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}
            products.setdefault(name, b @ a)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": sorted({name.rpartition(".")[2] for name in shapes}),
        "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct",
    }
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}), "utf-8")
    return products


def configure(folder: Path, **changes: Any) -> None:
    """Change the configuration of an adapter."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")
