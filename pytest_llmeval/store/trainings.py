"""The table ``trainings``: what a training was made of, how it went, and what its adapter gained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmeval.store.columns import columns_of, record_of

__all__ = ["Training", "TrainingStatus", "from_training", "to_training"]

TrainingStatus = Literal["running", "finished", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of one configuration."""

    id: str
    name: str
    """Of the configuration."""
    started_at: str
    """ISO 8601, UTC."""
    finished_at: str | None = None
    status: TrainingStatus
    """``running`` for ever where the process was killed."""
    verdict: Literal["pass", "fail", "none"] = "none"
    """Whether the adapter gained what its configuration demands; ``none`` where that was not measured."""
    reason: str | None = None
    base: str
    adapter: str | None = None
    """The folder of the adapter, once there is one."""
    config: Mapping[str, Any]
    seed: int
    git_commit: str | None = None
    git_dirty: bool | None = None
    steps: int | None = None
    best_step: int | None = None
    tokens_per_s: float | None = None
    """In the steps, padding, looks and checkpoints left out."""
    peak_memory_bytes: int | None = None
    record: Mapping[str, Any] | None = None
    """What run.json holds: digests, data, versions, sizes, times."""
    log: Sequence[Mapping[str, Any]] | None = None
    """The curves: what was logged at each step and look."""
    proof: Sequence[Mapping[str, Any]] | None = None
    """For each held-out split the two runs and their comparison."""
    version: str
    """Of this package."""


_AS_JSON = ("config", "record", "log", "proof")


def from_training(training: Training) -> dict[str, Any]:
    """Return the row of a training."""
    parts = {name: getattr(training, name) for name in _AS_JSON}
    told = {
        name: None if part is None else json.dumps(part, ensure_ascii=False, sort_keys=True)
        for name, part in parts.items()
    }
    return columns_of(training, **told)


def to_training(row: Mapping[str, Any]) -> Training:
    """Return the training of a row."""
    parts = {name: None if row[name] is None else json.loads(row[name]) for name in _AS_JSON}
    is_dirty = None if row["git_dirty"] is None else bool(row["git_dirty"])
    return record_of(Training, row, git_dirty=is_dirty, **parts)
