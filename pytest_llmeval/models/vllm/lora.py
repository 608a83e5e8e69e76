"""Check, by its files, whether vLLM can serve an adapter on a base."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, check_adapter_template, read_adapter_config
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, Source
from pytest_llmeval.models.vllm.turns import chat_template
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["check_lora", "max_lora_rank"]

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # MaxLoRARanks of vllm/config/lora.py, vLLM 0.33.0
_NOT_SERVED = ("use_dora", "lora_bias", "layer_replication", "use_bdlora", "use_qalora")
_HEADS = frozenset({"classifier", "score"})
"""Layers that an adapter may replace as a whole (``modules_to_save``)."""


def check_lora(weights: WeightsSpec, source: Source) -> int:
    """Return the rank of the adapter of ``weights``, from 1 to 512.

    Raises:
        ModelError: the adapter was made for another base or chat template, is not a LoRA adapter, changes parts of the
            model that vLLM does not adapt, or has a rank that vLLM does not serve.
    """
    assert source.adapter is not None
    where = f"adapter {weights.adapter}"
    config = read_adapter_config(source.adapter, where)
    check_adapter_base(config, weights, source, where)
    template = chat_template(source.base)
    if template is not None:
        check_adapter_template(source.adapter, template, where)
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"{where}: peft_type in {ADAPTER_CONFIG} is {config.get('peft_type')!r}; vLLM serves LORA only"
        )
    _check_kind(config, where)
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    if not all(isinstance(rank, int) and 1 <= rank <= _RANKS[-1] for rank in ranks):
        raise ModelError(
            f"{where}: the ranks (r, rank_pattern) in {ADAPTER_CONFIG} are {ranks}; vLLM serves 1 to {_RANKS[-1]}"
        )
    return int(max(ranks))


def max_lora_rank(rank: int) -> int:
    """Return the smallest value of ``--max-lora-rank`` for ``rank``; vLLM accepts only a few values."""
    return next(size for size in _RANKS if size >= rank)


def _check_kind(config: Mapping[str, Any], where: str) -> None:
    """Raise ModelError if the adapter needs more than vLLM supports (PEFTHelper in vllm/lora/peft_helper.py)."""
    found = {name: config[name] for name in _NOT_SERVED if config.get(name)}
    if config.get("bias", "none") != "none":
        found["bias"] = config["bias"]
    if not _HEADS.issuperset(config.get("modules_to_save") or ()):
        found["modules_to_save"] = config["modules_to_save"]
    if found:
        unsupported = ", ".join(f"{name} is {value!r}" for name, value in found.items())
        raise ModelError(
            f"{where}: in {ADAPTER_CONFIG} {unsupported}, which vLLM does not serve; merge it (llmeval adapter merge)"
            " and name the merged folder, or ask it with hf:"
        )
