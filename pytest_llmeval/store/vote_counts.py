"""Agreement of the judges in a run, counted by answer from its votes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.recorded import BOTH_ORDERS, ORDERS_DISAGREE
from pytest_llmeval.core.stats.clusters import design_effect

__all__ = ["Repeats", "VoteCounts", "read_voting"]

_LEVELS = """
(
    SELECT votes.*, scores.judge_id, substr(name, 1, length(name) - length(coalesce(dimension, ''))) AS of
    FROM votes JOIN scores USING (case_id, name)
    WHERE case_id IN (SELECT id FROM cases WHERE run_id = ?) AND level != ''
)
"""
"""Votes on dimensions. Votes on a whole rubric have no level, because they follow from the others.

Scores of one judgement share the ``judge_id`` and the part of their name before the dimension. A preference has no
dimension, and is a judgement of its own."""
_ROW = "suite, cluster, CASE WHEN cluster IS NULL THEN sample_id END"
"""Columns that dependent answers share: answers to one row, or to rows of one cluster."""
_PANEL_VOTES = f"""
SELECT max(judges), count(*), sum(differ) FROM (
    SELECT case_id, max(judges) AS judges, max(low < high) AS differ FROM (
        SELECT case_id, judge_id, of, count(*) AS judges, min(value) AS low, max(value) AS high FROM {_LEVELS}
        WHERE repeat = 0 GROUP BY case_id, name HAVING count(*) > 1
    ) GROUP BY case_id, judge_id, of
) JOIN cases ON cases.id = case_id GROUP BY {_ROW}
"""  # noqa: S608  # a query of ours
_REPEATS = f"""
WITH told AS MATERIALIZED {_LEVELS}
SELECT judge, count(*), sum(differ) FROM (
    SELECT case_id, later.judge, max(later.value != first.value) AS differ
    FROM told AS first JOIN told AS later USING (case_id, name, judge)
    WHERE first.repeat = 0 AND later.repeat > 0 GROUP BY case_id, judge, first.judge_id, first.of
) JOIN cases ON cases.id = case_id GROUP BY judge, {_ROW} ORDER BY judge
"""  # noqa: S608  # a query of ours
_ORDERS = """
SELECT judge, count(*), sum(reason LIKE ?2) FROM (
    SELECT coalesce(votes.judge, decided_by) AS judge, coalesce(votes.reason, scores.reason) AS reason
    FROM scores LEFT JOIN votes ON votes.case_id = scores.case_id AND votes.name = scores.name AND repeat = 0
    WHERE scores.case_id IN (SELECT id FROM cases WHERE run_id = ?1) AND decided_by IS NOT NULL AND dimension IS NULL
    AND EXISTS (SELECT 1 FROM judges WHERE run_id = ?1)
) WHERE reason LIKE ?2 OR reason LIKE ?3 GROUP BY judge ORDER BY judge
"""
"""Of a single judge no votes are kept, because its score says it all. The score of a whole rubric is excluded, as it
lists the levels by dimension instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Number of answers (counted as in ``VoteCounts``) that one judge judged repeatedly, or compared in both orders."""

    judge: str
    answers: int
    differed: int
    """Answers for which a later judgement differs from the first in some dimension, or the orders disagree."""
    effect: float = 1.0
    """Design effect as in ``VoteCounts``; 1 for comparisons, which have no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCounts:
    """Agreement of the judges in a run, with each other and with themselves."""

    judges: int = 0
    """Largest number of judges of one answer; 0 without a panel."""
    answers: int = 0
    """Answers with several judges: each judged text of a case counts once for each rubric."""
    differed: int = 0
    """Answers on which two judges differ in some dimension."""
    effect: float = 1.0
    """Design effect of the share that differed: answers to one row, or to rows of one cluster, are not independent."""
    repeats: tuple[Repeats, ...] = ()
    """Repeated judgements by judge, sorted."""
    orders: tuple[Repeats, ...] = ()
    """Comparisons in both orders by judge, sorted."""


def read_voting(read: Callable[..., Iterator[tuple[Any, ...]]], run_id: str) -> VoteCounts:
    """Return the agreement of the judges of a run.

    Args:
        read: runs an SQL query with its parameters.
        run_id: the run.
    """
    panels = list(read(_PANEL_VOTES, run_id))
    repeats = grouped(read(_REPEATS, run_id), lambda row: str(row[0]))
    compared = read(_ORDERS, run_id, f"{ORDERS_DISAGREE}%", f"%{BOTH_ORDERS}%")
    return VoteCounts(
        judges=max((judges for judges, _, _ in panels), default=0),
        answers=sum(answers for _, answers, _ in panels),
        differed=sum(differed for _, _, differed in panels),
        effect=_effect((answers, differed) for _, answers, differed in panels),
        repeats=tuple(
            Repeats(
                judge=judge,
                answers=sum(answers for _, answers, _ in found),
                differed=sum(differed for _, _, differed in found),
                effect=_effect((answers, differed) for _, answers, differed in found),
            )
            for judge, found in repeats.items()
        ),
        orders=tuple(Repeats(judge=each[0], answers=each[1], differed=each[2]) for each in compared),
    )


def _effect(rows: Iterable[tuple[int, int]]) -> float:
    """Return the design effect of the share of answers that differed; a row has its answers and those that differ."""
    ranked = [(at < differed, row) for row, (answers, differed) in enumerate(rows) for at in range(answers)]
    return design_effect([differed for differed, _ in ranked], [row for _, row in ranked])
