"""Simulated pairs of runs: the baseline's cases and the current run's, drawn from one model of rows.

Row i has a chance p_i ~ Beta(mean·s, (1 − mean)·s) that one thing that is asked of its answer is right. An answer is
asked one thing (``binary``), four (``parts``: the share that is right) or is graded on a scale (``graded``: Beta(3·p_i,
3·(1 − p_i)), as spread as four parts). With k things the scores of two unchanged runs correlate over rows by

    Var(p) / (Var(p) + E[p(1 − p)]/k) = 1 / (1 + s/k),

so s = k·(1/correlation − 1); at a correlation of 0 all rows have p_i = mean. For mean .85, one thing and a correlation
of .33 that is Beta(1.7, .3). A run draws a uniform number for each answer, its luck, and takes the score at that
quantile. Rows of one cluster share a part of their luck in each run (their normal scores correlate by ``LUCK``), so
that they get worse and better together; where they are ``alike`` they have one p as well.

A drop d takes p_i·(1 − d/mean) in the current run: what was right goes wrong with equal chance in every row.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stats.distributions import normal_cdf

__all__ = ["LARGE", "LOPSIDED", "METRIC", "SUITE", "UNEQUAL", "Rows", "Scores", "pair_of_runs"]

SUITE, METRIC = "simulated", "right"
UNEQUAL = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 9, 11, 14, 19)
"""Rows of each of twenty clusters, a hundred in all."""
LOPSIDED = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 4, 4, 8, 24, 40)
"""As many, of which two hold most of the rows."""
LARGE = (80, 80, *[2] * 40)
"""Of 240 rows: two large clusters beside more small ones than can have all their signs counted."""
LUCK = 0.5
PARTS = 4

Scores = Literal["binary", "parts", "graded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the rows of two runs are drawn from."""

    n: int = 100
    mean: float = 0.85
    """Of the scores of the baseline, in (0, 1)."""
    correlation: float = 0.33
    """Between two unchanged runs, over rows, in [0, 1)."""
    scores: Scores = "binary"
    clusters: tuple[int, ...] = ()
    """How many rows each cluster holds, ``n`` in all; none for independent rows."""
    alike: bool = False
    """Whether the rows of one cluster are equally hard."""
    slices: int = 0
    """Slices of equal size, each row in one; 0 for none."""
    epochs: int = 1
    drop: float = 0.0
    """By how much the current run's mean is lower."""
    lost: float = 0.0
    """Share of the current run's answers that the infrastructure lost."""
    timeouts: float = 0.0
    """Share of the current run's answers that took too long."""


def pair_of_runs(rows: Rows, seed: str) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return the cases of the baseline and of the current run; the same for the same ``rows`` and ``seed``."""
    draw = random.Random(seed)
    chances = _chances(rows, draw)
    before = list(_run(rows, chances, draw))
    lower = [chance * (1 - rows.drop / rows.mean) for chance in chances]
    after = [_with_errors(rows, case, draw) for case in _run(rows, lower, draw)]
    return before, after


def _chances(rows: Rows, draw: random.Random) -> list[float]:
    """Return p_i of each row."""
    if not rows.correlation:
        return [rows.mean] * rows.n
    spread = (1 if rows.scores == "binary" else PARTS) * (1 / rows.correlation - 1)
    chances = [draw.betavariate(rows.mean * spread, (1 - rows.mean) * spread) for _ in range(rows.n)]
    return [chances[number] for number in _clusters(rows)] if rows.alike else chances


def _clusters(rows: Rows) -> list[int]:
    """Return the number of each row's cluster."""
    return [number for number, size in enumerate(rows.clusters) for _ in range(size)]


def _run(rows: Rows, chances: list[float], draw: random.Random) -> Iterator[JudgedCase]:
    clusters, shared = _clusters(rows), [draw.gauss() for _ in rows.clusters]
    for row, chance in enumerate(chances):
        for epoch in range(1, rows.epochs + 1):
            luck = draw.random()
            if shared:
                luck = normal_cdf(math.sqrt(LUCK) * shared[clusters[row]] + math.sqrt(1 - LUCK) * draw.gauss())
            value = _score(rows.scores, chance, luck, draw)
            yield JudgedCase(
                suite=SUITE,
                model="m",
                sample_id=f"row-{row:03d}",
                epoch=epoch,
                slices=(f"slice-{row % rows.slices:02d}",) if rows.slices else (),
                outcome="passed" if value >= 1 else "missed",
                scores={METRIC: value},
                input_digest=f"digest-{row:03d}",
                cluster=f"cluster-{clusters[row]:02d}" if clusters else None,
            )


def _score(kind: Scores, chance: float, luck: float, draw: random.Random) -> float:
    """Return the score at the quantile ``luck``."""
    if kind == "binary" or not 0 < chance < 1:
        return float(luck >= 1 - chance)
    if kind == "graded":
        a, b = (PARTS - 1) * chance, (PARTS - 1) * (1 - chance)
        return draw.betavariate(a, b) if min(a, b) > 1e-9 else float(chance > 0.5)
    right = 0
    below = (1 - chance) ** PARTS
    while luck >= below and right < PARTS:
        right += 1
        below += math.comb(PARTS, right) * chance**right * (1 - chance) ** (PARTS - right)
    return right / PARTS


def _with_errors(rows: Rows, case: JudgedCase, draw: random.Random) -> JudgedCase:
    """Return the case, or one that ended in an error in its place."""
    if not rows.lost and not rows.timeouts:
        return case
    fate = draw.random()
    if fate >= rows.lost + rows.timeouts:
        return case
    return JudgedCase(
        suite=case.suite,
        model=case.model,
        sample_id=case.sample_id,
        epoch=case.epoch,
        slices=case.slices,
        outcome="error",
        error_kind="connection" if fate < rows.lost else "timeout",
        input_digest=case.input_digest,
        cluster=case.cluster,
    )
