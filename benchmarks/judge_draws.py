"""Simulated judges: their verdicts on a run, and the labels that people give, by each way to draw them.

A case passes with the true rate. The judge passes what people pass with its sensitivity and fails what they fail with
its specificity. Only counts are drawn, since nothing else counts. A graded case has one of five levels, from 0 to 1;
the judge gives it with its chance to be right, else the next level up, or down from the highest.
"""

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from math import exp, inf, lgamma, log

from pytest_llmeval.core.stats.agreement import Confusion
from pytest_llmeval.core.stats.corrected import Corrected, by_labels_of_run, by_prediction, by_separate_labels
from pytest_llmeval.core.stats.intervals import Interval, score_interval, wilson

__all__ = ["DESIGNS", "LABELS", "ROWS", "Judge", "Seen", "judges"]

ROWS, LABELS = (200, 1000), (50, 100, 200)
RATES, SKILLS = (0.5, 0.8, 0.95), (0.7, 0.9, 0.98)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The truth about a system and its judge."""

    rate: float
    """Of the cases, those that people pass; of graded ones the mean."""
    right: tuple[float, ...]
    """Sensitivity and specificity; of a graded judge the chance to be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one simulated run shows."""

    corrected: Corrected
    raw: Interval | None


Design = Callable[[random.Random, Judge, int, int], Seen]
"""Draws a run: a source of luck, the judge, cases of the run, labels."""


def judges(design: str) -> Iterator[Judge]:
    """Yield the judges of a design."""
    each = ((right,) for right in SKILLS) if design in GRADED else product(SKILLS, SKILLS)
    yield from (Judge(rate=rate, right=right) for rate, right in product(RATES, tuple(each)))


def _separate(drawn: random.Random, judge: Judge, n: int, passes: int, fails: int) -> Seen:
    sensitivity, specificity = judge.right
    passed = _hits(drawn, n, judge.rate * sensitivity + (1 - judge.rate) * (1 - specificity))
    hits, rejections = _hits(drawn, passes, sensitivity), _hits(drawn, fails, specificity)
    labels = _table(rejections, fails - rejections, passes - hits, hits)
    return Seen(corrected=by_separate_labels(passed, n, labels), raw=wilson(passed / n, n))


def _halves(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    return _separate(drawn, judge, n, labels // 2, labels // 2)


def _elsewhere(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    passes = _hits(drawn, labels, judge.rate)
    return _separate(drawn, judge, n, passes, labels - passes)


def _of_run(drawn: random.Random, judge: Judge, n: int, passed: int, labelled: tuple[int, int]) -> Seen:
    """Return what is seen where so many of the judge's passes and failures are labelled."""
    sensitivity, specificity = judge.right
    share = judge.rate * sensitivity + (1 - judge.rate) * (1 - specificity)
    good = _hits(drawn, labelled[0], judge.rate * sensitivity / share)
    bad = _hits(drawn, labelled[1], judge.rate * (1 - sensitivity) / (1 - share))
    labels = _table(labelled[1] - bad, labelled[0] - good, bad, good)
    return Seen(corrected=by_labels_of_run(passed, n, labels), raw=wilson(passed / n, n))


def _by_verdict(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    """Half of the labels go to each verdict; what one cannot take goes to the other."""
    sensitivity, specificity = judge.right
    passed = _hits(drawn, n, judge.rate * sensitivity + (1 - judge.rate) * (1 - specificity))
    fails = max(min(labels // 2, n - passed), labels - passed)
    return _of_run(drawn, judge, n, passed, (labels - fails, fails))


def _at_random(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    """Independent cases: those that are labelled are like any others."""
    sensitivity, specificity = judge.right
    share = judge.rate * sensitivity + (1 - judge.rate) * (1 - specificity)
    labelled = _hits(drawn, labels, share)
    passed = labelled + _hits(drawn, n - labels, share)
    return _of_run(drawn, judge, n, passed, (labelled, labels - labelled))


def _predicted(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    return _prediction(drawn, n, labels, *_binary_pairs(judge))


def _graded(drawn: random.Random, judge: Judge, n: int, labels: int) -> Seen:
    return _prediction(drawn, n, labels, *_graded_pairs(judge))


def _prediction(
    drawn: random.Random, n: int, labels: int, pairs: Sequence[tuple[float, float]], weights: Sequence[float]
) -> Seen:
    cases = drawn.choices(pairs, cum_weights=weights, k=n)
    guesses = [guess for _, guess in cases]
    return Seen(corrected=by_prediction(cases[:labels], guesses[labels:]), raw=score_interval(guesses))


DESIGNS: dict[str, Design] = {
    "Labels of a separate set, as many right as wrong": _halves,
    "Labels of a separate set, at random": _elsewhere,
    "Labels of the run, stratified by verdict": _by_verdict,
    "Labels of the run, at random": _at_random,
    "PPI++, labels of the run at random": _predicted,
    "PPI++, five levels": _graded,
}
GRADED = ("PPI++, five levels",)


@cache
def _binary_pairs(judge: Judge) -> tuple[Sequence[tuple[float, float]], Sequence[float]]:
    """Return the pairs of a person's score and the judge's, with their chances added up."""
    sensitivity, specificity = judge.right
    good, bad = judge.rate, 1 - judge.rate
    chances = (good * sensitivity, good * (1 - sensitivity), bad * (1 - specificity), bad * specificity)
    return ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)), tuple(accumulate(chances))


@cache
def _graded_pairs(judge: Judge) -> tuple[Sequence[tuple[float, float]], Sequence[float]]:
    """Return the same of five levels, spread as two tries with chances from a beta distribution would be."""
    chances: defaultdict[tuple[float, float], float] = defaultdict(float)
    for level, chance in enumerate(_levels(judge.rate)):
        chances[level / 4, level / 4] += chance * judge.right[0]
        chances[level / 4, (level + 1 if level < 4 else 3) / 4] += chance * (1 - judge.right[0])
    return tuple(chances), tuple(accumulate(chances.values()))


def _levels(rate: float) -> list[float]:
    """Return the chances of 0 to 4 hits in four tries whose chance is Beta(2·rate, 2·(1 − rate)); the mean is rate."""
    a, b = 2 * rate, 2 * (1 - rate)
    beta = [lgamma(k + a) + lgamma(4 - k + b) - lgamma(4 + a + b) for k in range(5)]
    whole = lgamma(a) + lgamma(b) - lgamma(a + b)
    return [many * exp(each - whole) for many, each in zip((1, 4, 6, 4, 1), beta, strict=True)]


def _table(*counts: int) -> Confusion:
    """Return the table of: failures judged right, judged wrong, passes judged wrong, judged right."""
    return Confusion(levels=(False, True), counts=(counts[:2], counts[2:]))


def _hits(drawn: random.Random, n: int, chance: float) -> int:
    """Return a draw of the binomial distribution."""
    return bisect(_cumulated(n, chance), drawn.random())


@cache
def _cumulated(n: int, chance: float) -> Sequence[float]:
    """Return the chances of at most 0, at most 1, … at most n − 1 hits in ``n`` tries."""
    logs = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(n)]
    steps = (exp(each + k * _log(chance) + (n - k) * _log(1 - chance)) for k, each in enumerate(logs))
    return list(accumulate(steps))


def _log(chance: float) -> float:
    return log(chance) if chance else -inf
