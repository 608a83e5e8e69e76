"""Deleting old runs from a database: which of them can go, and which are still needed and stay."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.shards import left_by_merge
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["Pruning", "choose_runs", "delete_runs"]

_PROOF = ("base_run", "adapter_run")
"""Keys of a training's proof that name its runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """The old runs of a database, newest first, divided into those to delete and those to keep."""

    goes: Sequence[Run]
    stays: Sequence[tuple[Run, str]]
    """Old runs that are still needed, each with the reason."""

    @property
    def ids(self) -> list[str]:
        """Ids of the runs to delete."""
        return [run.id for run in self.goes]


def choose_runs(reader: SqliteReader, *, before: str, even_unfinished: bool = False) -> Pruning:
    """Return the old runs, and which of them can be deleted.

    Args:
        reader: reads the database.
        before: ISO 8601, UTC; a run is old if nothing was recorded of it since.
        even_unfinished: whether runs can be deleted that ``--resume`` would continue.
    """
    runs = reader.runs()
    uses = _uses(reader, runs, even_unfinished=even_unfinished)
    known = {run.id: run for run in runs}
    kept = [run for run in runs if run.last_sign_at >= before or run.id in uses]
    seen = {run.id for run in kept}
    for run in kept:  # the list grows: runs that a kept run needs are kept, too
        for needed, use in _needs(run):
            if needed in known and needed not in seen:
                seen.add(needed)
                uses[needed] = use
                kept.append(known[needed])
    old = [run for run in runs if run.last_sign_at < before]
    return Pruning(
        goes=[run for run in old if run.id not in uses],
        stays=[(run, uses[run.id]) for run in old if run.id in uses],
    )


def delete_runs(store: SqliteStore, choose: Callable[[], Pruning]) -> Iterator[str]:
    """Delete the chosen runs, and yield the id of each that was deleted.

    Each run is deleted in a commit of its own, so that a concurrent session never waits long, and a killed process
    leaves only whole runs. If others wrote in the meantime, the choice is made again first: a run that is needed by now
    stays.
    """
    version, wanted = store.data_version, choose().ids

    def is_wanted(run_id: str) -> bool:
        nonlocal version, wanted
        if store.data_version != version:
            version, wanted = store.data_version, choose().ids
        return run_id in wanted

    for run_id in wanted:
        if store.delete_run(run_id, is_wanted=is_wanted):
            yield run_id


def _uses(reader: SqliteReader, runs: Sequence[Run], *, even_unfinished: bool) -> dict[str, str]:
    """Return the reasons why runs stay whatever their age, by run id."""
    uses = dict.fromkeys(reader.labelled_runs(), "people labelled its answers")
    for training in reader.trainings():
        for side in (part.get(name) for part in training.proof or () for name in _PROOF):
            uses[str(side)] = f"it is part of the proof of training {training.id}"
    for run in runs:
        status = run.shown_status
        if status == "running":
            uses[run.id] = "it is still running"
        elif not even_unfinished and (status in UNFINISHED or status == "unmeasurable"):
            if left_by_merge(run):
                uses.setdefault(run.id, "its merge was killed and can be repeated (--even-unfinished includes it)")
            elif not run.settings.get("rescored") and not run.is_imported:  # neither of these can be resumed
                uses.setdefault(run.id, f"it is {status} and can be resumed (--even-unfinished includes it)")
    return {**uses, **{each.run_id: f"it is baseline {each.name}" for each in reader.baselines()}}


def _needs(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the runs that a verdict on ``run`` depends on, each with the reason."""
    chosen = run.settings.get("baseline")
    if isinstance(chosen, dict):
        yield str(chosen.get("run")), f"run {run.id} was compared with it"
    if rescored := run.settings.get("rescored"):
        yield str(rescored), f"run {run.id} scored its answers again"
