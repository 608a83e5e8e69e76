"""Convert PEFT adapters into GGUF files for llama.cpp. Importing this module imports numpy.

Tensor names and the order of rows are those of llama.cpp's own converter, convert_lora_to_gguf.py.
"""

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.models.gguf_header import GgufHeader, read_gguf_header
from pytest_llmeval.models.hf.adapter_files import known_templates, read_adapter_config
from pytest_llmeval.models.hf.base_weights import trained_on
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_json

__all__ = ["Heads", "convert_adapter", "heads_of", "heads_of_gguf"]

Numbers = npt.NDArray[np.float32]

_ELSEWHERE = "llama.cpp's convert_lora_to_gguf.py may convert it; the file that it makes works as ADAPTER.gguf"
_FAMILY = ("llama", "mistral")
"""Model types that llama.cpp runs as ``llama``, with the rows of q and k in another order."""
_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_NAME = re.compile(rf"base_model\.model\.(model\.layers\.(\d+)\.({'|'.join(_PARTS)}))\.lora_([AB])\.weight")
_DTYPES: Mapping[str, str] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """The numbers of attention heads of a model."""

    q: int
    """Number of query heads."""
    kv: int
    """Number of key and value heads."""


def heads_of(base: Path, where: str) -> Heads:
    """Return the numbers of attention heads of a model.

    Args:
        base: a folder with ``config.json``, or a ``.gguf`` file.
        where: beginning of messages.

    Raises:
        ModelError: the model is not of the Llama family.
    """
    if base.suffix == ".gguf":
        return heads_of_gguf(read_gguf_header(base, where), where)
    config = read_json(base / "config.json")
    family, q = config.get("model_type"), config.get("num_attention_heads")
    if family not in _FAMILY or not isinstance(q, int):
        raise ModelError(_other_family(where, family))
    return Heads(q=q, kv=config.get("num_key_value_heads") or q)


def heads_of_gguf(header: GgufHeader, where: str) -> Heads:
    """Return the heads of the model in a GGUF file; raise ModelError if it is not of the Llama family."""
    q = header.count("llama.attention.head_count")
    if q is None:
        raise ModelError(_other_family(where, header.text("general.architecture")))
    return Heads(q=q, kv=header.count("llama.attention.head_count_kv") or q)


def convert_adapter(folder: Path, target: Path, heads: Heads, where: str) -> int:
    """Write an adapter as a GGUF file in float32 and return the number of its tensors.

    ``target`` is written completely or not at all. The fields ``llmeval.base_model``, ``llmeval.base_weights`` and
    ``llmeval.chat_template_sha256`` store what the adapter was made for.

    Args:
        folder: folder of the adapter.
        target: the file to write, in an existing folder.
        heads: heads of the adapter's base.
        where: beginning of messages.

    Raises:
        ModelError: the adapter is not a LoRA for the matrices of a Llama model, or its files are broken.
        OSError: the file cannot be written.
    """
    config = read_adapter_config(folder, where)
    alpha, pairs = _pairs(folder, config, heads, where)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(part, "llama")
    try:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        for key, value in (
            ("llmeval.base_model", config.get("base_model_name_or_path")),
            ("llmeval.base_weights", canonical(known) if (known := trained_on(folder)) else None),
            ("llmeval.chat_template_sha256", next(iter(known_templates(folder)), None)),
        ):
            if value:
                writer.add_string(key, value)
        for name, numbers in pairs:
            writer.add_tensor(name, numbers)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(part, target)
        return len(pairs)
    finally:
        with contextlib.suppress(OSError):  # on a full disk, closing fails too
            writer.close()
        part.unlink(missing_ok=True)


def _pairs(
    folder: Path, config: Mapping[str, Any], heads: Heads, where: str
) -> tuple[float, list[tuple[str, Numbers]]]:
    """Return the alpha for the file, and all tensors with llama.cpp's names for them.

    llama.cpp scales each product b·a by alpha / rank; if PEFT scales one differently, b is multiplied by the ratio.
    """
    if config.get("peft_type") != "LORA":
        raise ModelError(f"{where}: peft_type in {ADAPTER_CONFIG} is {config.get('peft_type')!r}; llama.cpp takes LORA")
    alpha = float(config.get("lora_alpha") or 0) or 1.0
    found = dict(_stored(folder / ADAPTER_WEIGHTS, where))
    tensors: list[tuple[str, Numbers]] = []
    for name in sorted(found):
        match = _NAME.fullmatch(name)
        if match is None:
            raise ModelError(
                f"{where}: llama.cpp has no place for {name} of {ADAPTER_WEIGHTS} that is known here; {_ELSEWHERE}"
            )
        module, layer, part, side = match.groups()
        twin = name.replace("lora_A", "lora_B") if side == "A" else name.replace("lora_B", "lora_A")
        numbers = found[name]
        if twin not in found or numbers.ndim != 2:
            raise ModelError(f"{where}: {ADAPTER_WEIGHTS} lacks {twin}, the other half of {name}")
        if side == "B":
            rank = numbers.shape[1]
            rest = _scale(config, module, rank) * rank / alpha
            numbers = numbers if rest == 1 else numbers * np.float32(rest)
            if part.endswith(("q_proj", "k_proj")):
                numbers = _permuted(numbers, heads.q if part.endswith("q_proj") else heads.kv, where)
        tensors.append((f"blk.{layer}.{_PARTS[part]}.weight.lora_{side.lower()}", np.ascontiguousarray(numbers)))
    if not tensors:
        raise ModelError(f"{where}: {ADAPTER_WEIGHTS} holds no tensors")
    return alpha, tensors


def _stored(path: Path, where: str) -> Iterator[tuple[str, Numbers]]:
    """Yield name and float32 values of each tensor in a safetensors file."""
    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]  # has no types
    except SafetensorError as error:
        raise ModelError(f"{where}: {path}: not a whole safetensors file: {error}") from None
    for name, entry in entries:
        if entry["dtype"] not in _DTYPES:
            raise ModelError(
                f"{where}: {name} of {path} has numbers of type {entry['dtype']}, which none are trained in"
            )
        stored = np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":  # the upper half of a float32
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        yield name, stored.astype(np.float32)


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """Return the factor by which PEFT multiplies the product b·a of a module.

    It is computed as in ``LoraLayer.update_layer`` and ``get_pattern_key`` of PEFT 0.21.
    """
    patterns = dict(config.get("alpha_pattern") or {})
    key = next((key for key in patterns if re.match(rf"(.*\.)?({key})$", module)), None)
    alpha = float(patterns[key] if key is not None else config.get("lora_alpha") or 0)
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _permuted(numbers: Numbers, heads: int, where: str) -> Numbers:
    """Return the rows of each head in llama.cpp's order: it rotates adjacent pairs, transformers rotates halves."""
    rows, columns = numbers.shape
    if rows % (2 * heads):
        raise ModelError(f"{where}: its {rows} rows of q or k are not those of {heads} heads; it is for another base")
    return numbers.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _other_family(where: str, family: object) -> str:
    return (
        f"{where}: it is for a model of type {family!r}, and adapters of Llama's kind are converted here; {_ELSEWHERE}"
    )
