"""Add a PEFT adapter to a base, and check that it belongs there, has all its weights, and changes the logits."""

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
    """Return ``model`` with a further adapter, and the adapter's name in it.

    Args:
        model: the base, or the base with other adapters.
        tokenizer: the tokenizer of the base.
        weights: the spec with the adapter.
        source: the files of the spec.

    Raises:
        ModelError: the adapter was made for another base or chat template, lacks weights, or changes no logits.
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
    """Return the tensors in an adapter's file by name; none if it cannot be read, as PEFT will report that."""
    from safetensors.torch import load_file

    try:
        tensors: Mapping[str, Any] = load_file(folder / ADAPTER_WEIGHTS)
    except Exception:  # noqa: BLE001 - PEFT reads the file next, and fails in the same way
        return {}
    return tensors


def _added(model: Any, folder: Path, name: str, stored: Mapping[str, Any]) -> Any:
    """Load the adapter into the model.

    It is loaded onto the base's device: PEFT would first load it onto the first GPU, however full that is.

    An adapter stored in the base's own dtype, such as a 16-bit one, keeps it and computes in it, as in its training:
    PEFT would convert it to float32 and make each layer cast its input to that and back.
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
    """Raise ModelError if weights of the adapter are missing or left over; PEFT itself only warns."""
    from peft import get_peft_model_state_dict

    wanted = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    for problem, keys in (("lacks", wanted - stored), ("has no place in this base for", stored - wanted)):
        if keys:
            shown = ", ".join(sorted(keys)[:2])
            raise ModelError(f"{where}: {ADAPTER_WEIGHTS} {problem} {len(keys)} tensors, such as {shown}")


def _check_embeddings(model: Any, brought: Mapping[str, Any], where: str) -> None:
    """Raise ModelError if embeddings in the file differ from the base's, which PEFT would replace with them."""
    own = {_plain(name): value for name, value in model.state_dict().items()} if brought else {}
    for key, value in brought.items():
        here = own.get(_plain(key))
        if here is None or here.shape != value.shape or not torch.equal(here.cpu(), value.to(here.dtype)):
            raise ModelError(
                f"{where}: {ADAPTER_WEIGHTS} brings a layer that is not the base's, {key}; merge both, and name the"
                " merged folder"
            )


def _brought(stored: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """Return the names of the base's embeddings in an adapter's file; PEFT saves them if it adapts those layers."""
    saved = config.get("modules_to_save") or ()
    # If weights are tied, PEFT names one of the two layers and writes both.
    trained = _EMBEDDINGS if saved and config.get("ensure_weight_tying") else tuple(f"{name}.weight" for name in saved)
    return [
        name
        for name in stored
        if _plain(name).endswith(_EMBEDDINGS) and (".base_layer." in name or not name.endswith(trained))
    ]


def _plain(name: str) -> str:
    """Return the name of a weight in the base without adapters."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def _check_effect(model: Any, tokenizer: Any, name: str, where: str) -> None:
    """Raise ModelError if the logits after a short text equal those of the base, or are not finite."""
    tokens = tokenizer(PROBE_TEXT)["input_ids"]
    ids = torch.tensor([tokens], device=model.device)
    model.set_adapter(name)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
        with model.disable_adapter():  # except for changed biases, which stay
            base = model(input_ids=ids).logits
    is_finite = bool(torch.isfinite(logits).all())
    require_effect(where, is_finite=is_finite, is_same=torch.equal(logits, base))
