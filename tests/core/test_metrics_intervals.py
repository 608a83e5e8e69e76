"""The closed forms agree with independent implementations and stay in range."""

import math
import random
import sys
from itertools import combinations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # nor does it

from pytest_llmeval.core.stats.intervals import miss_chance, pass_at_k, quantile, score_interval, standard_error, wilson
from pytest_llmeval.core.stats.means import mean, total

finite = st.floats(allow_nan=False, allow_infinity=False)
unit = st.floats(0, 1)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_wilson_equals_statsmodels_and_scipy(counts: tuple[int, int]) -> None:
    """Both oracles to 1e-9, for any count."""
    n, passed = counts
    ours = wilson(passed / n, n)
    assert (ours.low, ours.high) == pytest.approx(proportion_confint(passed, n, method="wilson"), abs=1e-9)
    theirs = stats.binomtest(passed, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_takes_another_confidence() -> None:
    """The level is an argument."""
    ours = wilson(0.9, 50, confidence=0.8)
    assert (ours.low, ours.high) == pytest.approx(proportion_confint(45, 50, alpha=0.2, method="wilson"), abs=1e-9)


@given(unit, st.floats(0.5, 1e6))
def test_wilson_stays_in_range_around_the_share(share: float, n: float) -> None:
    """Whatever the rounding, 0 <= low <= share <= high <= 1."""
    interval = wilson(share, n)
    assert 0 <= interval.low <= share <= interval.high <= 1


def test_binary_scores_take_wilson_over_n() -> None:
    """45 of 50, as in every textbook."""
    interval = score_interval([1.0] * 45 + [0.0] * 5)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.7864, 0.9565), abs=1e-4)


def test_other_scores_take_wilson_over_the_effective_n() -> None:
    """n_eff = m(1 - m)/SE², computed here with numpy; the formula is statsmodels' with Student's t moved into alpha."""
    drawn = random.Random(3)
    values = [drawn.betavariate(8, 2) for _ in range(40)]
    error = stats.sem(values)
    centre = float(numpy.mean(values))
    n = centre * (1 - centre) / error**2
    alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, 39))
    expected = proportion_confint(centre * n, n, alpha=alpha, method="wilson")
    interval = score_interval(values)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "values",
    [[], [0.5], [0.5, 0.5], [0.5, 1.5], [-0.1, 0.5], [1.0, math.nextafter(1.0, 0.0)], [0.5, 0.5 + 1e-200]],
    ids=["none", "one", "equal", "above", "below", "rounded", "tiny"],
)
def test_an_interval_that_cannot_be_estimated_is_none(values: list[float]) -> None:
    """Never a stand-in of no width."""
    assert score_interval(values) is None


@given(st.lists(unit, max_size=30))
def test_the_interval_of_scores_holds_their_mean(values: list[float]) -> None:
    """And lies in [0, 1]."""
    interval, centre = score_interval(values), mean(values)
    if interval is not None and centre is not None:
        assert 0 <= interval.low <= centre <= interval.high <= 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_mean_and_standard_error_equal_scipy(values: list[float]) -> None:
    """Relative to the size of the values."""
    scale = max(map(abs, values)) or 1
    assert mean(values) == pytest.approx(float(numpy.mean(values)), abs=1e-9 * scale)
    assert standard_error(values) == pytest.approx(float(stats.sem(values)), abs=1e-7 * scale)


@given(st.lists(finite, min_size=1, max_size=20), st.randoms())
def test_mean_and_total_ignore_order_and_the_mean_stays_in_range(values: list[float], shuffler: random.Random) -> None:
    """Even where the sum overflows on the way."""
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    average = mean(values)
    assert average is not None
    assert average == mean(shuffled)
    assert min(values) <= average <= max(values)
    assert total(values) == total(shuffled)
    assert standard_error(values) == standard_error(shuffled)


def test_what_cannot_be_estimated_is_none() -> None:
    """No value, one value, values too far apart for a float."""
    assert mean([]) is None
    assert standard_error([]) is None
    assert standard_error([0.5]) is None
    assert standard_error([1e308, -1e308]) is None
    assert total([]) == 0
    assert total([1e308, 1e308]) == math.inf
    assert mean([1e308, 1e308]) == 1e308
    assert mean([sys.float_info.max] * 3) == sys.float_info.max


@given(st.lists(finite, min_size=1, max_size=60), st.integers(1, 100))
def test_a_quantile_equals_numpys_inverted_cdf(values: list[float], percent: int) -> None:
    """Checked by its definition too: enough values lie at or below it, and it was seen."""
    ours = quantile(values, percent)
    assert ours in values
    assert sum(value <= ours for value in values) * 100 >= percent * len(values)
    assert sum(value < ours for value in values) * 100 < percent * len(values)
    if percent in (50, 95) and len(values) <= 20:
        assert ours == numpy.quantile(values, percent / 100, method="inverted_cdf")


def test_a_quantile_of_nothing_is_none() -> None:
    """Not 0."""
    assert quantile([], 95) is None


def test_the_chance_to_miss_a_bar_is_the_normal_one() -> None:
    """A mean on the bar misses it in half of the reruns; without a standard error nothing is said."""
    assert miss_chance(0.8, 0.8, 0.03) == pytest.approx(0.5)
    assert miss_chance(0.8, 0.85, 0.03) == pytest.approx(float(stats.norm.cdf(-0.05 / 0.03)))
    assert miss_chance(0.8, 0.85, None) is None
    assert miss_chance(0.8, 0.85, 0.0) is None


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("c", [0, 1, 3, 5])
def test_pass_at_k_equals_the_count_over_all_subsets(c: int, k: int) -> None:
    """Every way to choose k of 5 attempts."""
    attempts = [True] * c + [False] * (5 - c)
    subsets = list(combinations(attempts, k))
    assert pass_at_k(5, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))
