"""Tests of a change agree with scipy's and with counting by hand."""

import math
import random
from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types
from statsmodels.stats.contingency_tables import mcnemar as theirs_mcnemar  # type: ignore[import-untyped]

from pytest_llmeval.core.stats.clusters import clustered_mean, in_clusters
from pytest_llmeval.core.stats.paired import (
    least_flips,
    mcnemar,
    paired_t,
    sign_flip,
)

counts = st.integers(0, 60)
units = st.lists(st.integers(-6, 6).map(float), max_size=10)


def exhaustive(values: Sequence[float], *, mid_p: bool) -> float:
    """Return the sign-flip p by trying every choice of signs of every unit, zeros too; the values must be whole."""
    exact = [round(value) for value in values]
    sums = [
        sum(sign * value for sign, value in zip(signs, exact, strict=True))
        for signs in product((1, -1), repeat=len(exact))
    ]
    ties = sum(each == sum(exact) for each in sums)
    return (sum(each <= sum(exact) for each in sums) - (ties / 2 if mid_p else 0)) / len(sums)


def counted(values: Sequence[int], *, mid_p: bool) -> float:
    """Return the same for many whole units of few sizes, by how often each sum comes."""
    sums = Counter({0: 1})
    for value in values:
        longer: Counter[int] = Counter()
        for each, times in sums.items():
            longer[each + value] += times
            longer[each - value] += times
        sums = longer
    seen = sum(values)
    at_most = Fraction(sum(times for each, times in sums.items() if each <= seen))
    return float((at_most - Fraction(sums[seen], 2) * mid_p) / 2 ** len(values))


@given(counts, counts)
def test_mcnemar_equals_scipy_and_statsmodels(worse: int, better: int) -> None:
    """Exact and mid-p; statsmodels' is two-sided."""
    if not worse + better:
        return
    test = stats.binomtest(worse, worse + better, 0.5, alternative="greater")
    exact = mcnemar(worse, better, mid_p=False)
    assert exact == pytest.approx(test.pvalue, rel=1e-9)
    assert mcnemar(worse, better) == pytest.approx(exact - stats.binom.pmf(worse, worse + better, 0.5) / 2, rel=1e-9)
    if worse > better:
        assert 2 * exact == pytest.approx(theirs_mcnemar([[0, worse], [better, 0]], exact=True).pvalue, rel=1e-9)


def test_mcnemar_takes_five_rows_where_mid_p_takes_four() -> None:
    """4 of 4 are 1/16; half of that is below 5 %."""
    assert mcnemar(4, 0, mid_p=False) == 0.0625
    assert mcnemar(4, 0) == 0.03125
    assert mcnemar(0, 0) == mcnemar(0, 0, mid_p=False) == 1.0
    assert mcnemar(60_000, 59_000) == pytest.approx(stats.norm.sf(1000 / math.sqrt(119_000)), rel=1e-4)


@given(counts, counts)
def test_mcnemar_keeps_its_laws(worse: int, better: int) -> None:
    """In range; one more row that got worse never speaks against a loss; both directions share one chance."""
    for mid_p in (True, False):
        p = mcnemar(worse, better, mid_p=mid_p)
        assert 0 < p <= 1
        if worse + better:
            assert mcnemar(worse + 1, better, mid_p=mid_p) < p + 1e-15
            assert mcnemar(worse, better + 1, mid_p=mid_p) > p - 1e-15
    if worse + better:
        assert mcnemar(worse, better) + mcnemar(better, worse) == pytest.approx(1, rel=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=50))
def test_the_paired_t_test_equals_scipys(differences: list[float]) -> None:
    """One-sided, whatever the differences; where it has a spread to work with."""
    ours = paired_t(differences)
    if ours is not None and float(stats.sem(differences)) > 1e-7:
        assert ours == pytest.approx(float(stats.ttest_1samp(differences, 0, alternative="less").pvalue), rel=1e-7)
        assert paired_t([-each for each in differences]) == pytest.approx(1 - ours, abs=1e-12)


def test_the_paired_t_test_equals_scipys_to_the_last_digits() -> None:
    """Far out in the tail too."""
    drawn = random.Random(9)
    for centre in (0.0, -0.05, -0.5):
        before = [drawn.random() for _ in range(40)]
        after = [each + drawn.gauss(centre, 0.1) for each in before]
        theirs = stats.ttest_rel(after, before, alternative="less").pvalue
        ours = paired_t([late - early for late, early in zip(after, before, strict=True)])
        assert ours == pytest.approx(float(theirs), rel=1e-9, abs=0)


@pytest.mark.parametrize(
    "differences",
    [[], [-0.5], [-0.5, -0.5], [0.0] * 9, [0.9 - 1.0, 0.8 - 0.9, 0.3 - 0.4], [1e308, -1e308]],
    ids=["none", "one", "equal", "no change", "rounded", "overflow"],
)
def test_a_paired_t_test_without_a_spread_is_none(differences: list[float]) -> None:
    """Equal losses, rounded or not, are no proof of a loss."""
    assert paired_t(differences) is None


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 4)), max_size=30), st.randoms())
def test_the_clustered_t_test_is_students_at_the_clusters_error(
    rows: list[tuple[float, int]], shuffler: random.Random
) -> None:
    """By scipy; None where the error is unknown; in any order."""
    differences, names = [each for each, _ in rows], [name for _, name in rows]
    ours, clustered = paired_t(differences, names), clustered_mean(differences, names)
    if clustered is None or not clustered.error:
        assert ours is None
        return
    assert ours == pytest.approx(float(stats.t.cdf(clustered.value / clustered.error, clustered.df)), rel=1e-9)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    assert paired_t([each for each, _ in shuffled], [name for _, name in shuffled]) == ours


