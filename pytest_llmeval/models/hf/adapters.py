"""PEFT adapters: whether one belongs to its base, holds all its weights, and changes what the model says."""

from pathlib import Path
from typing import Any

import torch

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, check_adapter_template, read_adapter_config
from pytest_llmeval.models.hf.loading import quiet, why
from pytest_llmeval.models.hf.sources import ADAPTER_WEIGHTS, Source
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["add_adapter"]


def add_adapter(model: Any, tokenizer: Any, weights: WeightsSpec, source: Source) -> tuple[Any, str]:
    """Return ``model`` with one adapter more, and the adapter's name in it.

    Args:
        model: the base, or the base with other adapters.
        tokenizer: the base's.
        weights: names the adapter.
        source: its files.

    Raises:
        ModelError: the adapter was made for another base or chat template, lacks weights, or changes no logit.
    """
    assert source.adapter is not None
    folder, where = source.adapter, f"adapter {weights.adapter}"
    check_adapter_base(read_adapter_config(folder, where), weights, source, where)
    check_adapter_template(folder, tokenizer.chat_template or "", where)
    name = f"adapter{len(getattr(model, 'peft_config', {}))}"
    with quiet():
        try:
            model = _added(model, folder, name)
        except Exception as error:  # noqa: BLE001 - whatever PEFT raises over files, the user reads one line
            raise ModelError(f"{where}: it cannot be put on hf:{weights.base}: {why(error)}") from None
        _check_keys(model, folder, name, where)
    model.eval()
    if weights.untrained is None:
        _check_effect(model, tokenizer, name, where)
    return model, name


def _added(model: Any, folder: Path, name: str) -> Any:
    from peft import PeftModel

    if isinstance(model, PeftModel):
        model.load_adapter(str(folder), adapter_name=name, is_trainable=False)
        return model
    return PeftModel.from_pretrained(model, str(folder), adapter_name=name, is_trainable=False)


def _check_keys(model: Any, folder: Path, name: str, where: str) -> None:
    """Raise ModelError where weights of the adapter are missing or left over: PEFT itself only warns of it."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / ADAPTER_WEIGHTS, "pt") as file:
        stored = set(file.keys())
    wanted = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    for problem, keys in (("lacks", wanted - stored), ("has no place in this base for", stored - wanted)):
        if keys:
            shown = ", ".join(sorted(keys)[:2])
            raise ModelError(f"{where}: {ADAPTER_WEIGHTS} {problem} {len(keys)} tensors, such as {shown}")


def _check_effect(model: Any, tokenizer: Any, name: str, where: str) -> None:
    """Raise ModelError where the logits after a short text are those of the base, or no numbers."""
    tokens = tokenizer("The quick brown fox jumps over the lazy dog. 1 + 1 = 2")["input_ids"]
    ids = torch.tensor([tokens], device=model.device)
    model.set_adapter(name)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
        with model.disable_adapter():
            base = model(input_ids=ids).logits
    if not bool(torch.isfinite(logits).all()):
        raise ModelError(f"{where}: with it the model's logits are not finite; its training broke")
    if torch.equal(logits, base):
        raise ModelError(
            f"{where}: it changes nothing, the logits are those of the base; was it trained? As a control, an"
            " untrained adapter is taken with ?untrained=yes"
        )
