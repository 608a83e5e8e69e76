"""CR2 errors and degrees of freedom agree with the matrix form, and clusters of one change nothing."""

import math
import random
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.clusters import clustered_mean, design_effect, in_clusters, size_effect
from pytest_llmeval.core.stats.intervals import standard_error

scores = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=2, max_size=40)


def cr2_by_matrices(values: Sequence[float], clusters: Sequence[int]) -> tuple[float, float]:
    """Return SE and df of a regression on a constant, by Bell and McCaffrey's matrices alone.

    Residuals of each cluster are multiplied by (I − H_cc)^(−1/2), the inverse square root taken by
    eigenvalues; df = tr(G'G)²/tr((G'G)²), the columns of G being (I − H)_c'·A_c·X_c.
    """
    y, names = numpy.array(values), numpy.array(clusters)
    n = len(y)
    design = numpy.ones((n, 1))
    bread = numpy.linalg.inv(design.T @ design)
    residual_maker = numpy.eye(n) - design @ bread @ design.T
    residuals = residual_maker @ y
    meat, columns = 0.0, []
    for name in numpy.unique(names):
        rows = names == name
        own = residual_maker[numpy.ix_(rows, rows)]
        sizes, vectors = numpy.linalg.eigh(own)
        root = vectors @ numpy.diag(sizes**-0.5) @ vectors.T
        meat += float((design[rows].T @ root @ residuals[rows]).item()) ** 2
        columns.append(residual_maker[rows].T @ root @ design[rows] @ bread)
    g = numpy.hstack(columns)
    inner = g.T @ g
    return float(bread.item() * math.sqrt(meat)), float(numpy.trace(inner) ** 2 / numpy.trace(inner @ inner))


@pytest.mark.parametrize("seed", range(12))
def test_error_and_df_equal_the_matrix_form(seed: int) -> None:
    """For clusters of very different sizes."""
    drawn = random.Random(seed)
    names = [index for index in range(drawn.randint(2, 8)) for _ in range(1 + int(drawn.expovariate(0.2)))]
    levels = [drawn.gauss(0, 1) for _ in range(10)]
    values = [levels[name] + drawn.gauss(0, 0.5) for name in names]
    ours = clustered_mean(values, names)
    assert ours is not None
    assert (ours.error, ours.df) == pytest.approx(cr2_by_matrices(values, names), rel=1e-9)
    assert ours.value == pytest.approx(float(numpy.mean(values)), rel=1e-9)
    assert ours.clusters == len(set(names))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60))
def test_clusters_of_one_give_the_usual_error(values: list[float]) -> None:
    """And n − 1 degrees of freedom."""
    ours = clustered_mean(values, range(len(values)))
    assert ours is not None
    assert ours.error == pytest.approx(float(stats.sem(values)), rel=1e-9, abs=2e-12)
    assert ours.df == pytest.approx(len(values) - 1, rel=1e-9)


@given(st.integers(2, 20), st.integers(1, 9))
def test_equal_sizes_have_one_degree_less_than_clusters(clusters: int, size: int) -> None:
    """The small-sample factor C/(C − 1) and C − 1 degrees, as E. Miller has them."""
    names = [name for name in range(clusters) for _ in range(size)]
    values = [random.Random(name).random() + index % 3 for index, name in enumerate(names)]
    ours = clustered_mean(values, names)
    assert ours is not None
    means = [float(numpy.mean(group)) for group in in_clusters(values, names)]
    assert ours.df == pytest.approx(clusters - 1, rel=1e-9)
    assert ours.error == pytest.approx(float(stats.sem(means)), rel=1e-9)


@given(scores, st.randoms())
def test_neither_order_nor_names_of_clusters_matter(rows: list[tuple[float, int]], shuffler: random.Random) -> None:
    """To the last digit."""
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    before = clustered_mean([value for value, _ in rows], [name for _, name in rows])
    after = clustered_mean([value for value, _ in shuffled], [f"user {name}" for _, name in shuffled])
    assert before == after


@given(scores, st.integers(2, 4))
def test_rows_repeated_within_their_cluster_say_nothing_new(rows: list[tuple[float, int]], times: int) -> None:
    """Asking the same question again does not make a mean more certain."""
    values, names = [value for value, _ in rows], [name for _, name in rows]
    once, repeated = clustered_mean(values, names), clustered_mean(values * times, names * times)
    if once is None or repeated is None:
        assert once is repeated
        return
    assert repeated.error == pytest.approx(once.error, rel=1e-6, abs=1e-11)
    assert repeated.df == pytest.approx(once.df, rel=1e-9)


@given(scores)
def test_degrees_of_freedom_lie_between_one_and_clusters_less_one(rows: list[tuple[float, int]]) -> None:
    """Unequal sizes only take some away."""
    ours = clustered_mean([value for value, _ in rows], [name for _, name in rows])
    if ours is not None:
        assert 1 - 1e-9 <= ours.df <= ours.clusters - 1 + 1e-9
        assert ours.error >= 0


