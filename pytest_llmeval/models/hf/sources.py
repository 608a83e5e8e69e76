"""Locate the files of an ``hf:`` or ``vllm:`` spec and compute the digests that identify them; nothing is fetched."""

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.core.ids import digest, file_digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.models.gguf_header import read_gguf_header
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "Source",
    "adapter_digest",
    "find_adapter",
    "find_source",
    "read_json",
    "records_of",
    "require_hf_extra",
    "sampled_sha256",
    "source_digest",
    "source_stats",
]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_RECORD = "run.json"
_TRAINED = "adapter"
"""Name of the adapter's folder within the folder of its training."""
_BLOCKS, _BLOCK_BYTES = 256, 2**16
_LEFT_OUT = frozenset({".cache", ".git"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The files behind a spec."""

    base: Path
    """Folder with ``config.json``, or a ``.gguf`` file."""
    hub_id: str | None
    """Id of the base on the Hugging Face hub; None if the spec names a path."""
    adapter: Path | None
    """Folder with ``adapter_config.json`` and ``adapter_model.safetensors``; None without an adapter."""

    @property
    def is_gguf(self) -> bool:
        """Whether the base is one GGUF file."""
        return self.base.suffix == ".gguf"


def require_hf_extra(weights: WeightsSpec) -> None:
    """Raise ModelError if a package that ``weights`` need is not installed."""
    needed = ["torch", "transformers", "accelerate"]
    needed += ["peft"] if weights.adapter is not None else []
    needed += ["bitsandbytes"] if weights.load is not None else []
    needed += ["gguf"] if weights.base.endswith(".gguf") else []
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        lacking = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        raise ModelError(f"hf: models need an extra: pip install 'pytest-llmeval[hf]' ({lacking})")


def find_source(weights: WeightsSpec, environ: Mapping[str, str]) -> Source:
    """Return the files of ``weights``; relative paths begin at the current folder.

    Args:
        weights: the spec to look up.
        environ: environment with the hub's variables.

    Raises:
        ModelError: files are missing or are not those of a model, or an option does not apply to the spec.
    """
    shown = f"{weights.kind}:{weights.base}"
    if weights.untrained is not None and weights.adapter is None:
        raise ModelError(f"{weights.kind}:{weights}: untrained= is about an adapter, and none is named; leave it out")
    base, hub_id = _base(weights, shown, environ)
    if weights.revision is not None and hub_id is None:
        raise ModelError(
            f"{weights.kind}:{weights}: revision= is about a model of the hub, not of a path; leave it out"
        )
    if weights.load is not None and base.is_file():
        raise ModelError(
            f"{weights.kind}:{weights}: load= is about a folder, and of a GGUF file the weights are dequantised; leave"
            " it out, or save the model as a folder with transformers"
        )
    if base.is_dir():
        _require(base / "config.json", f"{shown}: no model is there")
        if weights.kind == "hf":
            _refuse_adapter(base, shown)
        if not any(base.glob("*.safetensors")):
            others = sorted(path.name for path in [*base.glob("*.bin"), *base.glob("*.gguf"), *base.glob("*.pt")])
            found = f"found {', '.join(others[:3])}" if others else "found no weights"
            raise ModelError(
                f"{shown}: {base} holds no *.safetensors, {found}; weights are read from safetensors only"
                " (other files can run code), and a GGUF file is named itself: hf:PATH.gguf"
            )
    return Source(base=base, hub_id=hub_id, adapter=find_adapter(weights.adapter) if weights.adapter else None)


def source_digest(weights: WeightsSpec, source: Source) -> str:
    """Return the sha256 in hex over all that identifies the model, the same on every machine.

    A base from the hub's cache is identified by its commit, any other base by the content of its files (of large files,
    by blocks spread over them), and an adapter by its content.
    """
    base: list[Any] = [source.hub_id, source.base.name]
    if source.hub_id is None:
        base = [[path.name, path.stat().st_size, sampled_sha256(path)] for path in _base_files(source)]
    adapter = _contents(source.adapter) if source.adapter else None
    return digest(canonical([base, adapter, weights.load, weights.dtype, weights.device]))


def adapter_digest(path: Path) -> str:
    """Return the sha256 in hex over the content of an adapter, which is a folder or a file."""
    return digest(canonical(_contents(path) if path.is_dir() else file_digest(path)))


def source_stats(source: Source) -> str:
    """Return the sha256 in hex over paths, sizes and times of the base's files; any edit on this machine changes it.

    For a base from the hub's cache the digest is that of an empty list, as its commit identifies it, wherever the cache
    is.
    """
    if source.hub_id is not None:
        return digest(canonical([]))
    stats = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in _base_files(source)]
    return digest(canonical(stats))


def _refuse_adapter(base: Path, shown: str) -> None:
    """Raise ModelError if there is an adapter among the files of a base, as transformers would apply it."""
    if (base / ADAPTER_CONFIG).is_file():
        raise ModelError(
            f"{shown}: {base} holds an adapter beside the model, which would answer with it; move {ADAPTER_CONFIG} and"
            " its weights to a folder of their own, and name BASE+ADAPTER_PATH where both are meant"
        )


def _base(weights: WeightsSpec, shown: str, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    text = weights.base
    path = at_home(text)
    if text.endswith(".gguf"):
        if weights.kind == "vllm":
            raise ModelError(f"{shown}: a GGUF file is what hf: runs; vLLM is given a folder of safetensors")
        if not path.is_file():
            raise ModelError(f"{shown}: no such file; relative paths begin at {Path.cwd()}")
        if read_gguf_header(path, shown).text("general.type") == "adapter":  # would load as a model of random weights
            raise ModelError(
                f"{shown}: a LoRA adapter, not a model; local:smollm2+{text} takes it where it is for that model, and"
                " hf: takes the PEFT folder that it was made of: hf:BASE+ADAPTER_PATH"
            )
        return path.resolve(), None
    if path.is_dir():
        return path.resolve(), None
    if path.exists():
        raise ModelError(f"{shown}: a file; name a model's folder, or a file whose name ends in .gguf")
    if text.startswith(("/", ".", "~")) or text.count("/") > 1 or "\\" in text:
        raise ModelError(f"{shown}: no such folder; relative paths begin at {Path.cwd()}")
    return _snapshot(text, weights.revision or "main", shown, environ), text


def _snapshot(hub_id: str, revision: str, shown: str, environ: Mapping[str, str]) -> Path:
    """Return the folder of a revision in the hub's cache.

    The layout is described in https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
    """
    cache = _hub_cache(environ)
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    pointer = folder / "refs" / revision
    commit = pointer.read_text("utf-8").strip() if pointer.is_file() else revision
    snapshot = folder / "snapshots" / commit
    if (snapshot / "config.json").exists():
        return snapshot
    fetch = f"hf download {hub_id}" + (f" --revision {revision}" if revision != "main" else "")
    raise ModelError(
        f"{shown}: neither a folder here nor in the cache of the Hugging Face hub ({cache}), and nothing is fetched"
        f" during a session. Fetch it once: {fetch}. If it is gated, accept its licence at"
        f" https://huggingface.co/{hub_id} and run hf auth login first. If a folder was meant, relative paths begin at"
        f" {Path.cwd()}"
    )


def _hub_cache(environ: Mapping[str, str]) -> Path:
    home = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")  # the latter is the old name
    return at_home(named or Path(home) / "hub")


def find_adapter(text: str) -> Path:
    """Return the folder of a PEFT adapter; raise ModelError if it is not one, or its training did not finish."""
    path = at_home(text)
    if path.is_file():
        raise ModelError(
            f"adapter {text}: a file, and a PEFT adapter is a folder; a GGUF file is what local:smollm2+FILE.gguf takes"
        )
    if not path.is_dir():
        raise ModelError(f"adapter {text}: no such folder; relative paths begin at {Path.cwd()}")
    is_above = (path / _TRAINED / ADAPTER_CONFIG).is_file()
    meant = f"; did you mean {Path(text) / _TRAINED}?" if is_above else ""
    _require(path / ADAPTER_CONFIG, f"adapter {text}: no PEFT adapter is there", meant)
    _require(path / ADAPTER_WEIGHTS, f"adapter {text}: its weights are not there (safetensors only)")
    for record, said in records_of(path).items():
        if said.get("complete", "training" not in said) is not True:  # our own records have both keys
            raise ModelError(f"adapter {text}: {record} says that its training did not end; resume that, or train anew")
    return path.resolve()


def records_of(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the records of an adapter's training by file: ``run.json`` in its folder, and in the folder above."""
    places = (folder / _RECORD, folder.parent / _RECORD)
    return {path: read_json(path) for path in places if path.is_file()}


def _require(path: Path, problem: str, meant: str = "") -> None:
    """Raise ModelError if a file is missing; ``meant`` ends the message."""
    if not path.is_file():
        raise ModelError(f"{problem}: {path} is missing{meant}")


def read_json(path: Path, before: str = "") -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one for any other JSON; raise ModelError if it is not JSON.

    ``before`` begins the error message.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{before}{path}: not JSON: {error}") from None
    return data if isinstance(data, dict) else {}


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that may influence a model's answers, sorted by name."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in _LEFT_OUT and path.suffix != ".md":
            yield path


def _contents(folder: Path) -> list[Any]:
    return [[path.name, file_digest(path)] for path in _files(folder)]


def _base_files(source: Source) -> list[Path]:
    return [source.base] if source.is_gguf else list(_files(source.base))


def sampled_sha256(path: Path) -> str:
    """Return the sha256 in hex of a file or, as training changes all weights, of blocks spread over a large one."""
    size = path.stat().st_size
    if size <= _BLOCKS * _BLOCK_BYTES:
        return file_digest(path)
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for place in range(_BLOCKS):
            file.seek(place * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            found.update(file.read(_BLOCK_BYTES))
    return found.hexdigest()
