"""Checkpoints of a training: which of them can be resumed from, and the disk space that they need."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pytest_llmeval.core.errors import LlmevalError, SettingsError
from pytest_llmeval.core.ids import file_digest
from pytest_llmeval.store.whole_file import open_as_its_folder, sync_folder
from pytest_llmeval.training.config import LaunchModel
from pytest_llmeval.training.plan import write_json

__all__ = ["NEWEST", "Skipped", "find_best", "mark_open", "newest_complete", "require_space", "settle", "steps_of"]

Skipped = list[str]
"""Problems of the checkpoints that were skipped, one line each."""

NEWEST = "newest.safetensors"
"""File in a checkpoint of a training that averages: the newest weights, from which steps continue. The adapter in the
checkpoint is the mean."""
_WEIGHTS = "adapter_model.safetensors"
_SUMS = "sha256.json"
_WITHOUT_SUM = (_WEIGHTS, NEWEST, "adapter_config.json")
"""Files that get a checksum here, because damage leaves them readable; torch's files contain their own."""
_PREFIX = "checkpoint-"
_SENTINEL = "checkpoint-is-incomplete.txt"
_KEPT = 4
"""Number of checkpoints' sizes needed on the disk: the best, the newest, the one being written, the final adapter."""
_BESIDE_BYTES = 30 << 20
"""Bytes of a checkpoint's other files, mainly of the tokenizer."""


def newest_complete(folder: Path, launch: LaunchModel, *, is_averaged: bool = False) -> tuple[Path | None, Skipped]:
    """Return the newest checkpoint that can be resumed from, and the problems of newer ones.

    Args:
        folder: of the training.
        launch: the processes that write a checkpoint together.
        is_averaged: whether a checkpoint has the newest weights beside their mean.
    """
    skipped: Skipped = []
    for path in sorted(_checkpoints(folder), key=steps_of, reverse=True):
        problem = _problem(path, launch, is_averaged)
        if problem is None:
            return path, skipped
        skipped.append(f"{path.name}: {problem}")
    return None, skipped


def mark_open(checkpoint: Path) -> None:
    """Mark a checkpoint as being written, until ``settle`` is called.

    Raises:
        OSError: the mark cannot be written.
    """
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_json(checkpoint / _SUMS, None)


def settle(checkpoint: Path, best: int | None) -> None:
    """Flush a new checkpoint to the disk, with checksums, and only then remove earlier ones.

    Two remain: this one and the best one or, if they are the same, this one and the one before it.

    Args:
        checkpoint: the newest one, completely written.
        best: number of steps after which the best one was made; None if none is known.

    Raises:
        OSError: it cannot be written.
    """
    paths = [checkpoint / name for name in _WITHOUT_SUM]
    write_json(checkpoint / _SUMS, {path.name: file_digest(path) for path in paths if path.is_file()})
    open_as_its_folder(checkpoint)
    sync_folder(checkpoint)
    others, made = [path for path in _checkpoints(checkpoint.parent) if path != checkpoint], steps_of(checkpoint)
    # One with more steps was skipped as damaged.
    for path in sorted(others, key=lambda each: (steps_of(each) == best, steps_of(each) < made, steps_of(each)))[:-1]:
        shutil.rmtree(path, ignore_errors=True)


