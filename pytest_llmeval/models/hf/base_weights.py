"""What tells the weights of one base from those of another, wherever they lie and whatever they are called."""

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
"""Of all tensors together, and of one at most and at least."""
_BLOCKS = 4
_ONE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def weights_digests(base: Path) -> dict[str, str]:
    """Return the sha256 in hex of a base's weights by the form that they have; nothing where they cannot be read.

    Weights of two forms cannot be compared: a GGUF file with a folder, 16 bits with 32, or one that holds an output
    layer twice. Of one form they are the same in one file or many, with any tokenizer beside them. Of large tensors
    blocks all over them are read: training moves all weights.

    Args:
        base: a folder with safetensors, or a ``.gguf`` file.
    """
    try:
        if base.suffix == ".gguf":
            return {f"gguf {base.stat().st_size}": sampled_sha256(base)}
        tensors = sorted(_tensors(base), key=lambda tensor: tensor.name)
        return _of_tensors(tensors) if tensors else {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # whoever loads them says what is wrong


def trained_on(adapter: Path) -> dict[str, str]:
    """Return the digests of the weights that an adapter was trained on, by form; nothing where no record has them.

    Args:
        adapter: a folder; our trainings leave a record in it. That of the folder above it counts where it has none and
            both are for a base of one name.
    """
    place, record = next(iter(records_of(adapter).items()), (adapter, {}))
    base = record.get("base")
    if not isinstance(base, dict):
        return {}
    if place.parent != adapter and _base_name(adapter) not in {_base_name(place.parent), base.get("spec")} - {None}:
        return {}
    return _strings(base.get("weights"))


def read_digests(text: str | None) -> dict[str, str]:
    """Return the digests that a field of a GGUF file holds as JSON."""
    try:
        return _strings(json.loads(text or "{}"))
    except ValueError:
        return {}


def are_trained_on(known: Mapping[str, str], base: Path) -> bool | None:
    """Return whether a base has the weights that an adapter was trained on; None where that cannot be told.

    Args:
        known: what ``trained_on`` returned.
        base: a folder with safetensors, or a ``.gguf`` file.
    """
    here = weights_digests(base) if known else {}
    return next((known[form] == sha256 for form, sha256 in here.items() if form in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    """Where the numbers of a tensor are."""

    name: str
    form: tuple[Any, ...]
    """Name, type of the numbers, shape."""
    path: Path
    begin: int
    size: int
    """In bytes."""

    def blocks(self, most: int) -> Iterator[tuple[int, int]]:
        """Yield place and length of what is read: all of it, or ``most`` bytes in blocks from its begin to its end."""
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
    """Yield the tensors that transformers reads; https://github.com/huggingface/safetensors#format is the format."""
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
    """Return the files of weights in the order in which transformers looks for them."""
    if (folder / _ONE).is_file():
        return [folder / _ONE]
    if (folder / _INDEX).is_file():
        names = set(json.loads((folder / _INDEX).read_bytes())["weight_map"].values())
        return [folder / name for name in sorted(names)]
    return sorted(folder.glob("*.safetensors"))


def _base_name(folder: Path) -> str | None:
    """Return the base that the adapter in a folder names; None where none lies there."""
    path = folder / ADAPTER_CONFIG
    name = read_json(path).get("base_model_name_or_path") if path.is_file() else None
    return name if isinstance(name, str) else None


def _strings(said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {form: sha256 for form, sha256 in said.items() if isinstance(form, str) and isinstance(sha256, str)}
