"""Two runs of the same rows: what tells how much answers vary where nothing was changed, and whose answers they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_llmeval.store.records import Run

__all__ = ["origins", "twin_of"]


def twin_of(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the full run that is most like ``run`` and gave its rows other answers; None where there is none.

    It shares a suite and a model with it. The more suites of the same rows it has the better, then of the same prompt
    and code, then the newest. A run that scored the answers of another again has no answers of its own.

    Args:
        run: any run.
        runs: of the same file, the newest first.
    """
    answered = origins([*runs, run])
    candidates = [each for each in runs if each.is_full and answered[each.id] != answered[run.id]]
    ranked = [(_likeness(run, each), -place) for place, each in enumerate(candidates)]
    best = max(ranked, default=None)
    if best is None or not best[0][0]:
        return None
    return candidates[-best[1]]


def origins(runs: Iterable[Run]) -> dict[str, str]:
    """Return, by the id of each run, the id of the one that was given its answers.

    That is the run itself, unless it scored answers again, however often they had been by then. Of a run that is not
    among ``runs`` no more is known than its id.
    """
    before = {run.id: str(run.settings.get("rescored") or run.id) for run in runs}
    return {run_id: _origin(run_id, before) for run_id in before}


def _origin(run_id: str, before: Mapping[str, str]) -> str:
    passed = [run_id]
    while (earlier := before.get(passed[-1], passed[-1])) not in passed:  # a file may say anything
        passed.append(earlier)
    return passed[-1]


def _likeness(run: Run, other: Run) -> tuple[int, int, int]:
    """Return how many suites both have with a model of both, with the same rows, and with the same prompt and code."""
    mine, its = run.suites, other.suites
    shared = {name for name, _ in run.expected.keys() & other.expected.keys()}
    alike = [name for name in shared if _equal("rows_digest", mine[name], its[name])]
    same = [
        name for name in alike if all(_equal(key, mine[name], its[name]) for key in ("prompt_digest", "code_digest"))
    ]
    return len(shared), len(alike), len(same)


def _equal(key: str, mine: Mapping[str, Any], its: Mapping[str, Any]) -> bool:
    return mine.get(key) == its.get(key)
