"""PEFT adapters: whether one belongs to its base, holds all its weights, and changes what the model says."""

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import torch

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.adapter_effect import PROBE_TEXT, require_effect
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, check_adapter_template, read_adapter_config
from pytest_llmeval.models.hf.loading import in_one_line
from pytest_llmeval.models.hf.sources import ADAPTER_WEIGHTS, Source
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["add_adapter"]

_EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight", "wte.weight", "embed_out.weight")


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
    config = read_adapter_config(folder, where)
    check_adapter_base(config, weights, source, where)
    check_adapter_template(folder, tokenizer.chat_template or "", where)
    name = f"adapter{len(getattr(model, 'peft_config', {}))}"
    stored = _stored(folder)
    brought = _brought(stored, config)
    _check_embeddings(model, {key: stored[key] for key in brought}, where)
    with in_one_line(f"{where}: it cannot be put on hf:{weights.base}"):
        model = _added(model, folder, name, stored)
        _check_keys(model, name, set(stored) - set(brought), where)
    model.eval()
    if weights.untrained is None:
        with in_one_line(f"{where}: hf:{weights.base} cannot compute with it"):
            _check_effect(model, tokenizer, name, where)
    return model, name


def _stored(folder: Path) -> Mapping[str, Any]:
    """Return the tensors in an adapter's file by name; none where it cannot be read: PEFT says what is wrong."""
    from safetensors.torch import load_file

    try:
        tensors: Mapping[str, Any] = load_file(folder / ADAPTER_WEIGHTS)
    except Exception:  # noqa: BLE001 - PEFT reads it next, and fails in the same way
        return {}
    return tensors


def _added(model: Any, folder: Path, name: str, stored: Mapping[str, Any]) -> Any:
    """Put the adapter on.

    It is read to where the base is: PEFT would have it on the first GPU first, however full that is.

    One whose file has 16-bit numbers of the base's kind keeps them, and computes in them as it did in training: PEFT
    makes them fp32, and has each layer cast its input to that and back.
    """
    from peft import PeftModel

    how = {"adapter_name": name, "is_trainable": False, "torch_device": str(model.device)}
    if isinstance(model, PeftModel):
        model.load_adapter(str(folder), **how)
    else:
        model = PeftModel.from_pretrained(model, str(folder), **how)
    dtypes = {value.dtype for value in stored.values()}
    for key, parameter in model.named_parameters():
        if f".{name}." in f"{key}." and dtypes == {model.dtype}:
            parameter.data = parameter.data.to(model.dtype)
    return model


def _check_keys(model: Any, name: str, stored: Set[str], where: str) -> None:
    """Raise ModelError where weights of the adapter are missing or left over: PEFT itself only warns of it."""
    from peft import get_peft_model_state_dict

    wanted = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    for problem, keys in (("lacks", wanted - stored), ("has no place in this base for", stored - wanted)):
        if keys:
            shown = ", ".join(sorted(keys)[:2])
            raise ModelError(f"{where}: {ADAPTER_WEIGHTS} {problem} {len(keys)} tensors, such as {shown}")


def _check_embeddings(model: Any, brought: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where embeddings in the file are not the base's: PEFT would put them in their place."""
    own = {_plain(name): value for name, value in model.state_dict().items()} if brought else {}
    for key, value in brought.items():
        here = own.get(_plain(key))
        if here is None or here.shape != value.shape or not torch.equal(here.cpu(), value.to(here.dtype)):
            raise ModelError(
                f"{where}: {ADAPTER_WEIGHTS} brings a layer that is not the base's, {key}; merge both, and name the"
                " merged folder"
            )


def _brought(stored: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """Return the names of the base's own embeddings in an adapter's file: PEFT writes them where it trains on top."""
    saved = config.get("modules_to_save") or ()
    # With weights that are tied PEFT names one of both, and writes both.
    trained = _EMBEDDINGS if saved and config.get("ensure_weight_tying") else tuple(f"{name}.weight" for name in saved)
    return [
        name
        for name in stored
        if _plain(name).endswith(_EMBEDDINGS) and (".base_layer." in name or not name.endswith(trained))
    ]


def _plain(name: str) -> str:
    """Return the name that a weight has in the base alone."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def _check_effect(model: Any, tokenizer: Any, name: str, where: str) -> None:
    """Raise ModelError where the logits after a short text are those of the base, or no numbers."""
    tokens = tokenizer(PROBE_TEXT)["input_ids"]
    ids = torch.tensor([tokens], device=model.device)
    model.set_adapter(name)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
        with model.disable_adapter():  # but for biases, which stay
            base = model(input_ids=ids).logits
    is_finite = bool(torch.isfinite(logits).all())
    require_effect(where, is_finite=is_finite, is_same=torch.equal(logits, base))
