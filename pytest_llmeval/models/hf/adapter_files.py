"""What the files of a PEFT adapter say about the base that it belongs to; nothing is loaded for it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.base_weights import are_trained_on, trained_on
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, Source, read_json, records_of
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = [
    "changes_base",
    "check_adapter_base",
    "check_adapter_template",
    "check_templates",
    "has_same_weights",
    "held_otherwise",
    "is_base",
    "known_templates",
    "own_end_of_turn",
    "read_adapter_config",
    "template_sha256",
]

_NO_WEIGHTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING")
_ON_A_RESIDUAL = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Beginnings of ``init_lora_weights`` that take the adapter's first values out of the base, which changes it."""


def read_adapter_config(folder: Path, where: str) -> dict[str, Any]:
    """Return what stands in ``adapter_config.json``.

    Args:
        folder: the adapter's.
        where: what messages begin with.

    Raises:
        ModelError: it is not JSON.
    """
    return read_json(folder / ADAPTER_CONFIG, f"{where}: ")


def check_adapter_base(
    config: Mapping[str, Any], weights: WeightsSpec, source: Source, where: str, *, file: Path | None = None
) -> None:
    """Raise ModelError where the adapter is not one for this base as it is.

    It was trained on other weights; or, where no record tells that, it names another base: neither path nor id nor the
    last part of either agrees; or it belongs on a base that was changed when its training began; or it is of a kind
    that does not change weights.

    Args:
        config: what stands in ``adapter_config.json``.
        weights: names the base.
        source: where base and adapter are.
        where: what messages begin with.
        file: holds the base's weights where ``source`` only names it.
    """
    made_for = config.get("base_model_name_or_path")
    if config.get("peft_type") in _NO_WEIGHTS:
        raise ModelError(f"{where}: a {config['peft_type']} adapter; those that change weights are taken, such as LORA")
    init = config.get("init_lora_weights")
    if isinstance(init, str) and init.casefold().startswith(_ON_A_RESIDUAL):
        raise ModelError(
            f"{where}: init_lora_weights in {ADAPTER_CONFIG} is {init!r}, so it belongs on what its first values left"
            " of the base; save it with PEFT's path_initial_model_for_weight_conversion, which makes one for the base"
        )
    if config.get("alora_invocation_tokens"):
        raise ModelError(f"{where}: an activated LoRA, which changes some tokens only; those that change all are taken")
    known = trained_on(source.adapter) if source.adapter is not None else {}
    is_same = has_same_weights(known, str(made_for), file or source.base, weights, where)
    if not is_same and made_for and not is_base(made_for, weights, source):
        raise ModelError(
            f"{where}: it was made for the base {made_for!r}, not for {weights.base!r}; name that base, or correct"
            f" base_model_name_or_path in {ADAPTER_CONFIG} if it is the same model under another name"
        )


def has_same_weights(known: Mapping[str, str], made_for: str, base: Path, weights: WeightsSpec, where: str) -> bool:
    """Return whether a base is known to have the weights that an adapter was trained on, whatever it is called.

    Args:
        known: digests of those, by form.
        made_for: the base that the adapter names.
        base: a folder with safetensors, or a ``.gguf`` file.
        weights: names that.
        where: what messages begin with.

    Raises:
        ModelError: it has others.
    """
    is_same = are_trained_on(known, base)
    if is_same is False and made_for in (weights.base, str(base)):
        raise ModelError(
            f"{where}: {weights.base!r} has other weights now than when it was trained on that; name a base that has"
            " those weights, or train it anew"
        )
    if is_same is False:
        raise ModelError(
            f"{where}: it was trained on the base {made_for!r}, and {weights.base!r} has other weights here; name the"
            " base that it was trained on"
        )
    return bool(is_same)


def changes_base(folder: Path) -> bool:
    """Return whether loading an adapter changes the base under it: its biases, or how often it has each layer."""
    config = read_adapter_config(folder, str(folder))
    return config.get("bias", "none") != "none" or bool(config.get("layer_replication"))


def own_end_of_turn(folder: Path) -> str | None:
    """Return the token that ends a turn by the tokenizer beside an adapter; None where there is none."""
    path = folder / "tokenizer_config.json"
    said = read_json(path, f"{folder}: ").get("eos_token") if path.is_file() else None
    said = said.get("content") if isinstance(said, dict) else said
    return said if isinstance(said, str) else None


def is_base(made_for: str, weights: WeightsSpec, source: Source) -> bool:
    """Return whether an adapter names this base: path or id, or the last part of either, agrees."""
    here = {weights.base, str(source.base), *_last_parts(weights.base), *_last_parts(str(source.base))}
    return bool(here & {made_for, *_last_parts(made_for)})


def check_adapter_template(folder: Path, chat_template: str | Mapping[str, str], where: str) -> None:
    """Raise ModelError where the adapter was trained on prompts that another template than the base's made."""
    check_templates(known_templates(folder), chat_template, where)


def check_templates(known: Mapping[str, str], chat_template: str | Mapping[str, str], where: str) -> None:
    """Raise ModelError where one of ``known``, sha256 of templates and what names them, is not the base's."""
    here = template_sha256(chat_template)
    other = next((place for sha256, place in known.items() if sha256 != here), None)
    if other is not None:
        raise ModelError(
            f"{where}: it was trained with another chat template ({other}) than the base has here; evaluate it on the"
            " base that it was trained on"
        )


def known_templates(folder: Path) -> dict[str, str]:
    """Return the sha256 of each chat template that files beside an adapter name, and which file that is."""
    own = folder / "chat_template.jinja"
    known = {template_sha256(own.read_text("utf-8")): str(own)} if own.is_file() else {}
    for record, told in records_of(folder).items():
        said = told.get("chat_template_sha256")
        if isinstance(said, str):
            known[said] = str(record)
    return known


def held_otherwise(folder: Path, weights: WeightsSpec, dtype: str) -> str | None:
    """Return in words that the base was held otherwise while an adapter was trained; None where it was not, or may be.

    Args:
        folder: the adapter's.
        weights: what is asked.
        dtype: of the base's numbers where ``weights`` names no bits.
    """
    now = f"load={weights.load}" if weights.load is not None else f"dtype={dtype}"
    for record, told in records_of(folder).items():
        config = told.get("config")
        held = config if isinstance(config, dict) else {}
        then = next((f"{name}={held[name]}" for name in ("load", "dtype") if isinstance(held.get(name), str)), None)
        if then is not None and then != now:
            return f"adapter {weights.adapter}: trained on a base with {then} ({record.name}), and this one has {now}"
    return None


def template_sha256(chat_template: str | Mapping[str, str]) -> str:
    """Return the sha256 in hex of a chat template; of several by name that of the one that prompts are made by."""
    if not isinstance(chat_template, str):
        chat_template = chat_template.get("default", "")
    return hashlib.sha256(chat_template.encode()).hexdigest()


def _last_parts(text: str) -> set[str]:
    """Return the last part of a path or id; of a folder in the hub's cache the model's name."""
    parts = text.rstrip("/").split("/")
    cached = [part.rpartition("--")[2] for part in parts if part.startswith("models--")]
    return {*cached, parts[-1]} - {""}
