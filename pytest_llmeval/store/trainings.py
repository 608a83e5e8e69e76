"""The table ``trainings``: what a training was made of, how it went, and what its adapter gained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

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


_COLUMNS = tuple(field.name for field in fields(Training))
_AS_JSON = ("config", "record", "log", "proof")


def from_training(training: Training) -> dict[str, Any]:
    """Return the row of a training."""
    row: dict[str, Any] = {name: getattr(training, name) for name in _COLUMNS}
    for name in _AS_JSON:
        row[name] = None if row[name] is None else json.dumps(row[name], ensure_ascii=False, sort_keys=True)
    return row


def to_training(row: Mapping[str, Any]) -> Training:
    """Return the training of a row."""
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    for name in _AS_JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    if values["git_dirty"] is not None:
        values["git_dirty"] = bool(values["git_dirty"])
    return Training(**values)
