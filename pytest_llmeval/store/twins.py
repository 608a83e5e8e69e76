"""Two runs of the same rows: what tells how much answers vary where nothing was changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmeval.store.records import Run

__all__ = ["twin_of"]


def twin_of(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the full run that is most like ``run`` and gave its rows other answers; None where there is none.

    It shares a suite and a model with it. The more suites of the same rows it has the better, then of the same prompt
    and code, then the newest. A run that scored the answers of another again has no answers of its own.

    Args:
        run: any run.
        runs: of the same file, the newest first.
    """
    by_id = {each.id: each for each in runs}
    own = _answered(run, by_id)
    candidates = [each for each in runs if each.is_full and _answered(each, by_id) != own]
    ranked = [(_likeness(run, each), -place) for place, each in enumerate(candidates)]
    best = max(ranked, default=None)
    if best is None or not best[0][0]:
        return None
    return candidates[-best[1]]


def _answered(run: Run, by_id: Mapping[str, Run]) -> str:
    """Return the id of the run that was given the answers of ``run``."""
    seen, before = run.id, run.settings.get("rescored")
    passed = {seen}
    while before is not None and before not in passed:  # a file may say anything
        passed.add(before)
        seen, before = before, by_id[before].settings.get("rescored") if before in by_id else None
    return seen


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
