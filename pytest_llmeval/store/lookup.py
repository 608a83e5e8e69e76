"""Finding the run that a person refers to."""

from collections.abc import Sequence
from typing import TypeVar

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.text import and_more, storable
from pytest_llmeval.store.records import NamedBaseline, Run, RunName

__all__ = ["pick_run"]

_MOST = 3
"""Largest number of matching runs that a message names."""
_Found = TypeVar("_Found", Run, RunName)


def pick_run(
    runs: Sequence[_Found],
    ref: str,
    *,
    where: str,
    baselines: Sequence[NamedBaseline] = (),
    trainings: Sequence[str] = (),
) -> _Found:
    """Return the run among ``runs``, newest first, that ``ref`` refers to.

    ``last`` is the newest. Otherwise the attempts are, in this order: an id, a name (its newest run), the name of one
    of ``baselines``, a unique prefix of an id.

    Raises:
        StoreError: nothing matches, or a prefix matches several runs. If ``ref`` may mean one of ``trainings`` (by id),
            the message says how to show it.
    """
    training = next((each for each in trainings if ref and each.startswith(ref)), None)
    if not runs and training is None:
        raise StoreError(f"{where}: no runs yet; `pytest evals` records one")
    if ref == "last" and runs:
        return runs[0]
    names = (ref, storable(ref))  # as the database stores it, too
    named = [each.run_id for each in baselines if each.name in names]
    exact = [run for run in runs if run.id == ref] or [run for run in runs if run.name in names]
    exact = exact or [run for run in runs if run.id in named]
    if exact:
        return exact[0]
    found = [run for run in runs if ref and run.id.startswith(ref)]
    if len(found) > 1:
        raise StoreError(f"{where}: {ref!r} matches {len(found)} runs: {and_more([run.id for run in found], _MOST)}")
    if not found and training is not None:
        raise StoreError(f"{where}: no run {ref!r}; `llmeval trainings {training}` shows a training")
    if not found:
        known = {"last", *(run.name for run in runs if run.name), *(each.name for each in baselines)}
        raise StoreError(f"{where}: no run {ref!r}; {did_you_mean(ref, known, '`llmeval runs` lists them')}")
    return found[0]
