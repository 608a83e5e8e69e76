"""Whether vLLM can put an adapter on a base, as far as its files tell."""

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, check_adapter_template, read_adapter_config
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, Source
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["check_lora", "max_lora_rank"]

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # MaxLoRARanks of vllm/config/lora.py, vLLM 0.33.0

_PEFT_ALPHA = 8
"""``lora_alpha`` where the configuration has none."""


def check_lora(weights: WeightsSpec, source: Source) -> int:
    """Return the rank of the adapter of ``weights``, from 1 to 512.

    Raises:
        ModelError: it was made for another base or chat template, is no LoRA, its rank is none that vLLM serves, or it
            scales some modules otherwise than others.
    """
    assert source.adapter is not None
    where = f"adapter {weights.adapter}"
    config = read_adapter_config(source.adapter, where)
    check_adapter_base(config, weights, source, where)
    template = _chat_template(source.base)
    if template is not None:
        check_adapter_template(source.adapter, template, where)
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"{where}: peft_type in {ADAPTER_CONFIG} is {config.get('peft_type')!r}; vLLM serves LORA only"
        )
    own_ranks = dict(config.get("rank_pattern") or {})
    ranks = [config.get("r"), *own_ranks.values()]
    if not all(isinstance(rank, int) and 1 <= rank <= _RANKS[-1] for rank in ranks):
        raise ModelError(
            f"{where}: the ranks (r, rank_pattern) in {ADAPTER_CONFIG} are {ranks}; vLLM serves 1 to {_RANKS[-1]}"
        )
    _check_scales(config, own_ranks, where)
    return int(max(ranks))


def max_lora_rank(rank: int) -> int:
    """Return the smallest value of ``--max-lora-rank`` that holds ``rank``: vLLM takes a few only."""
    return next(size for size in _RANKS if size >= rank)


def _check_scales(config: Mapping[str, Any], own_ranks: Mapping[str, int], where: str) -> None:
    """Raise ModelError where a module may be scaled otherwise than all are: vLLM knows one scale for an adapter.

    That is ``lora_alpha / r``, or ``lora_alpha / sqrt(r)`` with rsLoRA (PEFTHelper of vllm/lora/peft_helper.py).
    """
    rank, alpha = config["r"], config.get("lora_alpha", _PEFT_ALPHA)
    own_alphas = dict(config.get("alpha_pattern") or {})
    alphas = [alpha, *own_alphas.values()]
    if not all(isinstance(each, int | float) for each in alphas):
        raise ModelError(f"{where}: lora_alpha and alpha_pattern in {ADAPTER_CONFIG} are {alphas}; they are numbers")
    if list(own_ranks) == list(own_alphas):  # what matches a key of one matches the same of the other
        pairs = list(zip(own_ranks.values(), own_alphas.values(), strict=True))
    else:
        pairs = list(itertools.product([rank, *own_ranks.values()], alphas))
    root = math.sqrt if config.get("use_rslora") else float
    if not all(math.isclose(own_alpha * root(rank), alpha * root(own_rank)) for own_rank, own_alpha in pairs):
        raise ModelError(
            f"{where}: rank_pattern and alpha_pattern in {ADAPTER_CONFIG} scale some modules otherwise than others, and"
            " vLLM scales all alike; merge it (llmeval adapter merge) and name the merged folder, or ask it with hf:"
        )


def _chat_template(base: Path) -> str | None:
    """Return the chat template among the files of a base; None where no tokenizer is to be asked for it."""
    own, config = base / "chat_template.jinja", base / "tokenizer_config.json"
    if own.is_file():
        return own.read_text("utf-8")
    try:
        template = json.loads(config.read_text("utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None
    return template if isinstance(template, str) else None
