"""The table ``trainings``: what a training was made of, how it went, and what its adapter gained."""

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
    """Of the configuration."""
    started_at: str
    """ISO 8601, UTC."""
    finished_at: str | None = None
    status: TrainingStatus
    """``running`` for ever where the process was killed, which is shown as ``crashed`` and never stored so."""
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


_AS_JSON: dict[str, type[dict[str, Any] | list[Any]]] = {"config": dict, "record": dict, "log": list, "proof": list}
_MOST = 3


def from_training(training: Training) -> dict[str, Any]:
    """Return the row of a training."""
    parts = {name: getattr(training, name) for name in _AS_JSON}
    told = {
        name: None if part is None else json.dumps(part, ensure_ascii=False, sort_keys=True)
        for name, part in parts.items()
    }
    return columns_of(training, **told)


def to_training(row: Mapping[str, Any]) -> Training:
    """Return the training of a row; raise DatabaseError where it is damaged."""
    whose = f"training {row['id']}"
    parts = {
        name: None if row[name] is None else sound_json(row[name], form, whose, name) for name, form in _AS_JSON.items()
    }
    is_dirty = None if row["git_dirty"] is None else bool(row["git_dirty"])
    return record_of(Training, row, git_dirty=is_dirty, **parts)


def pick_training(trainings: Sequence[Training], ref: str, *, where: str) -> Training:
    """Return the training that ``ref`` means among ``trainings``, the newest first.

    ``last`` is the newest; then an id, a name (its newest training) and a unique beginning of an id are tried.

    Raises:
        StoreError: there is none, or a beginning fits several.
    """
    exact = trainings[:1] if ref == "last" else [each for each in trainings if each.id == ref]
    exact = exact or [each for each in trainings if each.name == ref]
    found = exact[:1] or [each for each in trainings if each.id.startswith(ref)]
    if len(found) > 1:
        told = and_more([each.id for each in found], _MOST)
        raise StoreError(f"{where}: {ref!r} fits {len(found):,} trainings: {told}")
    if not found:
        raise StoreError(f"{where}: no training {ref!r}; `llmeval trainings` lists them")
    return found[0]
