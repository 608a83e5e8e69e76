"""Intervals by Student, by Wilson and those of clusters."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # nor does it

from pytest_llmeval.core.stats.clusters import clustered_mean
from pytest_llmeval.core.stats.intervals import score_interval, standard_error, t_interval, wilson
from pytest_llmeval.core.stats.means import mean
from tests.support.stats_parts import ends

numbers = st.lists(st.floats(-1e3, 1e3), max_size=40)
rows = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=30)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 30])
def test_a_t_interval_equals_scipys(n: int, confidence: float) -> None:
    """For values of any size."""
    drawn = random.Random(n)
    values = [drawn.gauss(40, 7) for _ in range(n)]
    expected = stats.t.interval(confidence, n - 1, loc=mean(values), scale=stats.sem(values))
    assert ends(t_interval(values, confidence=confidence)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "values",
    [[], [3.0], [2.0, 2.0], [0.7 - 0.6, 0.3 - 0.2], [1e308, -1e308]],
    ids=["none", "one", "equal", "rounded", "overflow"],
)
def test_a_t_interval_of_unknown_spread_is_none(values: list[float]) -> None:
    """Not one of no width, and none without end."""
    assert t_interval(values) is None


@given(numbers, st.randoms())
def test_a_t_interval_ignores_order_and_holds_the_mean(values: list[float], shuffler: random.Random) -> None:
    """It has some width or is not there."""
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    interval, centre = t_interval(values), mean(values)
    assert interval == t_interval(shuffled)
    if interval is not None and centre is not None:
        assert interval.low < interval.high
        assert interval.low <= centre <= interval.high


def test_a_t_interval_of_clusters_takes_their_error_and_degrees() -> None:
    """Twenty rows of three users."""
    drawn = random.Random(5)
    values, users = [drawn.random() for _ in range(20)], [drawn.choice("abc") for _ in range(20)]
    clustered = clustered_mean(values, users)
    assert clustered is not None
    expected = stats.t.interval(0.9, clustered.df, loc=clustered.value, scale=clustered.error)
    assert ends(t_interval(values, confidence=0.9, clusters=users)) == pytest.approx(expected, rel=1e-9)
    assert t_interval(values, clusters=["a"] * 20) is None
    assert t_interval([0.1, 0.2, 0.1, 0.2], clusters=["a", "a", "b", "b"]) is None


def test_values_that_differ_by_rounding_alone_have_no_spread() -> None:
    """A rubric's value may be 0.3 or the next float, by the order of its sum."""
    values = [0.3] * 19 + [0.1 + 0.2]
    assert standard_error(values) == 0
    assert score_interval(values) is None
    assert t_interval(values) is None


def test_the_standard_error_of_clusters_is_theirs() -> None:
    """None where they are too few."""
    values, users = [0.1, 0.5, 0.9, 0.4], ["a", "a", "b", "c"]
    clustered = clustered_mean(values, users)
    assert clustered is not None
    assert standard_error(values, clusters=users) == clustered.error
    assert standard_error(values, clusters=range(4)) == pytest.approx(standard_error(values))
    assert standard_error(values, clusters=["a"] * 4) is None


def test_scores_of_clusters_take_wilson_with_fewer_samples_and_students_quantile() -> None:
    """n_eff = m(1 − m)/SE² of the clustered error; the formula is statsmodels' with z moved into alpha."""
    drawn = random.Random(2)
    users = [user for user in range(12) for _ in range(5)]
    rates = [drawn.betavariate(2, 1) for _ in range(12)]
    values = [float(drawn.random() < rates[user]) for user in users]
    clustered = clustered_mean(values, users)
    assert clustered is not None
    n = clustered.value * (1 - clustered.value) / clustered.error**2
    assert n < 60
    alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, clustered.df))
    expected = proportion_confint(clustered.value * n, n, alpha=alpha, method="wilson")
    assert ends(score_interval(values, clusters=users)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_scores_of_clusters_that_never_differ_count_once_for_each_cluster(share: float) -> None:
    """Ten users who all pass bound the rate no better than ten rows do."""
    users = [user for user in range(10) for _ in range(6)]
    alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, 9))
    expected = proportion_confint(share * 10, 10, alpha=alpha, method="wilson")
    assert ends(score_interval([share] * 60, clusters=users)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("wrong", [0, 2])
def test_clusters_that_agree_count_as_many_of_one_size(wrong: int) -> None:
    """n²/Σn_c²: 64 clusters of 240 rows are worth 24.4, whether or not two single rows differ from the others."""
    users = [user for user, size in enumerate([1] * 40 + [6] * 20 + [20] * 4) for _ in range(size)]
    values = [0.0] * wrong + [1.0] * (240 - wrong)
    clustered = clustered_mean(values, users)
    assert clustered is not None
    n, alpha = 240**2 / 2360, 2 * stats.norm.sf(stats.t.ppf(0.975, clustered.df))
    expected = proportion_confint((240 - wrong) / 240 * n, n, alpha=alpha, method="wilson")
    assert ends(score_interval(values, clusters=users)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "users"),
    [([1.0, 0.0], "aa"), ([0.5, 0.5], "ab"), ([0.5, 1.5], "ab"), ([], ""), ([1.0], "a"), ([1.0, 1.0], "aa")],
    ids=["one user", "equal", "above", "none", "one", "one user, all pass"],
)
def test_an_interval_of_clusters_that_cannot_be_estimated_is_none(values: list[float], users: Sequence[str]) -> None:
    """As without clusters, and below two of them."""
    assert score_interval(values, clusters=users) is None


def test_clusters_that_cancel_leave_no_more_samples_than_rows() -> None:
    """Each user passes one of two: an error of 0, yet the interval keeps the width of 20 rows at least."""
    values, users = [1.0, 0.0] * 10, [user for user in range(10) for _ in range(2)]
    low, high = ends(score_interval(values, clusters=users))
    plain = wilson(0.5, 20)
    assert (low < plain.low, high > plain.high) == (True, True)


@given(rows, st.randoms())
def test_clusters_never_narrow_the_interval_and_order_does_not_matter(
    pairs: list[tuple[float, int]], shuffler: random.Random
) -> None:
    """It lies in [0, 1] around the mean."""
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    values, users = [value for value, _ in pairs], [user for _, user in pairs]
    plain, clustered, centre = score_interval(values), score_interval(values, clusters=users), mean(values)
    again = score_interval([value for value, _ in shuffled], clusters=[user for _, user in shuffled])
    assert clustered == again
    if clustered is not None and plain is not None and centre is not None:
        assert 0 <= clustered.low <= plain.low + 1e-12
        assert plain.low <= centre <= plain.high
        assert plain.high <= clustered.high + 1e-12
        assert clustered.high <= 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=40))
def test_clusters_of_one_change_nothing_but_for_yes_or_no_values(values: list[float]) -> None:
    """Those take Student's quantile in place of the normal one, from which it differs at few rows."""
    plain, clustered = score_interval(values), score_interval(values, clusters=range(len(values)))
    if plain is None or clustered is None:
        assert plain is clustered
        return
    n, centre = len(values), sum(values) / len(values)
    confidence = 1 - 2 * float(stats.norm.sf(stats.t.ppf(0.975, n - 1)))
    mixed = set(values) == {0.0, 1.0}  # then m(1 − m)/SE² is n − 1, where plain Wilson takes n
    same = wilson(centre, n - mixed, confidence=confidence) if set(values) <= {0.0, 1.0} else plain
    assert ends(clustered) == pytest.approx(ends(same), abs=1e-9)
