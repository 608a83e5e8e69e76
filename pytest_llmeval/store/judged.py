"""Reading what the gate needs of many stored cases: without texts, and with equal values held only once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pytest_llmeval.core.gate.case import STRICT_XPASS, XPASSED, JudgedCase
from pytest_llmeval.store.gone_rows import is_gone
from pytest_llmeval.store.rows import sound_json

__all__ = ["CASES_SQL", "OF_CASES", "OF_SCORES", "SCORES_SQL", "judged_cases"]

T = TypeVar("T")

OF_CASES = f"FROM cases WHERE +run_id = ?1 AND rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()} ORDER BY rowid"
"""The cases of a run in the order of recording, given its first and last rowid. Rows between are nearly always its own,
so each page is read once and nothing is sorted."""
OF_SCORES = f"""FROM cases CROSS JOIN scores ON scores.case_id = cases.id
WHERE +cases.run_id = ?1 AND cases.rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()} ORDER BY cases.rowid, scores.name"""
"""Their scores, in the same order."""
_KIND = f"CASE WHEN outcome = 'skipped' AND error LIKE '{STRICT_XPASS}%' THEN '{XPASSED}' ELSE error_kind END"
CASES_SQL = f"""
SELECT rowid, suite, model, sample_id, epoch, slices, outcome, {_KIND}, latency_s, cost_usd, input_tokens,
       output_tokens, cached, judge_cached, judge_cost_usd, input_digest, cluster {OF_CASES}
"""
SCORES_SQL = f"""
SELECT cases.rowid, scores.value, scores.name, scores.passed, scores.status, scores.scorer_digest, scores.judge_id
{OF_SCORES}
"""

_MOST_HELD = 10_000


class _Held(dict[Any, Any]):
    """Interned values, up to _MOST_HELD: values that never repeat would only take memory."""

    def one(self, value: T) -> T:
        """Return the held value that equals ``value``, or hold ``value`` itself."""
        found: T | None = self.get(value)
        return self.keep(value, value) if found is None else found

    def keep(self, key: object, value: T) -> T:
        """Hold ``value`` if there is room; return it."""
        if len(self) < _MOST_HELD:
            self[key] = value
        return value


class _Values(Mapping[str, float | None]):
    """The values of a case's scores by name, in half the memory of a dict, because cases share the names."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: dict[str, int], values: tuple[float | None, ...]) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, name: str) -> float | None:
        return self._values[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)


class _Facts(NamedTuple):
    """Facts that cases with the same scorers and the same passes share, by score name."""

    names: tuple[str, ...]
    places: dict[str, int]
    """Index of each value in the tuple of values."""
    passed: dict[str, bool | None]
    statuses: dict[str, str]
    digests: dict[str, str | None]
    judge_ids: dict[str, str | None]

    @classmethod
    def of(cls, scores: tuple[tuple[Any, ...], ...]) -> "_Facts":
        """Return the facts of ``scores``, each a row of ``SCORES_SQL`` from the name on."""
        return cls(
            names=tuple(score[0] for score in scores),
            places={score[0]: place for place, score in enumerate(scores)},
            passed={score[0]: None if score[1] is None else bool(score[1]) for score in scores},
            statuses={score[0]: score[2] for score in scores},
            digests={score[0]: score[3] for score in scores},
            judge_ids={score[0]: score[4] for score in scores},
        )


def judged_cases(cases: Iterable[tuple[Any, ...]], scores: Iterator[tuple[Any, ...]]) -> Iterator[JudgedCase]:
    """Yield what the gate needs of each case.

    Args:
        cases: the rows of ``CASES_SQL``.
        scores: the rows of ``SCORES_SQL`` for the same run.

    Raises:
        DatabaseError: a row is damaged.
    """
    texts, costs, counts, points, slices, facts, values = (_Held() for _ in range(7))
    left = next(scores, None)
    for row, suite, model, sample, epoch, listed, outcome, kind, latency, cost, read, written, cached, *ends in cases:
        own: list[tuple[Any, ...]] = []
        while left is not None and left[0] <= row:
            own += [left] if left[0] == row else []
            left = next(scores, None)
        key = tuple([score[2:] for score in own])
        shared: _Facts = facts.get(key) or facts.keep(key, _Facts.of(key))
        found = (shared.names, tuple([points.one(score[1]) for score in own]))
        yield JudgedCase(
            suite=texts.one(suite),
            model=texts.one(model),
            sample_id=sample,
            epoch=epoch,
            slices=slices[listed]
            if listed in slices
            else slices.keep(listed, tuple(sound_json(listed, list, f"sample {sample} of {suite}", "slices"))),
            outcome=texts.one(outcome),
            error_kind=kind,
            scores=values.get(found) or values.keep(found, _Values(shared.places, found[1])),
            passed=shared.passed,
            statuses=shared.statuses,
            latency_s=latency,
            cost_usd=costs.one(cost),
            input_tokens=counts.one(read),
            output_tokens=counts.one(written),
            cached=bool(cached),
            judge_cached=bool(ends[0]),
            judge_cost_usd=costs.one(ends[1]),
            input_digest=ends[2],
            cluster=texts.one(ends[3]),
            digests=shared.digests,
            judge_ids=shared.judge_ids,
        )
