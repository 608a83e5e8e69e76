"""Digests that identify the weights of a base, independent of their place and name."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.models.hf.sources import ADAPTER_CONFIG, read_json, records_of, sampled_sha256

__all__ = ["are_trained_on", "read_digests", "trained_on", "weights_digests"]

_READ_BYTES, _TENSOR_BYTES, _LEAST_BYTES = 2**24, 2**16, 2**10
"""Largest number of bytes to read of all tensors together, and the most and fewest bytes to read of one tensor."""
_BLOCKS = 4
_ONE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def weights_digests(base: Path) -> dict[str, str]:
    """Return the sha256 in hex of a base's weights by their form; empty if they cannot be read.

    Weights of different forms cannot be compared: a GGUF file with a folder, 16-bit with 32-bit numbers, or a model
    with a second copy of its output layer. Within one form, the digest does not depend on the number of files or on the
    tokenizer. Of large tensors only blocks spread over them are read, as training changes all weights.

    Args:
        base: a folder with safetensors, or a ``.gguf`` file.
    """
    try:
        if base.suffix == ".gguf":
            return {f"gguf {base.stat().st_size}": sampled_sha256(base)}
        tensors = sorted(_tensors(base), key=lambda tensor: tensor.name)
        return _of_tensors(tensors) if tensors else {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # loading the weights will report what is wrong


def trained_on(adapter: Path) -> dict[str, str]:
    """Return the digests of the weights that an adapter was trained on, by form; empty if no record has them.

    Args:
        adapter: the adapter's folder, in which our trainings leave a record. If it has none, the record in the folder
            above counts, provided that it belongs to the base that the adapter names.
    """
    place, record = next(iter(records_of(adapter).items()), (adapter, {}))
    base = record.get("base")
    if not isinstance(base, dict):
        return {}
    if place.parent != adapter and _base_name(adapter) not in {_base_name(place.parent), base.get("spec")} - {None}:
        return {}
    return _strings(base.get("weights"))


def read_digests(text: str | None) -> dict[str, str]:
    """Return the digests in the JSON text of a GGUF file's field; empty if the text is not valid."""
    try:
        return _strings(json.loads(text or "{}"))
    except ValueError:
        return {}


def are_trained_on(known: Mapping[str, str], base: Path) -> bool | None:
    """Return whether a base has the weights that an adapter was trained on; None if that is not known.

    Args:
        known: the digests from ``trained_on``.
        base: a folder with safetensors, or a ``.gguf`` file.
    """
    here = weights_digests(base) if known else {}
    return next((known[form] == sha256 for form, sha256 in here.items() if form in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    """The place of a tensor's data in a file."""

    name: str
    form: tuple[Any, ...]
    """Name, dtype and shape."""
    path: Path
    begin: int
    size: int
    """Size in bytes."""

    def blocks(self, most: int) -> Iterator[tuple[int, int]]:
        """Yield offset and length of each block to read: the whole tensor, or blocks of ``most`` bytes in all."""
        if self.size <= most:
            yield self.begin, self.size
            return
        length = most // _BLOCKS
        for number in range(_BLOCKS):
            yield self.begin + number * (self.size - length) // (_BLOCKS - 1), length


def _of_tensors(tensors: list[_Tensor]) -> dict[str, str]:
    most = max(_LEAST_BYTES, min(_TENSOR_BYTES, _READ_BYTES // len(tensors)))
    found = hashlib.sha256()
    for tensor in tensors:
        with open(tensor.path, "rb") as file:
            for place, length in tensor.blocks(most):
                file.seek(place)
                found.update(file.read(length))
    form = digest(canonical([list(tensor.form) for tensor in tensors]))
    return {f"safetensors {form[:16]}": found.hexdigest()}


def _tensors(folder: Path) -> Iterator[_Tensor]:
    """Yield the tensors that transformers reads; the format is https://github.com/huggingface/safetensors#format."""
    for path in _files(folder):
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > path.stat().st_size:
                raise ValueError(f"{path} is cut off")
            header = json.loads(file.read(length))
        for name, told in header.items():
            if name != "__metadata__":
                begin, end = told["data_offsets"]
                form = (name, told["dtype"], told["shape"])
                yield _Tensor(name=name, form=form, path=path, begin=8 + length + begin, size=end - begin)


def _files(folder: Path) -> list[Path]:
    """Return the weight files that transformers would load: one file, those of an index, or else all."""
    if (folder / _ONE).is_file():
        return [folder / _ONE]
    if (folder / _INDEX).is_file():
        names = set(json.loads((folder / _INDEX).read_bytes())["weight_map"].values())
        return [folder / name for name in sorted(names)]
    return sorted(folder.glob("*.safetensors"))


def _base_name(folder: Path) -> str | None:
    """Return the base that the adapter in a folder names; None if there is no adapter or it names none."""
    path = folder / ADAPTER_CONFIG
    name = read_json(path).get("base_model_name_or_path") if path.is_file() else None
    return name if isinstance(name, str) else None


def _strings(said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {form: sha256 for form, sha256 in said.items() if isinstance(form, str) and isinstance(sha256, str)}
