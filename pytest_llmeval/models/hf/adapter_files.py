"""Check a PEFT adapter against its base by their files and the records of its training; no model is loaded."""

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
    "is_base",
    "known_templates",
    "other_precision",
    "own_end_of_turn",
    "read_adapter_config",
    "template_sha256",
]

_NO_WEIGHTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING")
_ON_A_RESIDUAL = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Prefixes of ``init_lora_weights`` for methods that take the adapter's initial values out of the base, changing it."""


def read_adapter_config(folder: Path, where: str) -> dict[str, Any]:
    """Return the content of ``adapter_config.json``.

    Args:
        folder: folder of the adapter.
        where: beginning of messages.

    Raises:
        ModelError: the file is not JSON.
    """
    return read_json(folder / ADAPTER_CONFIG, f"{where}: ")


def check_adapter_base(
    config: Mapping[str, Any], weights: WeightsSpec, source: Source, where: str, *, file: Path | None = None
) -> None:
    """Raise ModelError if the adapter does not fit this base as it is.

    The reasons: it was trained on other weights; without a record of those, it names another base (neither path nor id
    nor the last part of either matches); its initialisation changed the base; or it is of a kind that does not change
    weights, or not for all tokens.

    Args:
        config: the content of ``adapter_config.json``.
        weights: the spec with the base.
        source: the files of base and adapter.
        where: beginning of messages.
        file: file of the base's weights if ``source`` only names the base.
    """
    made_for = config.get("base_model_name_or_path")
    if config.get("peft_type") in _NO_WEIGHTS:
        raise ModelError(
            f"{where}: a {config['peft_type']} adapter; only those that change weights are supported, such as LORA"
        )
    init = config.get("init_lora_weights")
    if isinstance(init, str) and init.casefold().startswith(_ON_A_RESIDUAL):
        raise ModelError(
            f"{where}: init_lora_weights in {ADAPTER_CONFIG} is {init!r}, so it belongs on what its first values left"
            " of the base; save it with PEFT's path_initial_model_for_weight_conversion, which makes one for the base"
        )
    if config.get("alora_invocation_tokens"):
        raise ModelError(f"{where}: an activated LoRA, which changes only some tokens, is not supported")
    known = trained_on(source.adapter) if source.adapter is not None else {}
    is_same = has_same_weights(known, str(made_for), file or source.base, weights, where)
    if not is_same and made_for and not is_base(made_for, weights, source):
        raise ModelError(
            f"{where}: it was made for the base {made_for!r}, not for {weights.base!r}; name that base, or correct"
            f" base_model_name_or_path in {ADAPTER_CONFIG} if it is the same model under another name"
        )


def has_same_weights(known: Mapping[str, str], made_for: str, base: Path, weights: WeightsSpec, where: str) -> bool:
    """Return whether a base is known to have the weights that an adapter was trained on, whatever its name.

    Args:
        known: digests of the weights that the adapter was trained on, by form.
        made_for: the base that the adapter names.
        base: a folder with safetensors, or a ``.gguf`` file.
        weights: the spec with that base.
        where: beginning of messages.

    Raises:
        ModelError: the base is known to have other weights.
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
    """Return whether loading an adapter changes the base itself: its biases, or the number of its layers."""
    config = read_adapter_config(folder, str(folder))
    return config.get("bias", "none") != "none" or bool(config.get("layer_replication"))


def own_end_of_turn(folder: Path) -> str | None:
    """Return the end-of-turn token of the tokenizer saved in a folder; None if there is none."""
    path = folder / "tokenizer_config.json"
    said = read_json(path, f"{folder}: ").get("eos_token") if path.is_file() else None
    said = said.get("content") if isinstance(said, dict) else said
    return said if isinstance(said, str) else None


def is_base(made_for: str, weights: WeightsSpec, source: Source) -> bool:
    """Return whether ``made_for`` names this base: path or id, or the last part of either, matches."""
    here = {weights.base, str(source.base), *_last_parts(weights.base), *_last_parts(str(source.base))}
    return bool(here & {made_for, *_last_parts(made_for)})


def check_adapter_template(folder: Path, chat_template: str | Mapping[str, str], where: str) -> None:
    """Raise ModelError if the adapter was trained with another chat template than the base's."""
    check_templates(known_templates(folder), chat_template, where)


def check_templates(known: Mapping[str, str], chat_template: str | Mapping[str, str], where: str) -> None:
    """Raise ModelError if one of ``known``, which maps the sha256 of templates to their source, is not the base's."""
    here = template_sha256(chat_template)
    other = next((place for sha256, place in known.items() if sha256 != here), None)
    if other is not None:
        raise ModelError(
            f"{where}: it was trained with another chat template ({other}) than the base has here; evaluate it on the"
            " base that it was trained on"
        )


def known_templates(folder: Path) -> dict[str, str]:
    """Return the chat templates of an adapter's training: the sha256 of each, and the file that holds or names it."""
    own = folder / "chat_template.jinja"
    known = {template_sha256(own.read_text("utf-8")): str(own)} if own.is_file() else {}
    for record, told in records_of(folder).items():
        said = told.get("chat_template_sha256")
        if isinstance(said, str):
            known[said] = str(record)
    return known


def other_precision(folder: Path, weights: WeightsSpec, dtype: str) -> str | None:
    """Return a warning if the base had another dtype or quantisation while the adapter was trained, else None.

    Args:
        folder: folder of the adapter.
        weights: the spec in use.
        dtype: dtype of the base if ``weights`` sets no quantisation.
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
    """Return the sha256 in hex of a chat template; of several named ones, that of the default one."""
    if not isinstance(chat_template, str):
        chat_template = chat_template.get("default", "")
    return hashlib.sha256(chat_template.encode()).hexdigest()


def _last_parts(text: str) -> set[str]:
    """Return the last part of a path or id and, for a folder in the hub's cache, the model's name."""
    parts = text.rstrip("/").split("/")
    cached = [part.rpartition("--")[2] for part in parts if part.startswith("models--")]
    return {*cached, parts[-1]} - {""}
