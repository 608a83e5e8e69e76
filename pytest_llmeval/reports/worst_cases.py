"""The cases of a run to look at first: the worst misses, and the first errors."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call
from pytest_llmeval.store.protocol import StoreReader

__all__ = ["WorstCase", "WorstCases", "worst_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """One such case, with its calls."""

    case: StoredCase
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCases:
    """The worst cases of a run, and the numbers of all misses and errors."""

    misses: Sequence[WorstCase]
    """Misses, the lowest failed score first; a plain failed assertion counts as 0."""
    errors: Sequence[WorstCase]
    """Errors, in the order of recording."""
    missed: int
    broken: int


def worst_cases(store: StoreReader, run_id: str, *, most: int) -> WorstCases:
    """Return the worst cases of a run, at most ``most`` of each kind and no more than that in memory."""
    counts = {"missed": 0, "error": 0}
    kept: dict[str, list[tuple[float, int, StoredCase]]] = {"missed": [], "error": []}
    for place, case in enumerate(store.unlucky(run_id, most=None)):
        counts[case.outcome] += 1
        badness = -_value(case) if case.outcome == "missed" else 0.0
        heapq.heappush(kept[case.outcome], (badness, -place, case))
        if len(kept[case.outcome]) > most:
            heapq.heappop(kept[case.outcome])
    return WorstCases(
        misses=_with_calls(store, kept["missed"]),
        errors=_with_calls(store, kept["error"]),
        missed=counts["missed"],
        broken=counts["error"],
    )


def _value(case: StoredCase) -> float:
    return min((score.value or 0.0 for score in case.scores if score.passed is False), default=0.0)


def _with_calls(store: StoreReader, kept: Iterable[tuple[float, int, StoredCase]]) -> list[WorstCase]:
    ordered = sorted(kept, key=lambda each: each[:2], reverse=True)
    return [WorstCase(case=case, calls=store.calls(case.id)) for _, _, case in ordered]
