"""Agreement among several judgements of an answer: of a judge with itself, with other judges and with people."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from pytest_llmeval.core.stats.agreement import Rate, confusion, rate
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.kappa import Kappa, Weights, cohen_kappa, kappa_parts
from pytest_llmeval.core.stats.means import ROUNDING
from pytest_llmeval.core.stats.raters import effective_votes, flip_rate
from pytest_llmeval.core.types import Vote

__all__ = ["Juror", "Votes", "Voting", "kappa_of", "kappa_of_raters", "voting"]


_MOST_PAIRS = 200_000
"""Largest number of pairs of labels, repeated so that every answer has the same weight; so many take a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """All judgements of one answer for one score."""

    text: Hashable
    """Identifies the answer to a row; equal values mean the same answer, judged several times."""
    cluster: Hashable
    votes: Sequence[Vote]
    """At least one vote."""
    label: float | None
    """People's value; None without a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Juror:
    """Agreement of one judge of a panel with people and with itself."""

    judge: str
    """Name of the judge."""
    n: int
    """Number of labelled answers that it judged."""
    accuracy: Rate | None
    """How often it passes or fails an answer as people do."""
    kappa: Kappa | None
    """None without labels, or if chance would explain all of them."""
    flips: Rate | None
    """How often two of its judgements of one answer differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """Agreement among several judgements of the same answers."""

    flips: Rate | None
    """How often two judgements of one answer by the same judge differ; None if no answer was judged twice."""
    jurors: tuple[Juror, ...] = ()
    """Judges of a panel, sorted by name; empty for a single judge."""
    disagreement: Rate | None = None
    """Share of the answers judged by several judges on which they do not all agree."""
    effective_votes: float | None = None
    """Number of independent judges that the panel is worth, in [1, judges]; None if their errors cannot be compared."""


def voting(
    answers: Sequence[Votes], *, levels: Sequence[float], pass_mark: float, is_told: bool, weights: Weights | None
) -> Voting:
    """Return the agreement among the judgements of ``answers``.

    Args:
        answers: in any order.
        levels: possible values, from the lowest.
        pass_mark: smallest value that passes, in [0, 1].
        is_told: whether the labels may be used to assess judges; labels drawn by verdict may not.
        weights: weights of kappa.
    """
    names = sorted({vote.judge for each in answers for vote in each.votes})
    flips = _flips(answers)
    if len(names) < 2:
        return Voting(flips=flips)
    first = [({vote.judge: vote.value for vote in each.votes if vote.repeat == 0}, each) for each in answers]
    several = [(said, each) for said, each in first if len(said) > 1]
    labelled = [(said, each.label, each.cluster) for said, each in first if each.label is not None] if is_told else []

    def passes(value: float) -> bool:
        return value >= pass_mark - ROUNDING

    jurors = []
    for name in names:
        own = [(label, said[name], cluster) for said, label, cluster in labelled if name in said]
        right, clusters = [passes(a) == passes(b) for a, b, _ in own], [cluster for _, _, cluster in own]
        only = [_only(each, name) for each in answers]
        jurors.append(
            Juror(
                judge=name,
                n=len(own),
                accuracy=rate(right, clusters=clusters),
                kappa=kappa_of([(a, b) for a, b, _ in own], clusters, levels, weights),
                flips=_flips(only),
            )
        )
    wrong = [
        [passes(said[name]) != passes(label) if name in said else None for name in names] for said, label, _ in labelled
    ]
    return Voting(
        flips=flips,
        jurors=tuple(jurors),
        disagreement=rate(
            [len(set(said.values())) > 1 for said, _ in several], clusters=[each.cluster for _, each in several]
        ),
        effective_votes=effective_votes(wrong),
    )


def kappa_of(
    pairs: Sequence[tuple[float, float]],
    clusters: Sequence[Hashable],
    levels: Sequence[float],
    weights: Weights | None,
) -> Kappa | None:
    """Return kappa of people's and a judge's values.

    Args:
        pairs: people's value and the judge's value of each answer.
        clusters: the cluster of each answer, in the same order.
        levels: possible values, two or more, from the lowest; further values that were given are added.
        weights: weights of kappa, for more than two levels.
    """
    all_ = sorted({*levels, *(value for pair in pairs for value in pair)})
    truth, judged = [a for a, _ in pairs], [b for _, b in pairs]
    table = confusion(truth, judged, levels=all_)
    parts = kappa_parts(table, truth, judged, weights=weights)
    return cohen_kappa(table, weights=weights, effect=design_effect(parts, clusters))


def kappa_of_raters(
    units: Sequence[Sequence[float]],
    clusters: Sequence[Hashable],
    levels: Sequence[float],
    weights: Weights | None,
) -> Kappa | None:
    """Return kappa between people, a yardstick for the kappa of a judge.

    It is computed over all pairs of labels of one answer, each in both orders, since raters are interchangeable: W. A.
    Scott's π (Public Opinion Quarterly 19 (1955) 321–325), and for more than two raters J. L. Fleiss's kappa
    (Psychological Bulletin 76 (1971) 378–382). Each answer has the same weight, however many labels it has: J. L.
    Fleiss, B. Levin and M. C. Paik, "Statistical Methods for Rates and Proportions" (2003), chapter 18. The same holds
    for the interval, by the design effect of the pairs. With many raters in uneven numbers, weights are rounded.

    Args:
        units: the labels of each answer; answers with fewer than two are ignored.
        clusters: the cluster of each answer, in the same order.
        levels: possible values, as for ``kappa_of``.
        weights: weights of kappa.
    """
    rated = [(labels, cluster) for labels, cluster in zip(units, clusters, strict=True) if len(labels) > 1]
    counts = [math.perm(len(labels), 2) for labels, _ in rated]
    most = min(math.lcm(*counts), max([_MOST_PAIRS // max(1, len(rated)), *counts]))
    pairs = [
        (pair, cluster)
        for (labels, cluster), count in zip(rated, counts, strict=True)
        for pair in permutations(labels, 2)
        for _ in range(round(most / count))
    ]
    found = kappa_of([pair for pair, _ in pairs], [cluster for _, cluster in pairs], levels, weights)
    return None if found is None else replace(found, n=len(rated))


def _only(each: Votes, judge: str) -> Votes:
    votes = [vote for vote in each.votes if vote.judge == judge]
    return Votes(text=each.text, cluster=each.cluster, votes=votes, label=each.label)


def _flips(answers: Sequence[Votes]) -> Rate | None:
    """Return how often two values differ that the same judge gave to the same answer."""
    found: Mapping[Hashable, list[float]] = defaultdict(list)
    clusters: dict[Hashable, Hashable] = {}
    for each in answers:
        for vote in each.votes:
            found[each.text, vote.judge].append(vote.value)
            clusters[each.text, vote.judge] = each.cluster
    return flip_rate(list(found.values()), clusters=list(clusters.values()))
