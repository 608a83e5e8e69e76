"""The table ``trainings``: the configuration of a training, its course, and the gain of its adapter."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.text import and_more
from pytest_llmeval.store.columns import columns_of, record_of
from pytest_llmeval.store.rows import sound_json

__all__ = ["Training", "TrainingStatus", "from_training", "pick_training", "to_training"]

TrainingStatus = Literal["running", "finished", "interrupted", "failed", "crashed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of one configuration."""

    id: str
    name: str
    """Name of the configuration."""
    started_at: str
    """ISO 8601, UTC."""
    finished_at: str | None = None
    status: TrainingStatus
    """Stored as ``running`` for good if the process was killed; shown as ``crashed``, which is never stored."""
    verdict: Literal["pass", "fail", "none"] = "none"
    """Whether the adapter gained what its configuration demands; ``none`` if that was not measured."""
    reason: str | None = None
    base: str
    adapter: str | None = None
    """Folder of the adapter, once it exists."""
    config: Mapping[str, Any]
    seed: int
    git_commit: str | None = None
    git_dirty: bool | None = None
    steps: int | None = None
    best_step: int | None = None
    tokens_per_s: float | None = None
    """Tokens per second during steps, without padding, evaluations and checkpoints."""
    peak_memory_bytes: int | None = None
    record: Mapping[str, Any] | None = None
    """Content of run.json: digests, data, versions, sizes, times."""
    log: Sequence[Mapping[str, Any]] | None = None
    """The curves: values logged at each step and each evaluation during training."""
    proof: Sequence[Mapping[str, Any]] | None = None
    """The two runs of each held-out split, and their comparison."""
    version: str
    """Version of pytest-llmeval."""


_AS_JSON: dict[str, type[dict[str, Any] | list[Any]]] = {"config": dict, "record": dict, "log": list, "proof": list}
_MOST = 3
"""Largest number of matching trainings that a message names."""


def from_training(training: Training) -> dict[str, Any]:
    """Return the row of a training."""
    parts = {name: getattr(training, name) for name in _AS_JSON}
    fields = {
        name: None if part is None else json.dumps(part, ensure_ascii=False, sort_keys=True)
        for name, part in parts.items()
    }
    return columns_of(training, **fields)


def to_training(row: Mapping[str, Any]) -> Training:
    """Return the training of a row; raise DatabaseError if it is damaged."""
    whose = f"training {row['id']}"
    parts = {
        name: None if row[name] is None else sound_json(row[name], form, whose, name) for name, form in _AS_JSON.items()
    }
    is_dirty = None if row["git_dirty"] is None else bool(row["git_dirty"])
    return record_of(Training, row, git_dirty=is_dirty, **parts)


def pick_training(trainings: Sequence[Training], ref: str, *, where: str) -> Training:
    """Return the training among ``trainings``, newest first, that ``ref`` refers to.

    ``last`` is the newest. Otherwise the attempts are an id, a name (its newest training) and a unique prefix of an id.

    Raises:
        StoreError: nothing matches, or a prefix matches several.
    """
    exact = trainings[:1] if ref == "last" else [each for each in trainings if each.id == ref]
    exact = exact or [each for each in trainings if each.name == ref]
    found = exact[:1] or [each for each in trainings if each.id.startswith(ref)]
    if len(found) > 1:
        message = and_more([each.id for each in found], _MOST)
        raise StoreError(f"{where}: {ref!r} matches {len(found):,} trainings: {message}")
    if not found:
        raise StoreError(f"{where}: no training {ref!r}; `llmeval trainings` lists them")
    return found[0]