def test_clusters_of_one_give_the_paired_t_test() -> None:
    """And one cluster nothing."""
    drawn = random.Random(4)
    differences = [drawn.gauss(-0.02, 0.1) for _ in range(25)]
    names: list[Hashable] = list(range(25))
    assert paired_t(differences, names) == pytest.approx(paired_t(differences), rel=1e-9)
    assert paired_t(differences, ["a"] * 25) is None
    assert paired_t([-0.5] * 4, ["a", "a", "b", "b"]) is None


@given(units, st.booleans())
def test_the_sign_flip_test_counts_all_signs(values: list[float], mid_p: bool) -> None:
    """As trying each does; units of 0 neither help nor hurt."""
    p = sign_flip(values, mid_p=mid_p)
    if any(values):
        assert p == pytest.approx(exhaustive(values, mid_p=mid_p), rel=1e-12)
    else:
        assert p == 1


@settings(deadline=None)  # thirty units take some time, the more where others work beside
@given(st.lists(st.integers(-5, 5).filter(bool), min_size=11, max_size=30), st.booleans())
def test_up_to_thirty_units_the_sign_flip_test_is_exact(values: list[int], mid_p: bool) -> None:
    """As whole numbers are, though its sums are floats: quarters of a point tie with quarters."""
    p = sign_flip([value * 0.05 for value in values], mid_p=mid_p)
    assert p == pytest.approx(counted(values, mid_p=mid_p), rel=1e-12)


@given(st.lists(st.floats(0.001, 1), min_size=31, max_size=200), st.booleans())
def test_more_units_of_one_sign_are_the_first_or_the_last_of_all_sums(sizes: list[float], mid_p: bool) -> None:
    """However many."""
    least = 2.0 ** -len(sizes)
    assert sign_flip([-size for size in sizes], mid_p=mid_p) == (least / 2 if mid_p else least)
    assert sign_flip(sizes, mid_p=mid_p) == (1 - least / 2 if mid_p else 1)


@pytest.mark.parametrize("large", [0, 2, 12])
def test_more_units_of_both_signs_come_close_to_all_their_signs(large: int) -> None:
    """Some large ones among them; no further off than the tail that the normal law is too heavy for."""
    drawn = random.Random(large)
    for _ in range(20):
        sizes = [drawn.randint(10, 30) for _ in range(large)] + [drawn.randint(1, 3) for _ in range(30)]
        values = [size if drawn.random() < 0.35 else -size for size in sizes]
        exact = counted(values, mid_p=True)
        found = sign_flip([value * 0.05 for value in values], mid_p=True)
        assert 0.95 * exact < found < (1.05 if exact > 0.001 else 3) * exact + 1e-6


@given(units, st.randoms(), st.booleans())
def test_the_sign_flip_test_keeps_its_laws(values: list[float], shuffler: random.Random, mid_p: bool) -> None:
    """Order and scale do not matter; rows that all got worse are the strongest evidence there is."""
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    p = sign_flip(values, mid_p=mid_p)
    assert 0 < p <= 1
    assert p == sign_flip(shuffled, mid_p=mid_p)
    assert p == sign_flip([each * 0.1 for each in values], mid_p=mid_p)
    assert sign_flip([-abs(each) for each in values], mid_p=mid_p) <= p


def test_the_sign_flip_test_equals_scipys_permutation_test() -> None:
    """Its samples permutation, all of them."""
    drawn = random.Random(12)
    differences = [drawn.gauss(-0.3, 1) for _ in range(11)]
    theirs = stats.permutation_test(
        (differences,), sum, permutation_type="samples", alternative="less", n_resamples=10_000
    ).pvalue
    assert sign_flip(differences) == pytest.approx(float(theirs), rel=1e-9)


def test_sums_equal_but_for_rounding_are_ties() -> None:
    """0.1 + 0.2 − 0.3 ties with −0.1 − 0.2 + 0.3, which in floats it exceeds."""
    assert sign_flip([0.1, 0.2, -0.3]) == exhaustive([1, 2, -3], mid_p=False) == 5 / 8
    assert sign_flip([0.1, 0.2, -0.3], mid_p=True) == exhaustive([1, 2, -3], mid_p=True) == 1 / 2
    assert sign_flip([-1.0] * 4 + [1e-17]) == 1 / 16


@pytest.mark.parametrize("n", [3, 16, 30])
def test_the_largest_numbers_have_signs_to_flip(n: int) -> None:
    """Their sum would overflow."""
    assert sign_flip([-1e308] * n) == 2.0**-n
    assert sign_flip([1e308, *[-1e308] * (n - 1)]) == (n + 1) / 2**n


def test_sums_of_clusters_are_units() -> None:
    """Two users of four rows each have four choices of signs."""
    sums = [math.fsum(group) for group in in_clusters([-1.0] * 8, "aaaabbbb")]
    assert sign_flip(sums) == 1 / 4


@pytest.mark.parametrize(
    ("alpha", "flips"), [(0.5, 1), (0.05, 4), (0.03125, 5), (0.025, 5), (0.05 / 13, 8), (1e-4, 13)]
)
def test_the_least_flips_are_the_first_below_alpha(alpha: float, flips: int) -> None:
    """Twenty rows in a family of 13 need 8."""
    assert least_flips(alpha) == flips
    assert mcnemar(flips, 0) < alpha
    assert flips == 1 or mcnemar(flips - 1, 0) >= alpha


@pytest.mark.parametrize("alpha", [0.0, -0.1, math.nan])
def test_no_flips_get_below_an_alpha_of_0(alpha: float) -> None:
    """It would count for ever."""
    with pytest.raises(ValueError, match="alpha must be above 0"):
        least_flips(alpha)
