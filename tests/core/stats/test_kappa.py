"""Cohen's kappa of a judge against people."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.agreement import Confusion, confusion
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.kappa import Kappa, Weights, cohen_kappa, kappa_parts
from tests.support.stats_parts import binary

LEVELS = (1, 2, 3, 4)
labels = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), max_size=60)
schemes: st.SearchStrategy[Weights | None] = st.sampled_from([None, "linear", "quadratic"])


def table(pairs: Sequence[tuple[int, int]]) -> Confusion:
    """Return the counts of pairs of labels on four levels."""
    return confusion([one for one, _ in pairs], [other for _, other in pairs], levels=LEVELS)


def found(kappa: Kappa | None) -> tuple[float, float, float]:
    """Return kappa and both ends of an interval that must be there."""
    assert kappa is not None and kappa.interval is not None
    return kappa.value, kappa.interval.low, kappa.interval.high


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
@given(pairs=labels)
def test_kappa_equals_statsmodels(weights: Weights | None, pairs: list[tuple[int, int]]) -> None:
    """Value and interval, where both raters use more than one level and differ somewhere."""
    seen = table(pairs)
    ours = cohen_kappa(seen, weights=weights)
    assume(ours is not None and ours.interval is not None and seen.agreed < seen.n)
    scale = np.arange(4) if weights else None
    theirs = cohens_kappa(np.array(seen.counts), weights=scale, wt=weights)
    ends = (theirs.kappa, max(-1, theirs.kappa_low), min(1, theirs.kappa_upp))
    assert found(ours) == pytest.approx(ends, abs=1e-6)


def test_kappa_of_cohens_own_example() -> None:
    """Shares in a table of three levels, p_o = .70 and p_e = .41: J. Cohen (1960), table 1, .492."""
    counts = ((88, 14, 18), (10, 40, 10), (2, 6, 12))
    kappa = cohen_kappa(Confusion(levels=("personality", "neurosis", "psychosis"), counts=counts))
    assert kappa is not None
    assert (kappa.observed, kappa.expected) == pytest.approx((0.70, 0.41))
    assert kappa.value == pytest.approx(0.492, abs=5e-4)


def test_kappa_is_low_where_nearly_all_pass_though_the_judge_errs_as_rarely() -> None:
    """Sensitivity and specificity of .9 at a prevalence of .5 and of .95."""
    even, lopsided = cohen_kappa(binary(45, 5, 5, 45)), cohen_kappa(binary(9, 1, 19, 171))
    assert found(even)[0] == pytest.approx(0.8)
    assert found(lopsided)[0] < 0.45


@given(pairs=labels, weights=schemes)
def test_kappa_takes_the_raters_in_either_order(pairs: list[tuple[int, int]], weights: Weights | None) -> None:
    """Who is called the truth does not matter."""
    one = cohen_kappa(table(pairs), weights=weights)
    other = cohen_kappa(table([(b, a) for a, b in pairs]), weights=weights)
    assert (one is None) == (other is None)
    if one and other and one.interval:
        assert found(one) == pytest.approx(found(other), abs=1e-9)


@given(st.lists(st.sampled_from(LEVELS), max_size=60), schemes)
def test_kappa_of_equal_labels_is_one(given_: list[int], weights: Weights | None) -> None:
    """The interval ends at 1 and has a width; labels of one level leave kappa unknown."""
    kappa = cohen_kappa(table([(each, each) for each in given_]), weights=weights)
    assert (kappa is None) == (len(set(given_)) < 2)
    if kappa:
        value, low, high = found(kappa)
        assert value == high == 1
        assert -1 <= low < 1


def test_more_equal_labels_narrow_the_interval_of_full_agreement() -> None:
    """100 in 100 show that at least .963 of cases agree, .5 of them by chance."""
    ten, hundred = found(cohen_kappa(binary(5, 0, 0, 5))), found(cohen_kappa(binary(50, 0, 0, 50)))
    assert ten[1] < hundred[1] == pytest.approx(0.926, abs=5e-4)


@given(pairs=labels, weights=schemes)
def test_kappa_stays_in_its_range(pairs: list[tuple[int, int]], weights: Weights | None) -> None:
    """And its interval around it."""
    kappa = cohen_kappa(table(pairs), weights=weights)
    if kappa and kappa.interval:
        assert -1 - 1e-9 <= kappa.interval.low <= kappa.value <= kappa.interval.high <= 1
    if kappa:
        assert 0 <= kappa.expected < 1 and kappa.n == len(pairs)


def test_weighted_kappa_counts_near_misses_in_part() -> None:
    """One level off costs less than three, and the less the squarer the weights."""
    equal = [(level, level) for level in LEVELS] * 5
    near, far = table(equal + [(1, 2)] * 5), table(equal + [(1, 4)] * 5)
    plain, linear = found(cohen_kappa(near)), found(cohen_kappa(near, weights="linear"))
    quadratic = found(cohen_kappa(near, weights="quadratic"))
    assert plain < linear < quadratic
    assert found(cohen_kappa(far, weights="quadratic")) < quadratic


def test_kappa_without_variance_short_of_full_agreement_has_no_interval() -> None:
    """Two raters who always differ."""
    kappa = cohen_kappa(binary(0, 5, 5, 0))
    assert kappa is not None and kappa.value == -1 and kappa.interval is None


def test_the_interval_of_kappa_holds_the_truth() -> None:
    """Sensitivity .9, specificity .8, prevalence .6, 100 cases: .95 of 600, less three deviations."""
    drawn = random.Random(4)
    truth = cohen_kappa(binary(32_000, 8_000, 6_000, 54_000))
    assert truth is not None
    held = 0
    for _ in range(600):
        passes = [drawn.random() < 0.6 for _ in range(100)]
        seen = confusion(passes, [drawn.random() < (0.9 if each else 0.2) for each in passes])
        _, low, high = found(cohen_kappa(seen))
        held += low <= truth.value <= high
    assert abs(held / 600 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 600)


@given(pairs=labels, weights=schemes)
def test_the_parts_of_kappa_vary_as_kappa_does(pairs: list[tuple[int, int]], weights: Weights | None) -> None:
    """Their variance, over (1 − p_e)², is n times that of kappa."""
    seen = table(pairs)
    kappa = cohen_kappa(seen, weights=weights)
    assume(kappa is not None and kappa.interval is not None and seen.agreed < seen.n)
    value, low, high = found(kappa)
    assume(low > -1 and high < 1)
    assert kappa is not None
    parts = kappa_parts(seen, [a for a, _ in pairs], [b for _, b in pairs], weights=weights)
    half = 1.959964 * math.sqrt(np.var(parts) / len(pairs)) / (1 - kappa.expected)
    assert high - value == pytest.approx(half, rel=1e-5)


@pytest.mark.parametrize("weights", [None, "linear"])
def test_each_case_twice_does_not_narrow_the_interval(weights: Weights | None) -> None:
    """Over 200 simulated judges, some of them never wrong."""
    drawn = random.Random(5)
    for _ in range(200):
        truth = [drawn.choice(LEVELS) for _ in range(40)]
        right = drawn.choice((0.6, 0.9, 1))
        judged = [true if drawn.random() < right else drawn.choice(LEVELS) for true in truth]
        once, twice = (table(list(zip(truth, judged, strict=True)) * times) for times in (1, 2))
        parts = kappa_parts(twice, truth * 2, judged * 2, weights=weights)
        effect = design_effect(parts, [*range(40), *range(40)])
        one, two = found(cohen_kappa(once, weights=weights)), found(cohen_kappa(twice, weights=weights, effect=effect))
        assert two[0] == pytest.approx(one[0])
        assert two[1] <= one[1] + 1e-9
        assert two[2] >= one[2] - 1e-9
