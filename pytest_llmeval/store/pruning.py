"""Old runs taken out of a database: which of them go, and which are still of use and stay."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["Pruning", "choose_runs", "delete_runs"]

_PROOF = ("base_run", "adapter_run")
"""Where the proof of a training names its runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """The old runs of a database, the newest first."""

    goes: Sequence[Run]
    stays: Sequence[tuple[Run, str]]
    """Each with the reason: it is still of use."""

    @property
    def ids(self) -> list[str]:
        """The ids of those that go."""
        return [run.id for run in self.goes]


def choose_runs(reader: SqliteReader, *, before: str, even_unfinished: bool = False) -> Pruning:
    """Return which runs are old, and which of them go.

    Args:
        reader: of the database.
        before: ISO 8601, UTC; a run is old of which nothing was recorded since.
        even_unfinished: whether those may go that ``--resume`` would continue.
    """
    runs = reader.runs()
    uses = _uses(reader, runs, even_unfinished=even_unfinished)
    known = {run.id: run for run in runs}
    kept = [run for run in runs if run.last_sign_at >= before or run.id in uses]
    seen = {run.id for run in kept}
    for run in kept:  # it grows meanwhile: what a run that stays needs stays, too
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
    """Delete the runs that go, and yield the id of each that is gone.

    Each goes in one commit, so that a session beside this never waits long, and a process that is killed leaves whole
    runs. What others wrote meanwhile is looked at first: a run that is of use by now stays.
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
    """Return why runs stay however old they are, by their ids."""
    uses = dict.fromkeys(reader.labelled_runs(), "people labelled its answers")
    for training in reader.trainings():
        for side in (part.get(name) for part in training.proof or () for name in _PROOF):
            uses[str(side)] = f"it is of the proof of training {training.id}"
    for run in runs:
        status = run.shown_status
        if status == "running":
            uses[run.id] = "it is going on"
        elif not even_unfinished and (status in UNFINISHED or status == "unmeasurable"):
            uses.setdefault(run.id, f"it is {status} and can be resumed (--even-unfinished takes it, too)")
    return {**uses, **{each.run_id: f"it is baseline {each.name}" for each in reader.baselines()}}


def _needs(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the runs that a verdict on ``run`` rests on, each with what it is to it."""
    chosen = run.settings.get("baseline")
    if isinstance(chosen, dict):
        yield str(chosen.get("run")), f"run {run.id} was compared with it"
    if rescored := run.settings.get("rescored"):
        yield str(rescored), f"run {run.id} scored its answers again"
