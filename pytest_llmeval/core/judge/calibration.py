"""How far a judge can be trusted: its verdicts held against what people say of the same answers."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Literal

from pytest_llmeval.core.stats.agreement import BinaryRates, Confusion, Rate, binary_rates, confusion, rate
from pytest_llmeval.core.stats.corrected import Corrected, by_labels_of_run, by_prediction
from pytest_llmeval.core.stats.kappa import Kappa, Weights, cohen_kappa
from pytest_llmeval.core.stats.means import ROUNDING, mean
from pytest_llmeval.core.stats.raters import agreement_rate, flip_rate

__all__ = ["Calibration", "Drawn", "JudgedAnswer", "Scale", "calibrate"]

Drawn = Literal["random", "verdict"]
"""How the labelled answers were drawn from those of the run: each with the same chance, or as many as one liked of
those that the judge passes and fails."""
_UNLIKE = 3.0
"""Standard errors by which the labelled answers pass more or less often than the run before that is no chance."""
_BY_VERDICT = "labels drawn by the verdict do not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one score of a judge may say."""

    suite: str
    name: str
    judge_id: str
    levels: Mapping[float, str]
    """The names of the levels by their values, the worst first."""
    pass_mark: float
    """In [0, 1]: a level of less does not pass."""
    rubric: str
    """The name of the rubric that says so."""

    def passes(self, value: float) -> bool:
        """Return whether a value passes."""
        return value >= self.pass_mark - ROUNDING

    def named(self, value: float) -> str:
        """Return the name of the level with that value; the value itself where there is none."""
        return self.levels.get(value, f"{value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer:
    """What a judge said of one answer, and what people say."""

    value: float
    text: Hashable
    """What tells the answer to a row from others: two of the same are one answer that was judged twice."""
    labels: tuple[float, ...] = ()
    """One of each rater."""
    slices: tuple[str, ...] = ()

    @property
    def label(self) -> float | None:
        """What people say: the label in the middle, of two the lower one; None without any."""
        return median_low(self.labels) if self.labels else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How one score of a judge agrees with people."""

    suite: str
    name: str
    slice: str | None
    judge_id: str
    levels: tuple[str, ...]
    """Names, the worst first; the rows and columns of ``confusion``."""
    pass_mark: float
    judged: int
    """Answers with a verdict."""
    n: int
    """Of them, those with a label."""
    confusion: Confusion | None
    """By value; people's levels are its rows. None where there is one level only."""
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
    flips: Rate | None
    """How often two judgements of one answer differ."""
    raters: Rate | None
    """How often two raters of one answer agree."""
    is_like_run: bool
    """Whether the judge passes the labelled answers about as often as all of them."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a number is missing, in a clause, by its name."""


def calibrate(
    scale: Scale, answers: Sequence[JudgedAnswer], *, drawn: Drawn = "random", slice_: str | None = None
) -> Calibration:
    """Return how a judge agrees with people on ``answers``, those without a label among them.

    Rates and kappa need labels whose draw did not look at the verdict; where it did, only the corrected rate is told,
    which weighs each verdict by its share of the run. Where every answer is labelled all is told.

    Args:
        scale: of the score.
        answers: all of the run that the judge judged, in any order.
        drawn: how those with a label were chosen.
        slice_: the slice that they are of; None for all.
    """
    labelled = [(each.label, each.value) for each in answers if each.label is not None]
    is_told = drawn == "random" or len(labelled) == len(answers)
    values = sorted({*scale.levels, *(each.value for each in answers), *(label for label, _ in labelled)})
    table = _table(labelled, values) if len(values) > 1 else None
    truth, verdicts = [scale.passes(a) for a, _ in labelled], [scale.passes(b) for _, b in labelled]
    passes = confusion(truth, verdicts)
    weights: Weights | None = "linear" if len(values) > 2 else None
    rates = binary_rates(truth, verdicts) if is_told else _NO_RATES
    kappa = cohen_kappa(table, weights=weights) if is_told and table is not None else None
    passed = sum(scale.passes(each.value) for each in answers)
    flips, raters = flip_rate(_by_text(answers)), agreement_rate([each.labels for each in answers])
    found = {**_rates(rates), "kappa": kappa, "flips": flips, "raters": raters}
    reasons = _reasons(found, len(labelled), is_told=is_told)
    return Calibration(
        suite=scale.suite,
        name=scale.name,
        slice=slice_,
        judge_id=scale.judge_id,
        levels=tuple(map(scale.named, values)),
        pass_mark=scale.pass_mark,
        judged=len(answers),
        n=len(labelled),
        confusion=table,
        passes=passes,
        rates=rates,
        kappa=kappa,
        kappa_weights=weights,
        raw_rate=rate([scale.passes(each.value) for each in answers]),
        corrected_rate=by_labels_of_run(passed, len(answers), passes),
        raw_mean=mean([each.value for each in answers]),
        corrected_mean=_mean(labelled, answers, is_told=is_told),
        flips=flips,
        raters=raters,
        is_like_run=_is_like(sum(scale.passes(b) for _, b in labelled), len(labelled), passed, len(answers)),
        reasons=reasons,
    )


_NO_RATES = BinaryRates(accuracy=None, sensitivity=None, specificity=None, prevalence=None)


def _table(labelled: Sequence[tuple[float, float]], values: Sequence[float]) -> Confusion:
    return confusion([label for label, _ in labelled], [value for _, value in labelled], levels=values)


def _rates(rates: BinaryRates) -> dict[str, Rate | None]:
    names = ("accuracy", "sensitivity", "specificity", "prevalence")
    return {name: getattr(rates, name) for name in names}


def _mean(labelled: Sequence[tuple[float, float]], answers: Sequence[JudgedAnswer], *, is_told: bool) -> Corrected:
    if not is_told:
        return Corrected(estimate=None, interval=None, reason=_BY_VERDICT)
    return by_prediction(labelled, [each.value for each in answers if not each.labels])


def _by_text(answers: Sequence[JudgedAnswer]) -> list[list[float]]:
    """Return the judge's values of each answer."""
    units: dict[Hashable, list[float]] = defaultdict(list)
    for each in answers:
        units[each.text].append(each.value)
    return list(units.values())


def _is_like(labelled_passes: int, labelled: int, passed: int, judged: int) -> bool:
    """Return whether a random draw would pass as often; by the normal form of the hypergeometric distribution."""
    share = passed / judged if judged else 0.0
    variance = labelled * share * (1 - share) * (judged - labelled) / max(judged - 1, 1)
    return abs(labelled_passes - labelled * share) <= _UNLIKE * math.sqrt(variance) + ROUNDING


def _reasons(found: Mapping[str, object], n: int, *, is_told: bool) -> dict[str, str]:
    """Return why a number is missing, by its name."""
    told = {
        "sensitivity": "no labelled answer passes by people",
        "specificity": "no labelled answer fails by people",
        "kappa": "people and judge give one level to all, which is what chance would give",
    }
    labels = {name: "no judged answer is labelled" for name in ("accuracy", "prevalence", *told)}
    by_verdict = dict.fromkeys(labels, _BY_VERDICT)
    why = labels if not n else told if is_told else by_verdict
    why = {**why, "flips": "no answer was judged twice", "raters": "no answer was labelled by two raters"}
    return {name: why[name] for name, value in found.items() if value is None}
