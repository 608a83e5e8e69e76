"""LoRA adapters for the embedded model: find them, check them against it, convert them to GGUF for its server."""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_llmeval.core.disk import unwritten
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.core.ids import digest
from pytest_llmeval.models.gguf_header import GgufHeader, read_gguf_header
from pytest_llmeval.models.hf.adapter_files import (
    check_adapter_base,
    check_templates,
    has_same_weights,
    is_base,
    known_templates,
    read_adapter_config,
)
from pytest_llmeval.models.hf.base_weights import read_digests
from pytest_llmeval.models.hf.sources import Source, adapter_digest, find_adapter
from pytest_llmeval.models.local.weights import SMOLLM2
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = [
    "adapter_file",
    "find_local_adapter",
    "local_engine",
    "local_revision",
    "require_converter",
    "require_packages",
]

FORMAT = "2"
"""Version of the converted files in the cache; changes whenever the conversion does."""


def find_local_adapter(weights: WeightsSpec) -> Path:
    """Return the path of a PEFT adapter's folder or of a ``.gguf`` file; raise ModelError if it is neither."""
    assert weights.adapter is not None
    path = at_home(weights.adapter)
    if path.suffix != ".gguf":
        return find_adapter(weights.adapter)
    if not path.is_file():
        raise ModelError(f"adapter {weights.adapter}: no such file; relative paths begin at {Path.cwd()}")
    return path.resolve()


def local_revision(weights: WeightsSpec | None) -> str:
    """Return the revision of the embedded model: the sha256 of its weights, and the digest of an adapter if any."""
    return SMOLLM2.sha256 if weights is None else f"{SMOLLM2.sha256}+{adapter_digest(find_local_adapter(weights))}"


def local_engine() -> str:
    """Return name and version of the engine of the embedded model; another version may give other answers.

    The engine's build does not know its own commit.
    """
    try:
        return f"xllamacpp {importlib.metadata.version('xllamacpp')}"
    except importlib.metadata.PackageNotFoundError:  # stored runs can be viewed without the engine
        return "xllamacpp"


def require_converter(weights: WeightsSpec, cache_dir: Path) -> None:
    """Raise ModelError if an adapter has yet to be converted to GGUF and the packages for that are missing."""
    path = find_local_adapter(weights)
    if path.is_dir() and not _kept(path, cache_dir).is_file():
        require_packages(str(weights.adapter))


def require_packages(adapter: str) -> None:
    """Raise ModelError if a package for the conversion of an adapter to GGUF is missing."""
    missing = [name for name in ("gguf", "numpy", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"adapter {adapter}: to make it into a GGUF file, pip install {' '.join(missing)}; a ready one is taken as"
            " it is (local:smollm2+ADAPTER.gguf)"
        )


def adapter_file(weights: WeightsSpec, base: Path, cache_dir: Path, report: Callable[[str], None]) -> Path:
    """Return the GGUF file of an adapter; a PEFT folder is converted into one in the cache folder.

    Args:
        weights: the spec with the adapter.
        base: the file of the embedded model's weights.
        cache_dir: folder for converted adapters, which are named by their content.
        report: shows one line to the user after a conversion.

    Raises:
        ModelError: the adapter was made for another base or chat template, cannot be converted to GGUF, or has tensors
            that do not fit the base.
    """
    path, where = find_local_adapter(weights), f"adapter {weights.adapter}"
    header = read_gguf_header(base, SMOLLM2.label)
    file = path if path.is_file() else _kept(path, cache_dir)
    if path.is_dir():
        # The last part of this path matches the hub's id, and the whole path the base that our trainings record.
        own = Source(base=cache_dir / SMOLLM2.label, hub_id=None, adapter=path)
        check_adapter_base(read_adapter_config(path, where), weights, own, where, file=base)
        check_templates(known_templates(path), header.text("tokenizer.chat_template"), where)
        if not file.is_file():
            require_converter(weights, cache_dir)
            _convert(path, file, header, where)
            report(f"made {file} out of {weights.adapter} (once)")
    adapter = read_gguf_header(file, where)
    if path.is_file():
        _check_origin(adapter, weights, header, base, where)
    _check_places(adapter, header, where)
    return file


def _kept(folder: Path, cache_dir: Path) -> Path:
    """Return the path of a folder's GGUF file in the cache; its name depends only on what decides its content."""
    return cache_dir / "adapters" / f"{digest(FORMAT + SMOLLM2.sha256 + adapter_digest(folder))[:32]}.gguf"


def _convert(folder: Path, target: Path, base: GgufHeader, where: str) -> None:
    """Convert the adapter; several processes may do so at once, with identical results."""
    # Imported here: numpy and gguf are needed once for each adapter, and are not part of the extra.
    from pytest_llmeval.models.hf.adapter_gguf import convert_adapter, heads_of_gguf

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        convert_adapter(folder, target, heads_of_gguf(base, where), where)
    except OSError as error:
        raise ModelError(f"{where}: {unwritten(target, error)}") from None


def _check_origin(adapter: GgufHeader, weights: WeightsSpec, base: GgufHeader, file: Path, where: str) -> None:
    """Raise ModelError if a file made by ``llmeval adapter gguf`` names another base or chat template."""
    own = Source(base=file.with_name(SMOLLM2.label), hub_id=None, adapter=None)
    known = read_digests(adapter.text("llmeval.base_weights"))
    made_for = adapter.text("llmeval.base_model")
    is_same = has_same_weights(known, made_for, file, weights, where)
    if not is_same and made_for and not is_base(made_for, weights, own):
        raise ModelError(f"{where}: it was made for the base {made_for!r}, not for {SMOLLM2.label}")
    said = adapter.text("llmeval.chat_template_sha256")
    check_templates({said: "its own fields"} if said else {}, base.text("tokenizer.chat_template"), where)


def _check_places(adapter: GgufHeader, base: GgufHeader, where: str) -> None:
    """Raise ModelError if llama.cpp would not load the adapter on the base; llama.cpp itself gives no reason."""
    if (adapter.text("general.type"), adapter.text("adapter.type")) != ("adapter", "lora"):
        raise ModelError(f"{where}: a GGUF file, but not of a LoRA adapter")
    family, own = adapter.text("general.architecture"), base.text("general.architecture")
    if family != own:
        raise ModelError(f"{where}: it is for a model of type {family!r}, and {SMOLLM2.label} is a {own!r}")
    if not adapter.tensors:
        raise ModelError(f"{where}: it holds no tensors")
    for name in adapter.tensors:
        module, _, side = name.rpartition(".")
        if side not in ("lora_a", "lora_b"):
            raise ModelError(f"{where}: {name} is half of no pair lora_a, lora_b, and would be left out")
        a, b = (adapter.tensors.get(f"{module}.{each}", ()) for each in ("lora_a", "lora_b"))
        if module == "token_embd.weight":  # llama.cpp adds the transposed product a·b there
            a, b = tuple(reversed(b)), a
        if module not in base.tensors or not _fits(a, b, base.tensors[module]):
            raise ModelError(
                f"{where}: {SMOLLM2.label} has no place for {name} of shape {adapter.tensors[name]}; it is for another"
                " base"
            )


def _fits(a: Sequence[int], b: Sequence[int], whole: Sequence[int]) -> bool:
    """Return whether the product b·a has the shape ``whole``; shapes begin with the length of a row."""
    return len(a) == len(b) == len(whole) == 2 and a[1] == b[0] and (a[0], b[1]) == tuple(whole)
