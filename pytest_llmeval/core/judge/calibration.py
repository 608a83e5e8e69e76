"""How far a judge can be trusted: its verdicts held against what people say of the same answers."""

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
"""The draw that left nothing out: every judged answer has a label."""
Estimator = Literal["labels of the run", "separate labels"]
"""By which a rate is corrected: the labels of each verdict, weighed by its share of the run, or the sensitivity and the
specificity that labels of other answers show."""
_UNLIKE = 3.0
"""Standard errors by which the labelled answers pass more or less often than the run before that is no chance."""
_BY_VERDICT = "labels drawn by a verdict do not tell"
_ARE_MIXED = "labels drawn by the verdicts of several scores cannot be pooled"
_SPLIT_UNLABELLED = (
    "where an even panel decides its judges agree, so that labels of those answers alone do not tell them apart; label"
    " those on which the panel was split, too"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How one score of a judge agrees with people."""

    suite: str
    name: str
    model: str | None
    """Whose answers they are; None for those of all models."""
    slice: str | None
    judge_id: str
    is_whole: bool
    """Whether it is of the rubric as a whole."""
    levels: tuple[str, ...]
    """Names, the worst first; the rows and columns of ``confusion``."""
    pass_mark: float
    judged: int
    """Answers with a verdict, of the run whose rate it is."""
    n: int
    """Answers with a verdict and a label."""
    rows: int
    """To how many rows, or clusters of rows, they are answers: as intervals count them."""
    drawn: str
    """``all``, ``random``, ``verdict of SCORE`` or ``mixed``."""
    is_draw_known: bool
    """Whether each label says so; of those that do not a random draw is assumed."""
    undrawn: int
    """Of the ``n`` answers those of which no label says how they were drawn."""
    estimator: Estimator
    """Of ``corrected_rate``."""
    confusion: Confusion
    """By value; people's levels are its rows."""
    passes: Confusion
    """The same as pass or fail."""
    rates: BinaryRates
    """On pass or fail."""
    kappa: Kappa | None
    kappa_weights: Weights | None
    """``linear`` for more than two levels, as they are ordered."""
    raw_rate: Rate | None
    """Of the judged answers, those that the judge passes."""
    corrected_rate: Corrected
    """The share that people would pass."""
    raw_mean: float | None
    """Of the judge's values."""
    corrected_mean: Corrected
    """Of the values that people would give."""
    raters: Rate | None
    """How often two raters of one answer agree."""
    raters_kappa: Kappa | None
    """How far they do beyond chance, with the same weights as ``kappa``, which can hardly be more."""
    voting: Voting
    """What several judgements of one answer show."""
    is_like_run: bool
    """Whether the judge passes the labelled answers about as often as all of them."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a number or its interval is missing, in a clause, by its name."""


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
    """Return how a judge agrees with people on ``answers``, those without a label among them.

    Rates and kappa need labels whose draw did not look at a verdict; where it did, only the corrected rate is told,
    which weighs each verdict by its share of the run. Where every answer is labelled all is told. A draw that is not
    known is taken for a random one. Intervals count answers that depend on each other by their design effect.

    Args:
        scale: of the score.
        answers: all of the run that the judge judged, in any order.
        of: the judged answers of another run, whose rate is to be told by the labels of these; None for these.
        means: the same answers with other values, of whose mean is told: of a rubric as a whole, whose ``answers`` say
            whether they pass.
        split: answers of the same run on which the panel was split evenly: they count in ``voting`` alone. Where people
            labelled none of them, or not all where every judged answer is labelled, labels do not tell of its judges:
            an even panel decides where they agree.
        model: the model whose answers they are; None for all.
        slice_: the slice that they are of; None for all.
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
    """The answers with a label; lists are in one order."""

    pairs: list[tuple[float, float]]
    """What people say, and what the judge does."""
    truth: list[bool]
    """Whether they pass, by people."""
    verdicts: list[bool]
    """Whether they pass, by the judge."""
    clusters: list[Hashable]
    drawn: str

    @classmethod
    def of(cls, scale: Scale, answers: Sequence[JudgedAnswer]) -> "_Labelled":
        """Return those of ``answers`` that have one."""
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
        """How often each verdict met each of people's."""
        return confusion(self.truth, self.verdicts)


def _clusters(answers: Sequence[VotedAnswer]) -> list[Hashable]:
    return [(at,) if each.cluster is None else each.cluster for at, each in enumerate(answers)]


def _draw(answers: Sequence[JudgedAnswer]) -> str:
    """Return how the labelled ones were drawn."""
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
    """Return whether labels tell of each judge of a panel as well where it was split as where it was not."""
    labelled = [bool(each.labels) for each in split]
    return all(labelled) if drawn == ALL else any(labelled) or not split


def _rates(rates: BinaryRates) -> dict[str, Rate | None]:
    names = ("accuracy", "sensitivity", "specificity", "prevalence")
    return {name: getattr(rates, name) for name in names}


def _share(scale: Scale, answers: Sequence[JudgedAnswer], found: _Labelled) -> Corrected:
    """Return the share of the answers that people would pass, by the labels of some of them.

    The strata are the verdicts of the score that the draw looked at; of a random one those of the score itself.
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
    """Return the share of another run's answers that people would pass, by how often the judge is right on these."""
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
    """Return whether a random draw would pass as often; by the normal form of the hypergeometric distribution."""
    judged = len(answers)
    share = sum(scale.passes(each.value) for each in answers) / judged if judged else 0.0
    variance = labelled * share * (1 - share) * (judged - labelled) / max(judged - 1, 1)
    return abs(labelled_passes - labelled * share) <= _UNLIKE * math.sqrt(variance) + ROUNDING


def _reasons(found: Mapping[str, Rate | Kappa | None], labelled: _Labelled) -> dict[str, str]:
    """Return why a number is missing, or its interval, by its name."""
    told = {
        "sensitivity": "no labelled answer passes by people",
        "specificity": "no labelled answer fails by people",
        "kappa": "people and judge give one level to all, which is what chance would give",
        "raters_kappa": "raters give one level to all, which is what chance would give",
    }
    names = ("accuracy", "prevalence", *told)
    why = dict.fromkeys(names, "no judged answer is labelled") if not labelled.pairs else told
    if labelled.pairs and labelled.drawn not in (ALL, RANDOM):
        why = dict.fromkeys(names, _ARE_MIXED if labelled.drawn == MIXED else _BY_VERDICT)
    why = {**why, "flips": "no answer was judged twice", "raters": "no answer was labelled by two raters"}
    missing = {name: why[name] for name, value in found.items() if value is None}
    for name in ("kappa", "raters_kappa"):
        kappa = found.get(name)
        if kappa is not None and kappa.interval is None:
            missing[name] = "no interval, since the labels say nothing of its spread"
    return missing