def test_below_two_clusters_nothing_is_known() -> None:
    """One cluster says nothing of how clusters differ."""
    assert clustered_mean([], []) is None
    assert clustered_mean([0.1, 0.9], ["a", "a"]) is None
    assert clustered_mean([1e308, -1e308], ["a", "b"]) is None


def test_residuals_that_cancel_in_each_cluster_have_an_error_of_exactly_0() -> None:
    """Rounding must not make a tiny error of them, which would make a certainty of any difference."""
    ours = clustered_mean([0.1, 0.2, 0.3, 0.3, 0.1, 0.2], ["a", "a", "a", "b", "b", "b"])
    assert ours is not None
    assert ours.error == 0
    equal = clustered_mean([0.7 - 0.6, 0.3 - 0.2, 1 - 0.9], ["a", "b", "c"])
    assert equal is not None
    assert equal.error == 0


def test_each_value_needs_its_cluster() -> None:
    """A list too short is a mistake of the caller."""
    with pytest.raises(ValueError, match="shorter"):
        clustered_mean([0.1, 0.2, 0.3], ["a", "b"])
    with pytest.raises(ValueError, match="longer"):
        in_clusters([0.1], ["a", "b"])


def test_values_are_grouped_by_cluster() -> None:
    """Sorted inside, the clusters by their first value."""
    assert in_clusters([3, 1, 2, 0], ["b", "a", "b", "a"]) == [[2, 3], [0, 1]]


def test_a_cluster_of_its_own_each_has_no_effect() -> None:
    assert design_effect([0, 1, 1], ["a", "b", "c"]) == design_effect([], []) == 1


def test_values_that_are_all_equal_count_once_a_cluster() -> None:
    """Four and two of six: 20/6; they say nothing of how alike values are, nor do clusters without any spread."""
    for first, second in ((1.0, 1.0), (0.0, 1.0), (0.1 + 0.2, 0.3)):
        assert size_effect([first] * 4 + [second] * 2, [0, 0, 0, 0, 1, 1]) == pytest.approx(20 / 6)
    assert design_effect([1.0] * 6, [0, 0, 0, 0, 1, 1]) == pytest.approx(20 / 6)
    assert design_effect([0, 1, 1, 0], [0] * 4) == 4


def test_values_twice_count_once() -> None:
    """But for the degrees of freedom that n values have and n/2 of them have not."""
    values = [float(at % 3 == 0) for at in range(300)]
    assert 2 <= design_effect(values * 2, [*range(300)] * 2) < 2.05


def test_independent_values_lose_little_in_clusters() -> None:
    drawn = random.Random(1)
    effects = [
        design_effect([drawn.gauss(0, 1) for _ in range(200)], [at // 2 for at in range(200)]) for _ in range(100)
    ]
    assert min(effects) == 1
    assert sum(effects) / 100 < 1.15


@pytest.mark.parametrize("seed", range(8))
def test_the_effect_of_sizes_is_kishs_by_the_analysis_of_variance(seed: int) -> None:
    """F of scipy's one-way analysis gives the correlation: (F - 1) / (F - 1 + n_0)."""
    drawn = random.Random(seed)
    groups = [[drawn.gauss(level, 1) for _ in range(drawn.randint(1, 9))] for level in (0, 0, 1, 2, 2.5)]
    sizes = [len(group) for group in groups]
    n, weight = sum(sizes), sum(size**2 for size in sizes) / sum(sizes)
    ratio = float(stats.f_oneway(*groups).statistic)
    correlation = (ratio - 1) / (ratio - 1 + (n - weight) / (len(groups) - 1))
    expected = 1 + (weight - 1) * min(max(correlation, 0.0), 1.0)
    names = [name for name, size in enumerate(sizes) for _ in range(size)]
    assert size_effect([value for group in groups for value in group], names) == pytest.approx(expected)


@given(st.integers(2, 6), st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=12, max_size=60))
def test_with_clusters_of_one_size_the_clustered_error_says_no_less(size: int, values: list[float]) -> None:
    values = values[: len(values) // size * size]
    names = [number // size for number in range(len(values))]
    plain, clustered = standard_error(values), clustered_mean(values, names)
    if plain and clustered and size_effect(values, names) > 1:
        assert clustered.error**2 / plain**2 >= size_effect(values, names) - 1e-9


def test_where_only_small_clusters_differ_sizes_have_their_effect_all_the_same() -> None:
    """Two single values of 240 failed: the clustered error alone says that the values are independent."""
    sizes = [1] * 40 + [6] * 20 + [20] * 4
    names = [name for name, size in enumerate(sizes) for _ in range(size)]
    values = [0.0] * 2 + [1.0] * 238
    assert size_effect(values, names) == pytest.approx(2360 / 240)
    assert design_effect(values, names) == pytest.approx(2360 / 240)
