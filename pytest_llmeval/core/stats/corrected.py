"""Estimates of what people would have said: a judge's rate or mean, corrected for its errors by people's labels.

Which estimator fits depends on how the labels were drawn. Sensitivity and specificity, and so ``by_separate_labels``,
need labels whose draw did not depend on the verdict. ``by_labels_of_run`` takes labels of the judged run itself, drawn
at random or by verdict, and ``by_prediction`` takes numeric scores. Clustered cases count as fewer, by their design
effect. The intervals are for the system, not for these particular cases. ``benchmarks/judge_coverage.py`` measures how
often they contain the truth.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.stats.agreement import Confusion, two_by_two
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.distributions import normal_quantile
from pytest_llmeval.core.stats.intervals import Interval, score_interval, wilson
from pytest_llmeval.core.stats.means import ROUNDING, mean

__all__ = [
    "LEAST_LABELS",
    "Corrected",
    "by_labels_of_run",
    "by_prediction",
    "by_separate_labels",
    "stratified_parts",
]

_LEAST_J = 0.1
"""Value of sensitivity + specificity − 1 up to which a judge is too close to chance to be corrected."""
LEAST_LABELS = 100
"""Number of labels below which the interval of ``by_prediction`` covers the truth less often than it claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A corrected rate or mean with its interval, or why there is none."""

    estimate: float | None = None
    """In [0, 1]; None if the labels do not determine it."""
    interval: Interval | None = None
    """95 % interval within [0, 1] that contains the estimate; None if there is no estimate, or the labels do not show
    the spread."""
    reason: str | None = None
    """Why the estimate or the interval is None, as a clause."""


def by_separate_labels(
    passed: int,
    judged: int,
    labels: Confusion,
    *,
    effect: float = 1.0,
    labels_effect: float = 1.0,
) -> Corrected:
    """Return the share of a run that people would pass, from labels of other cases than the run's.

    W. J. Rogan and B. Gladen, American Journal of Epidemiology 107 (1978) 71–76: with p the share that the judge
    passes, q1 its sensitivity and q0 its specificity, θ = (p + q0 − 1)/J, J = q1 + q0 − 1.

    The interval is the one that C. Lee et al., "How to Correctly Report LLM-as-a-Judge Evaluations", arXiv 2511.21140,
    take from Z. Lang and J. Reiczigel, Preventive Veterinary Medicine 113 (2014) 13–22: with p̃ = (np + z²/2)/(n + z²)
    and q̃ = (mq + 1)/(m + 2), over ñ = n + z² and m̃ = m + 2, it is θ̃ + d ± z·SE, where

        d = 2z²·[θ̃·q̃1(1 − q̃1)/m̃1 − (1 − θ̃)·q̃0(1 − q̃0)/m̃0],
        SE² = [p̃(1 − p̃)/ñ + θ̃²·q̃1(1 − q̃1)/m̃1 + (1 − θ̃)²·q̃0(1 − q̃0)/m̃0]/J̃².

    Unlike there, the shift d moves only one end, outwards: if few labelled cases fail (two or three of fifty at
    θ = .95), moving both left the truth above the upper end in up to 8 % of simulated runs.

    Args:
        passed: Number of cases of the run that the judge passes, from 0 to ``judged``.
        judged: Number of cases of the run with a verdict.
        labels: People's labels and verdicts of the same judge on other cases, in two levels. They may be drawn by what
            people say (as many right as wrong answers), but never by what the judge says.
        effect: Design effect on the share that passes, over the cases of the run; at least 1.
        labels_effect: Design effect on whether the judge is right, over the labelled cases; at least 1.

    Returns:
        Only a reason if no case is judged, no labelled case passes or none fails, or J or J̃ is at most 0.1.

    Raises:
        ValueError: ``passed`` is out of range, or the table has more than two levels.
    """
    _check_passed(passed, judged)
    (true_fail, false_pass), (false_fail, true_pass) = two_by_two(labels)
    fails, passes = true_fail + false_pass, false_fail + true_pass
    if not judged:
        return Corrected(reason="no case is judged")
    if not passes:
        return Corrected(reason="no labelled case passes, so the sensitivity is unknown")
    if not fails:
        return Corrected(reason="no labelled case fails, so the specificity is unknown")
    sensitivity, specificity = true_pass / passes, true_fail / fails
    z = normal_quantile(0.975)
    share = _by_score(passed, judged, z, effect)
    right, wrong = _plus_one(true_pass, passes, labels_effect), _plus_one(true_fail, fails, labels_effect)
    j, cautious_j = sensitivity + specificity - 1, right.value + wrong.value - 1
    if j <= _LEAST_J + ROUNDING:
        message = f"sensitivity {sensitivity:.2f} and specificity {specificity:.2f} add up to no more than 1.1"
        return Corrected(reason=f"the judge is too close to chance: {message}")
    if cautious_j <= _LEAST_J + ROUNDING:
        return Corrected(reason="there are too few labels to tell the judge from chance")
    theta = (share.value + wrong.value - 1) / cautious_j
    shift = 2 * z * z * (theta * right.variance - (1 - theta) * wrong.variance)
    spread = share.variance + theta**2 * right.variance + (1 - theta) ** 2 * wrong.variance
    half = z * math.sqrt(spread) / cautious_j
    estimate = (passed / judged + specificity - 1) / j
    return _corrected(estimate, theta + min(shift, 0.0) - half, theta + max(shift, 0.0) + half)


def by_labels_of_run(passed: int, judged: int, labels: Confusion, *, effect: float = 1.0) -> Corrected:
    """Return the share of a run that people would pass, from labels of some of its cases.

    It is the estimate of a stratified sample with the two verdicts as strata: θ = p·a + (1 − p)·b, where a and b are
    the shares that people pass of the labelled cases that the judge passes and fails (W. G. Cochran, "Sampling
    Techniques", 3rd ed., 1977, section 5.3). With p̃ and ñ as in ``by_separate_labels``, ã = (x + 1)/(m + 2) and b̃
    likewise, the interval is θ̃ ± z·SE, where

        SE² = (ã − b̃)²·p̃(1 − p̃)/ñ + p̃²·ã(1 − ã)/(m_a + 2) + (1 − p̃)²·b̃(1 − b̃)/(m_b + 2).

    If every case is labelled, it is Wilson's interval of the labels.

    Args:
        passed: Number of cases of the run that the judge passes, from 0 to ``judged``.
        judged: Number of cases of the run with a verdict.
        labels: People's labels and the judge's verdicts on cases of this run, in two levels, drawn at random from all
            cases or from each verdict, in any numbers.
        effect: Design effect on ``stratified_parts``, at least 1.

    Returns:
        Only a reason if no case is judged, or none of the cases with one of the run's verdicts is labelled.

    Raises:
        ValueError: ``passed`` is out of range, a verdict has more labels than the run has such cases, or the table has
            more than two levels.
    """
    _check_passed(passed, judged)
    (fail_fail, fail_pass), (pass_fail, pass_pass) = two_by_two(labels)
    labelled_passes, labelled_fails, failed = fail_pass + pass_pass, fail_fail + pass_fail, judged - passed
    if labelled_passes > passed or labelled_fails > failed:
        raise ValueError(
            f"{labelled_passes} passes and {labelled_fails} failures of the judge are labelled, "
            f"more than the {passed} and {failed} of the run"
        )
    if not judged:
        return Corrected(reason="no case is judged")
    if passed and not labelled_passes:
        return Corrected(reason="no case that the judge passes is labelled")
    if failed and not labelled_fails:
        return Corrected(reason="no case that the judge fails is labelled")
    if labels.n == judged:
        estimate = (pass_pass + pass_fail) / judged
        return Corrected(estimate=estimate, interval=wilson(estimate, judged / effect))
    z = normal_quantile(0.975)
    share = _by_score(passed, judged, z, effect)
    a, b = _plus_one(pass_pass, labelled_passes, effect), _plus_one(pass_fail, labelled_fails, effect)
    p = share.value
    spread = (a.value - b.value) ** 2 * share.variance + p**2 * a.variance + (1 - p) ** 2 * b.variance
    centre, half = p * a.value + (1 - p) * b.value, z * math.sqrt(spread)
    weighted = passed * _ratio(pass_pass, labelled_passes) + failed * _ratio(pass_fail, labelled_fails)
    return _corrected(weighted / judged, centre - half, centre + half)


def stratified_parts(passed: Sequence[bool], truth: Sequence[bool | None]) -> list[float]:
    """Return the contribution of each case to the estimate of ``by_labels_of_run``; their mean is the estimate.

    Let m be the share that people pass of the labelled cases with the case's verdict. The contribution is m, or for a
    labelled case m + (y − m)·N/n, where N cases have that verdict and n of them are labelled.

    Args:
        passed: For each case of the run, whether the judge passes it.
        truth: For each case, in the same order, whether people pass it; None without a label.
    """
    strata: dict[bool, list[bool | None]] = {True: [], False: []}
    for said, true in zip(passed, truth, strict=True):
        strata[said].append(true)
    labels = {said: [true for true in all_ if true is not None] for said, all_ in strata.items()}
    share = {said: _ratio(sum(own), len(own)) for said, own in labels.items()}
    weight = {said: _ratio(len(all_), len(labels[said])) for said, all_ in strata.items()}
    return [
        share[said] + (0.0 if true is None else weight[said] * (true - share[said]))
        for said, true in zip(passed, truth, strict=True)
    ]


def by_prediction(
    labelled: Sequence[tuple[float, float]],
    unlabelled: Sequence[float],
    *,
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
) -> Corrected:
    """Return the mean score that people would give, from their scores of a random part of the run (PPI++).

    A. N. Angelopoulos, J. C. Duchi and T. Zrnic, arXiv 2311.01453: with people's scores Y, the judge's scores f, n
    labelled cases and N others, θ = λ·mean(f of the others) + mean(Y − λf), λ = cov(Y, f)/((1 + n/N)·var f) within
    [0, 1], and SE² = λ²·var(f)/N + var(Y − λf)/n. Without other cases, θ is the mean of Y.

    The interval is Wilson's over the effective number θ(1 − θ)/SE², or over n if that is larger. It differs from the
    paper in two ways, without which only 90 to 92 % of intervals contained a mean near 1 at n = 100. The variance in λ
    is that of the labelled cases: with the variance of all cases, λ depends on which cases were labelled. And var(Y −
    λf) includes one more residual, as large as the greatest |Y − f|, or 1 if people and judge never differ: n labels
    miss rare errors of a good judge.

    Args:
        labelled: People's score and the judge's score of each labelled case, drawn at random from the run.
        unlabelled: The judge's scores of all other cases of the run.
        clusters: The clusters of the labelled cases and of the others; None if all cases are independent. For the
            minimum of 100 labels, all labels of a cluster count as one.

    Returns:
        No interval below 100 labels, or if every case is labelled and all labels are equal but neither 0 nor 1; only a
        reason without a label, or for scores outside [0, 1].
    """
    truth, judged = [score for score, _ in labelled], [score for _, score in labelled]
    n, rest = len(labelled), len(unlabelled)
    if not n:
        return Corrected(reason="no case is labelled")
    if not all(0 <= score <= 1 for scores in (truth, judged, unlabelled) for score in scores):
        return Corrected(reason="a score lies outside [0, 1]")
    trust = _trust(truth, judged, rest)
    residuals = [score - trust * guess for score, guess in labelled]
    estimate = min(1.0, max(0.0, trust * (mean(unlabelled) or 0.0) + (mean(residuals) or 0.0)))
    own, others = clusters if clusters is not None else (range(n), range(n, n + rest))
    many = len(set(own))
    if many < LEAST_LABELS:
        grouped = "" if many == n else f" in {many} clusters"
        return Corrected(
            estimate=estimate, interval=None, reason=f"an interval takes {LEAST_LABELS} labels, there are {n}{grouped}"
        )
    if not rest:
        interval = score_interval(truth, clusters=None if many == n else own)
        return Corrected(estimate=estimate, interval=interval, reason=None if interval else "all scores are equal")
    parts = [*_parts(residuals, n + rest), *(trust * part for part in _parts(unlabelled, n + rest))]
    effect = design_effect(parts, [*own, *others])
    greatest = max(abs(score - guess) for score, guess in labelled)
    hidden = greatest if greatest > ROUNDING else 1.0
    error = trust**2 * _products(judged + list(unlabelled)) / (n + rest - 1) / rest
    error += (_products(residuals) + effect * hidden**2) / n**2
    count = max(n / effect, estimate * (1 - estimate) / (error * effect))
    return Corrected(estimate=estimate, interval=wilson(estimate, count))


def _parts(values: Sequence[float], cases: int) -> list[float]:
    """Return the contribution of each value's deviation from the mean, to a mean over ``cases`` cases."""
    centre = mean(values) or 0.0
    return [(value - centre) * cases / len(values) for value in values]


def _trust(truth: Sequence[float], judged: Sequence[float], rest: int) -> float:
    """Return λ, the weight of the judge in the estimate; 0 if all of the judge's scores are equal."""
    spread = _products(judged)
    if not rest or spread <= ROUNDING:
        return 0.0
    return min(1.0, max(0.0, _products(truth, judged) / spread / (1 + len(truth) / rest)))


def _products(left: Sequence[float], right: Sequence[float] | None = None) -> float:
    """Return the sum of the products of deviations from the means; of their squares if ``right`` is None."""
    right = left if right is None else right
    one, other = mean(left) or 0.0, mean(right) or 0.0
    return math.fsum((a - one) * (b - other) for a, b in zip(left, right, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """A share moved towards the middle, with its variance."""

    value: float
    variance: float


def _by_score(hits: int, n: int, z: float, effect: float) -> _Share:
    """Return p̃ = (x + z²/2)/(n + z²), the centre of Wilson's interval, with counts divided by the design effect."""
    return _moved(hits / effect + z * z / 2, n / effect + z * z)


def _plus_one(hits: int, n: int, effect: float) -> _Share:
    """Return (x + 1)/(n + 2), with counts divided by the design effect."""
    return _moved(hits / effect + 1, n / effect + 2)


def _moved(hits: float, n: float) -> _Share:
    return _Share(value=hits / n, variance=hits / n * (1 - hits / n) / n)


def _ratio(hits: int, n: int) -> float:
    return hits / n if n else 0.0


def _check_passed(passed: int, judged: int) -> None:
    if not 0 <= passed <= judged:
        raise ValueError(f"passed must lie between 0 and the {judged} judged cases, not {passed}")


def _corrected(estimate: float, low: float, high: float) -> Corrected:
    """Return a result clipped to [0, 1], with an interval that contains the estimate."""
    kept = min(1.0, max(0.0, estimate))
    interval = Interval(low=min(kept, max(0.0, low)), high=max(kept, min(1.0, high)))
    return Corrected(estimate=kept, interval=interval)
