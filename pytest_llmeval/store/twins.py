"""Relations of runs with the same rows: which run shows how much answers vary, and which one got the answers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_llmeval.store.records import Run

__all__ = ["origins", "twin_of"]


def twin_of(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the full run that is most like ``run`` and has other answers for its rows; None if there is none.

    It shares a suite and a model with ``run``. Runs with more suites of the same rows come first, then those with more
    of the same prompt and code, then the newest. A rescored run has no answers of its own.

    Args:
        run: any run.
        runs: the runs of the same file, newest first.
    """
    answered = origins([*runs, run])
    candidates = [each for each in runs if each.is_full and answered[each.id] != answered[run.id]]
    ranked = [(_likeness(run, each), -place) for place, each in enumerate(candidates)]
    best = max(ranked, default=None)
    if best is None or not best[0][0]:
        return None
    return candidates[-best[1]]


def origins(runs: Iterable[Run]) -> dict[str, str]:
    """Return, for the id of each run, the id of the run whose calls got its answers.

    That is the run itself, or for a rescored run the first run in its chain of rescorings. A run that is missing from
    ``runs`` ends the chain.
    """
    before = {run.id: str(run.settings.get("rescored") or run.id) for run in runs}
    return {run_id: _origin(run_id, before) for run_id in before}


def _origin(run_id: str, before: Mapping[str, str]) -> str:
    passed = [run_id]
    while (earlier := before.get(passed[-1], passed[-1])) not in passed:  # a file may say anything
        passed.append(earlier)
    return passed[-1]


def _likeness(run: Run, other: Run) -> tuple[int, int, int]:
    """Return how many suites both runs have with a shared model, the same rows, and the same prompt and code."""
    mine, its = run.suites, other.suites
    shared = {name for name, _ in run.expected.keys() & other.expected.keys()}
    alike = [name for name in shared if run.has_rows_of(other, name)]
    same = [
        name for name in alike if all(_equal(key, mine[name], its[name]) for key in ("prompt_digest", "code_digest"))
    ]
    return len(shared), len(alike), len(same)


def _equal(key: str, mine: Mapping[str, Any], its: Mapping[str, Any]) -> bool:
    return mine.get(key) == its.get(key)
