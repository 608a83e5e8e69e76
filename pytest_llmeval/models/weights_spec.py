"""The part of a spec that names weights: ``BASE[+ADAPTER][?key=value&...]``."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.names import did_you_mean

__all__ = ["WeightsKind", "WeightsSpec", "parse_weights"]

WeightsKind = Literal["hf", "local", "vllm"]

_DTYPE = ("float32|float16|bfloat16", "float32, float16 or bfloat16")
_REVISION = (r"[\w.-]+", "a branch, tag or commit")
_COUNT = (r"[1-9]\d*", "a whole number from 1")
_OPTIONS: Mapping[WeightsKind, Mapping[str, tuple[str, str]]] = {
    "hf": {
        "load": ("4bit|8bit", "4bit or 8bit"),
        "dtype": _DTYPE,
        "device": (r"cpu|mps|cuda(:\d+)?", "cpu, mps, cuda or cuda:N"),
        "revision": _REVISION,
        "untrained": ("yes", "yes"),
    },
    "local": {"untrained": ("yes", "yes")},
    "vllm": {
        "load": ("4bit", "4bit"),
        "dtype": _DTYPE,
        "revision": _REVISION,
        "untrained": ("yes", "yes"),
        "max_model_len": _COUNT,
        "gpu_memory_utilization": (r"0\.0*[1-9]\d*|1", "a share above 0, at most 1"),
        "tensor_parallel_size": _COUNT,
    },
}
"""Options by kind: the pattern of their values, and its description for messages."""
_NUMBERS = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32"}
"""Other common names of a ``dtype``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSpec:
    """Weights, the adapter on top of them, and the options for loading them."""

    kind: WeightsKind = "hf"
    """Kind of the spec, which decides what runs the weights."""
    base: str
    """Id on the Hugging Face hub, or path of a model's folder or of a ``.gguf`` file."""
    adapter: str | None = None
    """Path of a PEFT adapter's folder."""
    load: str | None = None
    """Quantization, ``4bit`` or ``8bit``; None to load the weights as they are."""
    dtype: str | None = None
    """Number format of weights and arithmetic; None for float32 on a CPU, bfloat16 elsewhere."""
    device: str | None = None
    """Device of an ``hf:`` model; None for the first GPU if there is one, else the CPU."""
    revision: str | None = None
    """Revision of the base in the hub's cache; None for its branch ``main``."""
    untrained: str | None = None
    """``yes`` accepts an adapter that changes nothing, as a control."""
    max_model_len: str | None = None
    """``vllm:`` only: most tokens of a prompt and its answer together; None for the model's context length."""
    gpu_memory_utilization: str | None = None
    """``vllm:`` only: share of the GPU's memory that the server takes, in (0, 1]; None for vLLM's default."""
    tensor_parallel_size: str | None = None
    """``vllm:`` only: number of GPUs that share the weights; None for one."""

    def __str__(self) -> str:
        names = sorted(_OPTIONS[self.kind])
        chosen = [f"{name}={getattr(self, name)}" for name in names if getattr(self, name) is not None]
        adapter = f"+{self.adapter}" if self.adapter is not None else ""
        return f"{self.base}{adapter}{'?' if chosen else ''}{'&'.join(chosen)}"


def parse_weights(text: str, shown: str, kind: WeightsKind) -> WeightsSpec:
    """Return the parsed weights; the adapter begins after the last ``+``, the options after the last ``?``.

    If everything before the options is an existing path, it is the base, even with a ``+`` in its name.

    Args:
        text: the part of the spec after its kind.
        shown: the whole spec, for messages.
        kind: the kind of the spec.

    Raises:
        ModelError: a part is empty, or an option is unknown, given twice or has an invalid value.
    """
    weights, mark, query = text.rpartition("?")
    if not mark:
        weights, query = text, ""
    elif not query:
        raise ModelError(f"model {shown!r}: no option after '?'; expected for example ?load=4bit")
    base, plus, adapter = weights.rpartition("+")
    if not plus or (kind != "local" and os.path.exists(os.path.expanduser(weights))):
        base, plus, adapter = weights, "", ""
    if not base or (plus and not adapter):
        raise ModelError(f"model {shown!r}: a base and an adapter are written BASE+ADAPTER_PATH, neither of them empty")
    return WeightsSpec(kind=kind, base=base, adapter=adapter or None, **_options(query, shown, kind))


def _options(query: str, shown: str, kind: WeightsKind) -> dict[str, Any]:
    known, options = _OPTIONS[kind], dict[str, Any]()
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in known:
            raise ModelError(f"model {shown!r}: {_unknown(name, kind)}")
        if name in options:
            raise ModelError(f"model {shown!r}: the option {name!r} appears twice")
        pattern, words = known[name]
        if re.fullmatch(pattern, value) is None:
            raise ModelError(f"model {shown!r}: {name} is {words}, not {value!r}{_meant(name, value)}")
        options[name] = value
    return options


def _meant(name: str, value: str) -> str:
    """Return a hint if a value of ``load`` or ``dtype`` is another name of a known ``dtype``, else an empty string."""
    numbers = _NUMBERS.get(value.casefold(), value.casefold())
    is_one = name in ("load", "dtype") and re.fullmatch(_DTYPE[0], numbers) is not None
    return f"; did you mean dtype={numbers}?" if is_one else ""


def _unknown(name: str, kind: WeightsKind) -> str:
    """Return the message about an option that ``kind`` does not have."""
    others = [other for other in _OPTIONS if name in _OPTIONS[other]]
    if others:
        kinds = " and ".join(f"{other}:" for other in others)
        return f"{name!r} is an option of {kinds} alone; those of {kind}: are {', '.join(_OPTIONS[kind])}"
    hint = did_you_mean(name, _OPTIONS[kind], f"known: {', '.join(_OPTIONS[kind])}")
    return f"unknown option {name!r}; {hint}"