def steps_of(checkpoint: Path) -> int:
    """Return the number of steps after which a checkpoint was made."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def find_best(folder: Path, step: int, launch: LaunchModel) -> Path:
    """Return the best checkpoint of a training; raise LlmevalError if its weights are missing or damaged.

    Args:
        folder: of the training.
        step: number of steps after which it was made.
        launch: the processes that made it together.
    """
    path = folder / f"{_PREFIX}{step}"
    try:
        _check_weights(path, launch)
    except FileNotFoundError as error:
        lacks = f"lacks {Path(str(error.filename)).name}" if path.is_dir() else "is gone"
        raise LlmevalError(f"{path.name}, the best one so far, {lacks}") from None
    except Exception as error:  # noqa: BLE001  # as below
        raise LlmevalError(f"{path.name}, the best one so far, is damaged: {error}") from None
    return path


def require_space(folder: Path, adapter_weights: int, launch: LaunchModel, *, is_averaged: bool = False) -> None:
    """Raise SettingsError if the disk has no room for the checkpoints that a training has yet to write.

    Args:
        folder: where they are written.
        adapter_weights: number of weights in the adapter. Each takes 4 bytes, and its optimizer state 2; with engines
            that have no 8-bit optimizer the state takes 8, and a copy of the weight to resume from another 4.
        launch: the processes that train together.
        is_averaged: whether the newest weights are stored beside their mean.
    """
    each = (6 if launch.engine == "ddp" else 16) + (4 if is_averaged else 0)
    has = sum(path.stat().st_size for path in folder.glob(f"{_PREFIX}*/**/*") if path.is_file())
    needed = _KEPT * (each * adapter_weights + _BESIDE_BYTES) - has
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SettingsError(
            f"{folder}: {free / 1e6:.0f} MB are free, and the checkpoints need {needed / 1e6:.0f} MB; make room, or"
            " name a database elsewhere with --llmeval-db: trainings lie beside it"
        )


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdigit()]


def _problem(checkpoint: Path, launch: LaunchModel, is_averaged: bool) -> str | None:
    """Return why a checkpoint cannot be resumed from; None if it can."""
    if (checkpoint / _SENTINEL).exists():
        return "it was being written"
    try:
        best = json.loads((checkpoint / "trainer_state.json").read_bytes()).get("best_global_step")
        _check_weights(checkpoint, launch)
        if is_averaged:
            _check_safetensors(checkpoint / NEWEST)
        for name in _archives(launch):
            _check_archive(checkpoint / name)
        if best is not None:  # its weights become the adapter if no later look is better
            find_best(checkpoint.parent, best, launch)
    except LlmevalError as error:
        return str(error)
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except Exception as error:  # noqa: BLE001  # damaged bytes make zipfile and json raise many types
        return f"{type(error).__name__}: {error}"
    return None


def _archives(launch: LaunchModel) -> list[str]:
    """Return the names of files that torch writes: the states of optimizer, schedule and random numbers."""
    ranks = range(launch.processes)
    names = ["rng_state.pth"] if launch.processes == 1 else [f"rng_state_{rank}.pth" for rank in ranks]
    optimizer = {"ddp": ["optimizer.pt"], "fsdp": ["optimizer.bin"], "deepspeed": []}  # the last: with the weights
    return [*names, "scheduler.pt", *optimizer[launch.engine]]


def _check_weights(checkpoint: Path, launch: LaunchModel) -> None:
    """Raise if the weights of a checkpoint are not whole: the adapter's, and those that the engine loads.

    Raises:
        LlmevalError: a file is damaged, or was still being written.
        ValueError: a file is cut off; or processes are missing among the optimizer states of deepspeed, which it loads
            with the weights.
        OSError: a file is missing, or cannot be read.
    """
    _check_safetensors(checkpoint / _WEIGHTS)
    for name, sha256 in _sums(checkpoint).items():
        if file_digest(checkpoint / name) != sha256:
            raise LlmevalError(f"{name} is damaged")
    if launch.engine == "fsdp":
        _check_archive(checkpoint / "pytorch_model_fsdp.bin")
    if launch.engine == "deepspeed":
        tag = checkpoint / (checkpoint / "latest").read_text("utf-8").strip()
        states = list(tag.glob("*_optim_states.pt"))
        for path in (tag / "mp_rank_00_model_states.pt", *states):
            _check_archive(path)
        if len(states) < launch.processes:
            raise ValueError(f"{tag.name} has the states of {len(states)} processes")


def _sums(checkpoint: Path) -> Mapping[str, str]:
    """Return the checksums of a checkpoint's files.

    Raises:
        LlmevalError: the checkpoint was still being written.
    """
    found: Mapping[str, str] | None = json.loads((checkpoint / _SUMS).read_bytes())
    if found is None:
        raise LlmevalError("it was being written")
    return found


def _check_archive(path: Path) -> None:
    """Raise LlmevalError if a file written by torch is cut off or has other bytes than were written."""
    try:
        with zipfile.ZipFile(path) as archive:
            is_whole = archive.testzip() is None
    except zipfile.BadZipFile:
        is_whole = False
    if not is_whole:
        raise LlmevalError(f"{path.name} is damaged")


def _check_safetensors(path: Path) -> None:
    """Raise ValueError if a file does not end where its header says."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length)) if length <= path.stat().st_size else {}
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if not ends or 8 + length + max(ends) != path.stat().st_size:
        raise ValueError(f"{path.name} is cut off")
