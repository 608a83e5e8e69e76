"""The command line of ``vllm serve``, with the flags of vLLM 0.33.0 (vllm/engine/arg_utils.py, entrypoints/)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_llmeval.models.hf.prompt_date import template_kwargs
from pytest_llmeval.models.vllm.groups import Group
from pytest_llmeval.models.vllm.lora import max_lora_rank

__all__ = ["serve_command"]

_FLAGS: Mapping[str, str] = {
    "dtype": "--dtype",
    "max_model_len": "--max-model-len",
    "gpu_memory_utilization": "--gpu-memory-utilization",
    "tensor_parallel_size": "--tensor-parallel-size",
}


def serve_command(executable: Path, group: Group, *, port: int, memory: str | None) -> list[str]:
    """Return the command line that serves a base and its adapters.

    Args:
        executable: path of ``vllm``.
        group: the base and the adapters to serve.
        port: port on 127.0.0.1.
        memory: share of the GPU's memory if the specs do not set one; None for vLLM's default.
    """
    command = [str(executable), "serve", str(group.base), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--served-model-name", *group.names]
    # Sampling follows the request only, not the model's files, and no prompt contains today's date.
    command += ["--generation-config", "vllm", "--default-chat-template-kwargs", json.dumps(template_kwargs())]
    command += ["--seed", "0", "--disable-uvicorn-access-log", *_chosen(group, memory), *_lora(group)]
    return command


def _chosen(group: Group, memory: str | None) -> Iterator[str]:
    """Yield the flags for the options in the specs."""
    if group.weights.load is not None:
        yield from ("--quantization", "bitsandbytes")
    values = {name: getattr(group.weights, name) for name in _FLAGS}
    values["gpu_memory_utilization"] = values["gpu_memory_utilization"] or memory
    for name, flag in _FLAGS.items():
        if values[name] is not None:
            yield from (flag, values[name])


def _lora(group: Group) -> Iterator[str]:
    if group.adapters:
        yield from ("--enable-lora", "--max-loras", str(len(group.adapters)))
        yield from ("--max-lora-rank", str(max_lora_rank(group.rank)), "--lora-modules")
        yield from (json.dumps({"name": name, "path": str(path)}) for name, path in group.adapters.items())
