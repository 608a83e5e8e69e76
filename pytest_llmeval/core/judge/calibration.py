"""Calibration of a judge: how far its verdicts agree with people's labels of the same answers."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_llmeval.core.judge.judged_answer import JudgedAnswer, Scale, VotedAnswer
from pytest_llmeval.core.judge.label_sample import MIXED, RANDOM, pooled, verdict_of
from pytest_llmeval.core.judge.voting import Votes, Voting, kappa_of, kappa_of_raters, voting
from pytest_llmeval.core.stats.agreement import BinaryRates, Confusion, Rate, binary_rates, confusion, rate
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.corrected import (
    Corrected,
    by_labels_of_run,
    by_prediction,
    by_separate_labels,
    stratified_parts,
)
from pytest_llmeval.core.stats.kappa import Kappa, Weights
from pytest_llmeval.core.stats.means import ROUNDING, mean
from pytest_llmeval.core.stats.raters import agreement_rate
from pytest_llmeval.core.types import Vote

__all__ = ["ALL", "Calibration", "Estimator", "calibrate"]

ALL = "all"
"""The draw that left out no answer: every judged answer has a label."""
Estimator = Literal["labels of the run", "separate labels"]
"""What a rate is corrected by: labels of the run's own answers, stratified by verdict and weighted by its share of the
run; or the sensitivity and specificity measured by labels of other answers."""
_UNLIKE = 3.0
"""Number of standard errors by which the pass rate of the labelled answers may differ from the run's by chance."""
_BY_VERDICT = "labels drawn by a verdict do not tell"
_ARE_MIXED = "labels drawn by the verdicts of several scores cannot be pooled"
_SPLIT_UNLABELLED = (
    "where an even panel decides its judges agree, so that labels of those answers alone do not tell them apart; label"
    " those on which the panel was split, too"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Agreement of one score of a judge with people."""

    suite: str
    name: str
    model: str | None
    """Model that gave the answers; None for answers of all models."""
    slice: str | None
    judge_id: str
    is_whole: bool
    """Whether the score is of the rubric as a whole."""
    levels: tuple[str, ...]
    """Names of the levels, the worst first; the rows and columns of ``confusion``."""
    pass_mark: float
    judged: int
    """Number of answers with a verdict, in the run whose rate is estimated."""
    n: int
    """Number of answers with a verdict and a label."""
    rows: int
    """Number of rows, or clusters of rows, to which the ``n`` answers belong; intervals are based on it."""
    drawn: str
    """How the labelled answers were drawn: ``all``, ``random``, ``verdict of SCORE`` or ``mixed``."""
    is_draw_known: bool
    """Whether each label says how its answer was drawn; otherwise a random draw is assumed."""
    undrawn: int
    """Number of the ``n`` answers without a label that says how they were drawn."""
    estimator: Estimator
    """Estimator of ``corrected_rate``."""
    confusion: Confusion
    """Counts by level: people's levels are the rows, the judge's the columns."""
    passes: Confusion
    """The same counts by pass or fail."""
    rates: BinaryRates
    """Rates of agreement on pass or fail."""
    kappa: Kappa | None
    kappa_weights: Weights | None
    """``linear`` for more than two levels, since they are ordered."""
    raw_rate: Rate | None
    """Share of the judged answers that the judge passes."""
    corrected_rate: Corrected
    """Estimated share that people would pass."""
    raw_mean: float | None
    """Mean of the judge's values."""
    corrected_mean: Corrected
    """Estimated mean of the values that people would give."""
    raters: Rate | None
    """How often two raters of one answer agree."""
    raters_kappa: Kappa | None
    """Kappa between raters, with the same weights as ``kappa``, which can hardly be higher."""
    voting: Voting
    """Agreement between several judgements of one answer."""
    is_like_run: bool
    """Whether the judge passes the labelled answers about as often as all answers."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a number or its interval is missing, as a clause, by the number's name."""


def calibrate(
    scale: Scale,
    answers: Sequence[JudgedAnswer],
    *,
    of: Sequence[JudgedAnswer] | None = None,
    means: Sequence[JudgedAnswer] | None = None,
    split: Sequence[VotedAnswer] = (),
    model: str | None = None,
    slice_: str | None = None,
) -> Calibration:
    """Return how a judge agrees with people on ``answers``.

    Rates and kappa need labels whose draw did not depend on a verdict. With labels drawn by verdict, only the corrected
    rate is estimated, which weights each verdict by its share of the run. If every answer is labelled, everything is
    estimated. An unknown draw is taken to be random. Intervals take dependent answers into account by a design effect.

    Args:
        scale: scale of the score.
        answers: all answers of the run that the judge judged, labelled or not, in any order.
        of: judged answers of another run whose rate is to be estimated with these labels; None for ``answers``.
        means: the same answers with other values, to be used for the means: for a rubric as a whole, ``answers`` only
            say whether each passes.
        split: answers of the same run on which the panel was split evenly; they count in ``voting`` alone. If none of
            them is labelled, or not all of them although every judged answer is, single judges cannot be assessed,
            because an even panel decides only if they agree.
        model: model that gave the answers; None for all models.
        slice_: slice of the answers; None for all.
    """
    found = _Labelled.of(scale, answers)
    is_told, drawn = found.drawn in (ALL, RANDOM), found.drawn
    levels = sorted({*scale.levels, *(each.value for each in answers), *(label for label, _ in found.pairs)})
    weights: Weights | None = "linear" if len(levels) > 2 else None
    table = confusion([a for a, _ in found.pairs], [b for _, b in found.pairs], levels=levels)
    rates = binary_rates(found.truth, found.verdicts, clusters=found.clusters) if is_told else _NO_RATES
    kappa = kappa_of(found.pairs, found.clusters, levels, weights) if is_told else None
    told = answers if of is None else of
    passed = [scale.passes(each.value) for each in told]
    is_told_of_jurors = is_told and _tell_of_jurors(split, drawn)
    voted = voting(
        [*_votes(answers), *_votes(split)],
        levels=levels,
        pass_mark=scale.pass_mark,
        is_told=is_told_of_jurors,
        weights=weights,
    )
    missing = {"jurors": _SPLIT_UNLABELLED} if is_told and not is_told_of_jurors else {}
    units = [each.labels for each in answers]
    raters = agreement_rate(units, clusters=_clusters(answers))
    raters_kappa = kappa_of_raters(units, _clusters(answers), levels, weights) if is_told else None
    return Calibration(
        suite=scale.suite,
        name=scale.name,
        model=model,
        slice=slice_,
        judge_id=scale.judge_id,
        is_whole=scale.is_whole,
        levels=tuple(map(scale.named, levels)),
        pass_mark=scale.pass_mark,
        judged=len(told),
        n=len(found.pairs),
        rows=len(set(found.clusters)),
        drawn=drawn,
        is_draw_known=drawn == ALL or all(each.draws for each in answers if each.labels),
        undrawn=sum(bool(each.labels) and not each.draws for each in answers),
        estimator="labels of the run" if of is None else "separate labels",
        confusion=table,
        passes=found.table,
        rates=rates,
        kappa=kappa,
        kappa_weights=weights,
        raw_rate=rate(passed, clusters=_clusters(told)),
        corrected_rate=_share(scale, answers, found) if of is None else _share_of_another(passed, told, found),
        raw_mean=mean([each.value for each in (told if means is None else means)]),
        corrected_mean=_mean(answers if means is None else means, drawn, is_of_another=of is not None),
        raters=raters,
        raters_kappa=raters_kappa,
        voting=voted,
        is_like_run=drawn != RANDOM or _is_like(sum(found.verdicts), len(found.pairs), answers, scale),
        reasons=missing
        | _reasons(
            {
                **_rates(rates),
                "kappa": kappa,
                "flips": voted.flips,
                "raters": raters,
                **({} if raters is None else {"raters_kappa": raters_kappa}),
            },
            found,
        ),
    )


_NO_RATES = BinaryRates(accuracy=None, sensitivity=None, specificity=None, prevalence=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """The answers with a label, as parallel lists."""

    pairs: list[tuple[float, float]]
    """People's value and the judge's value."""
    truth: list[bool]
    """Whether people pass the answer."""
    verdicts: list[bool]
    """Whether the judge passes the answer."""
    clusters: list[Hashable]
    drawn: str

    @classmethod
    def of(cls, scale: Scale, answers: Sequence[JudgedAnswer]) -> "_Labelled":
        """Return the labelled ones of ``answers``."""
        found = [(each.label, each.value, name) for each, name in zip(answers, _clusters(answers), strict=True)]
        kept = [(label, value, name) for label, value, name in found if label is not None]
        return cls(
            pairs=[(label, value) for label, value, _ in kept],
            truth=[scale.passes(label) for label, _, _ in kept],
            verdicts=[scale.passes(value) for _, value, _ in kept],
            clusters=[name for _, _, name in kept],
            drawn=_draw(answers),
        )

    @property
    def table(self) -> Confusion:
        """Counts of people's and the judge's verdicts."""
        return confusion(self.truth, self.verdicts)


def _clusters(answers: Sequence[VotedAnswer]) -> list[Hashable]:
    return [(at,) if each.cluster is None else each.cluster for at, each in enumerate(answers)]


def _draw(answers: Sequence[JudgedAnswer]) -> str:
    """Return how the labelled answers were drawn."""
    if all(each.labels for each in answers):
        return ALL
    return pooled(draw for each in answers if each.labels for draw in each.draws)


def _votes(answers: Sequence[VotedAnswer]) -> list[Votes]:
    return [
        Votes(text=each.text, cluster=cluster, votes=each.votes or _alone(each), label=each.label)
        for each, cluster in zip(answers, _clusters(answers), strict=True)
    ]


def _alone(each: VotedAnswer) -> tuple[Vote, ...]:
    if not isinstance(each, JudgedAnswer):
        return ()
    return (Vote(judge=each.judge, repeat=0, value=each.value, level="", reason=""),)


def _tell_of_jurors(split: Sequence[VotedAnswer], drawn: str) -> bool:
    """Return whether labels cover the answers on which a panel was split, so that its single judges can be assessed."""
    labelled = [bool(each.labels) for each in split]
    return all(labelled) if drawn == ALL else any(labelled) or not split


def _rates(rates: BinaryRates) -> dict[str, Rate | None]:
    names = ("accuracy", "sensitivity", "specificity", "prevalence")
    return {name: getattr(rates, name) for name in names}


def _share(scale: Scale, answers: Sequence[JudgedAnswer], found: _Labelled) -> Corrected:
    """Return the estimated share of the answers that people would pass, from labels of some of them.

    The strata are the verdicts of the score by which the labels were drawn, or for a random draw of the score itself.
    """
    if found.drawn == MIXED:
        return Corrected(reason=_ARE_MIXED)
    other = None if found.drawn in (ALL, RANDOM) else verdict_of(found.drawn)
    if other in (None, scale.name):
        strata: list[bool | None] = [scale.passes(each.value) for each in answers]
    else:
        strata = [each.verdicts.get(other) for each in answers]
    known = [stratum for stratum in strata if stratum is not None]
    if len(known) < len(strata):
        return Corrected(reason=f"some answers have no verdict of {other}, by which the labels were drawn")
    truth = [None if each.label is None else scale.passes(each.label) for each in answers]
    pairs = [(true, stratum) for true, stratum in zip(truth, known, strict=True) if true is not None]
    effect = design_effect(stratified_parts(known, truth), _clusters(answers))
    table = confusion([true for true, _ in pairs], [stratum for _, stratum in pairs])
    return by_labels_of_run(sum(known), len(known), table, effect=effect)


def _share_of_another(passed: Sequence[bool], answers: Sequence[JudgedAnswer], found: _Labelled) -> Corrected:
    """Return the estimated share of another run's answers that people would pass, from the judge's errors on these."""
    if found.drawn not in (ALL, RANDOM):
        return Corrected(reason=_ARE_MIXED if found.drawn == MIXED else _BY_VERDICT)
    right = [true == said for true, said in zip(found.truth, found.verdicts, strict=True)]
    return by_separate_labels(
        sum(passed),
        len(passed),
        found.table,
        effect=design_effect(passed, _clusters(answers)),
        labels_effect=design_effect(right, found.clusters),
    )


def _mean(answers: Sequence[JudgedAnswer], drawn: str, *, is_of_another: bool) -> Corrected:
    if is_of_another:
        return Corrected(reason="labels of other answers tell no more than the share that passes")
    if drawn not in (ALL, RANDOM):
        return Corrected(reason=_ARE_MIXED if drawn == MIXED else _BY_VERDICT)
    clusters = _clusters(answers)
    labelled = [(each.label, each.value, name) for each, name in zip(answers, clusters, strict=True)]
    pairs = [(label, value) for label, value, _ in labelled if label is not None]
    own = [name for label, _, name in labelled if label is not None]
    others = [name for label, _, name in labelled if label is None]
    return by_prediction(pairs, [each.value for each in answers if each.label is None], clusters=(own, others))


def _is_like(labelled_passes: int, labelled: int, answers: Sequence[JudgedAnswer], scale: Scale) -> bool:
    """Return whether the pass rate of the labelled answers fits a random draw from ``answers``.

    It uses the normal approximation of the hypergeometric distribution.
    """
    judged = len(answers)
    share = sum(scale.passes(each.value) for each in answers) / judged if judged else 0.0
    variance = labelled * share * (1 - share) * (judged - labelled) / max(judged - 1, 1)
    return abs(labelled_passes - labelled * share) <= _UNLIKE * math.sqrt(variance) + ROUNDING


def _reasons(found: Mapping[str, Rate | Kappa | None], labelled: _Labelled) -> dict[str, str]:
    """Return the reason for each missing number or interval, by the number's name."""
    reasons = {
        "sensitivity": "no labelled answer passes by people",
        "specificity": "no labelled answer fails by people",
        "kappa": "people and judge give one level to all, which is what chance would give",
        "raters_kappa": "raters give one level to all, which is what chance would give",
    }
    names = ("accuracy", "prevalence", *reasons)
    why = dict.fromkeys(names, "no judged answer is labelled") if not labelled.pairs else reasons
    if labelled.pairs and labelled.drawn not in (ALL, RANDOM):
        why = dict.fromkeys(names, _ARE_MIXED if labelled.drawn == MIXED else _BY_VERDICT)
    why = {**why, "flips": "no answer was judged twice", "raters": "no answer was labelled by two raters"}
    missing = {name: why[name] for name, value in found.items() if value is None}
    for name in ("kappa", "raters_kappa"):
        kappa = found.get(name)
        if kappa is not None and kappa.interval is None:
            missing[name] = "no interval, since the labels say nothing of its spread"
    return missing
