"""How judges agree with themselves, with one another and with people, where there are several judgements."""

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
"""Of labels, counted several times each so that an answer counts once: as many as take a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """All judgements of one answer in one score."""

    text: Hashable
    """What tells the answer to a row from others: judgements of two of the same are of one answer."""
    cluster: Hashable
    votes: Sequence[Vote]
    """At least one."""
    label: float | None
    """What people say; None without a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Juror:
    """One judge of a panel, held against people."""

    judge: str
    """Its name."""
    n: int
    """Labelled answers that it judged."""
    accuracy: Rate | None
    """How often it passes what people pass and fails what they fail."""
    kappa: Kappa | None
    """None where labels that chance would give do not tell it."""
    flips: Rate | None
    """How often two of its judgements of one answer differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """What several judgements of the same answers show."""

    flips: Rate | None
    """How often two judgements of one answer by the same judge differ; None where there are no two."""
    jurors: tuple[Juror, ...] = ()
    """Of a panel, by name; empty for one judge."""
    disagreement: Rate | None = None
    """How often the judges of a panel do not all say the same; of the answers that several of them judged."""
    effective_votes: float | None = None
    """As how many independent judges the panel counts, in [1, judges]; None where their errors do not tell."""


def voting(
    answers: Sequence[Votes], *, levels: Sequence[float], pass_mark: float, is_told: bool, weights: Weights | None
) -> Voting:
    """Return what the judgements of ``answers`` show.

    Args:
        answers: in any order.
        levels: the values that may be given, from the lowest.
        pass_mark: in [0, 1]: a value of less does not pass.
        is_told: whether the labels tell how often a judge is right, which those drawn by the verdict do not.
        weights: of kappa.
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
        pairs: people's value and the judge's, of each answer.
        clusters: the cluster of each, in the same order.
        levels: the values that may be given, two or more, from the lowest; others that were given stand among them.
        weights: as kappa's; those of more than two levels.
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
    """Return how far people agree beyond chance: what the kappa of a judge can be held against.

    Kappa over all pairs of labels of one answer, each taken both ways, since raters stand for each other: W. A. Scott's
    π (Public Opinion Quarterly 19 (1955) 321–325), and of more than two raters J. L. Fleiss's kappa (Psychological
    Bulletin 76 (1971) 378–382). Each answer counts once, however many labels it has: J. L. Fleiss, B. Levin and M. C.
    Paik, "Statistical Methods for Rates and Proportions" (2003), chapter 18. So it does for the interval, by the design
    effect of its pairs. Where raters are many and their numbers uneven it counts once but for rounding.

    Args:
        units: the labels of each answer; of fewer than two nothing is learned.
        clusters: the cluster of each, in the same order.
        levels: as ``kappa_of`` takes them.
        weights: of kappa.
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
    """Return how often two values that one judge gave to one answer differ."""
    found: Mapping[Hashable, list[float]] = defaultdict(list)
    clusters: dict[Hashable, Hashable] = {}
    for each in answers:
        for vote in each.votes:
            found[each.text, vote.judge].append(vote.value)
            clusters[each.text, vote.judge] = each.cluster
    return flip_rate(list(found.values()), clusters=list(clusters.values()))
