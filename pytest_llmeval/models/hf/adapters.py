"""PEFT adapters: whether one belongs to its base, holds all its weights, and changes what the model says."""

import json
from pathlib import Path
from typing import Any

import torch

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.loading import quiet, template_sha256, why
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Source
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
    _check_base(_read(folder / ADAPTER_CONFIG, where), weights, source, where)
    _check_template(folder, tokenizer, where)
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


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{where}: {path}: not JSON: {error}") from None
    return data if isinstance(data, dict) else {}


def _check_base(config: dict[str, Any], weights: WeightsSpec, source: Source, where: str) -> None:
    """Raise ModelError where the adapter names another base: neither path nor id nor the last part of either agrees."""
    made_for = config.get("base_model_name_or_path")
    if config.get("peft_type") in ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING"):
        raise ModelError(f"{where}: a {config['peft_type']} adapter; those that change weights are taken, such as LORA")
    if not made_for:
        return
    here = {weights.base, str(source.base), *_last_parts(weights.base), *_last_parts(str(source.base))}
    if not here & {made_for, *_last_parts(made_for)}:
        raise ModelError(
            f"{where}: it was made for the base {made_for!r}, not for {weights.base!r}; name that base, or correct"
            f" base_model_name_or_path in {ADAPTER_CONFIG} if it is the same model under another name"
        )


def _last_parts(text: str) -> set[str]:
    """Return the last part of a path or id; of a folder in the hub's cache the model's name."""
    parts = text.rstrip("/").split("/")
    cached = [part.rpartition("--")[2] for part in parts if part.startswith("models--")]
    return {*cached, parts[-1]} - {""}


def _check_template(folder: Path, tokenizer: Any, where: str) -> None:
    """Raise ModelError where the adapter was trained on prompts that another chat template made."""
    own = folder / "chat_template.jinja"
    known = {template_sha256(own.read_text("utf-8")): str(own)} if own.is_file() else {}
    for record in (folder / "run.json", folder.parent / "run.json"):
        said = _read(record, where).get("chat_template_sha256") if record.is_file() else None
        if isinstance(said, str):
            known[said] = str(record)
    here = template_sha256(tokenizer.chat_template or "")
    other = next((place for sha256, place in known.items() if sha256 != here), None)
    if other is not None:
        raise ModelError(
            f"{where}: it was trained with another chat template ({other}) than the base has here; evaluate it on the"
            " base that it was trained on"
        )


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
