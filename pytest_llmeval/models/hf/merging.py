"""Merge an adapter into its base: a model of 16-bit weights that needs no PEFT. This module imports torch."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import other_precision, own_end_of_turn
from pytest_llmeval.models.hf.adapters import add_adapter
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.loading import in_one_line, load_chat, load_model, quiet, writing
from pytest_llmeval.models.hf.memory import free_bytes
from pytest_llmeval.models.hf.sources import Source, read_json
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["Merged", "merge_adapter"]

_MAX_LOST = 0.05
"""Largest share of an adapter's effect that may be lost; rounding to bfloat16 cost a weak adapter 0.3 %, measured."""

_TEXT = (
    "The quick brown fox jumps over the lazy dog. The capital of France is Paris, that of Japan is Tokyo. 1 + 1 = 2\n"
    '{"name": "Ada Lovelace", "company": "Analytical Engines", "amount": 12.5, "paid": true}\n'
    "def double(x):\n    return 2 * x\n"
)
_GENERATION_CONFIG = "generation_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The effect of a merge on the probabilities of the tokens of a short text."""

    dtype: str
    """Dtype of the merged weights: ``bfloat16`` or ``float16``."""
    change: float
    """Mean Kullback-Leibler divergence of the base from the base with the adapter on top, in nats, above 0."""
    lost: float
    """The same divergence of the merged model, as a share of ``change``; 0 if nothing is lost."""


def merge_adapter(weights: WeightsSpec, source: Source, target: Path, report: Callable[[str], None]) -> Merged:
    """Write a base with an adapter merged into it, with tokenizer, chat template and generation config.

    The merge is computed in float32 and rounded once, to the base's own 16-bit type, else to bfloat16.

    Args:
        weights: the spec of base and adapter; its load options are ignored.
        source: the files of the spec.
        target: an empty folder for the model.
        report: shows one line to the user for each step.

    Raises:
        ModelError: the base has quantised weights or does not fit into memory, the adapter does not fit the base or
            changes nothing, or the merged model differs too much from the base with the adapter on top.
        OSError: the model cannot be written.
    """
    dtype = _dtype(source, weights)
    _check_memory(source, weights)
    spec = WeightsSpec(base=weights.base, adapter=weights.adapter, revision=weights.revision, dtype="float32")
    report(f"loading {weights.base}")
    model = load_model(spec, source, "cpu", torch.float32)
    assert source.adapter is not None
    chat = load_chat(spec, source, model).ending_with(own_end_of_turn(source.adapter))
    model, _ = add_adapter(model, chat.tokenizer, spec, source)
    with_it = _logprobs(model, chat)
    with model.disable_adapter():
        base = _logprobs(model, chat)
    report(f"merging {weights.adapter}")
    held = other_precision(source.adapter, spec, str(dtype).removeprefix("torch."))
    if held is not None:
        report(f"{held}: it may answer otherwise than in its proof")
    with in_one_line(f"adapter {weights.adapter}: it cannot be merged"):
        model = model.merge_and_unload(safe_merge=True)
    for parameter in model.parameters():  # the check uses the rounded weights, but computes in float32
        parameter.data = parameter.data.to(dtype).to(torch.float32)
    change = _divergence(with_it, base)
    lost = _divergence(with_it, _logprobs(model, chat)) / change
    if not lost <= _MAX_LOST:
        raise ModelError(
            f"adapter {weights.adapter}: the merged model does not say what its base says with it on top: {lost:.0%} of"
            f" its change is lost, and at most {_MAX_LOST:.0%} may be; leave it unmerged"
        )
    report("writing the weights")
    _save(model.to(dtype), chat, source, target)
    return Merged(dtype=str(dtype).removeprefix("torch."), change=change, lost=lost)


def _dtype(source: Source, weights: WeightsSpec) -> Any:
    """Return the base's own 16-bit dtype, else bfloat16; raise ModelError if its weights are quantised."""
    if source.is_gguf:
        return torch.bfloat16
    config = read_json(source.base / "config.json")
    if config.get("quantization_config"):
        raise ModelError(
            f"hf:{weights.base}: its weights are quantised, and an adapter is merged into weights of 16 bits; name"
            " those with --base"
        )
    return torch.float16 if config.get("dtype", config.get("torch_dtype")) == "float16" else torch.bfloat16


def _check_memory(source: Source, weights: WeightsSpec) -> None:
    """Raise ModelError if the weights do not fit into memory in float32."""
    files = [source.base] if source.is_gguf else list(source.base.glob("*.safetensors"))
    # 16-bit files are half the size of float32 weights. For GGUF and 32-bit files the factor differs: a rough guard.
    needed, free = 2 * sum(path.stat().st_size for path in files), free_bytes(torch.device("cpu"))
    if free < needed:
        raise ModelError(
            f"hf:{weights.base}: a merge takes about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
        )


def _logprobs(model: Any, chat: Chat) -> Any:
    """Return the log probabilities of all possible next tokens, for each token of the text."""
    ids = torch.tensor([chat.tokens(_TEXT)], device=model.device)
    with torch.inference_mode():
        return model(input_ids=ids).logits[0].float().log_softmax(-1)


def _divergence(of: Any, other: Any) -> float:
    """Return the mean over tokens of the Kullback-Leibler divergence of ``other`` from ``of``, in nats."""
    return float((of.exp() * (of - other)).sum(-1).mean())


def _save(model: Any, chat: Chat, source: Source, target: Path) -> None:
    ends = sorted(chat.stop_tokens)
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=chat.tokenizer.bos_token_id, eos_token_id=ends, pad_token_id=chat.pad_token
    )
    if source.is_gguf:  # transformers guesses the end token, wrongly for SmolLM2
        model.config.eos_token_id, model.config.pad_token_id = ends[0] if len(ends) == 1 else ends, chat.pad_token
    with quiet(), writing():
        model.save_pretrained(target)
        chat.tokenizer.save_pretrained(target)
    own = source.base / _GENERATION_CONFIG
    if own.is_file():  # keep the base's sampling settings, but not its end tokens
        kept = {**read_json(own), "eos_token_id": ends}
        (target / _GENERATION_CONFIG).write_text(f"{json.dumps(kept, indent=2)}\n", "utf-8")
