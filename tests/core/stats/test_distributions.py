"""The distributions agree with scipy to 1e-9, the far tails included."""

import math
import subprocess
import sys
from statistics import StatisticsError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats import incomplete_beta
from pytest_llmeval.core.stats.distributions import (
    binomial_at_least,
    binomial_upper,
    hoeffding,
    normal_cdf,
    normal_quantile,
    student_cdf,
    student_quantile,
)

PARTS = ("distributions", "intervals", "clusters", "paired", "multiplicity", "resampling", "power")
SHARES = [1e-12, 1e-8, 1e-4, 0.001, 0.025, 0.05, 0.2, 0.3, 0.49, 0.5, 0.501, 0.7, 0.9, 0.975, 0.999, 1 - 1e-8]
DFS = [0.5, 0.7, 1, 1.5, 2, 3, 5, 10.3, 29, 30, 31, 100, 1234.5, 1e5, 1e6]
shares = st.floats(1e-9, 1 - 1e-9)
dfs = st.floats(0.5, 1e4)


def near(value: float) -> object:
    """Return what equals the oracle's value to 1e-9 of its size, whatever the size."""
    return pytest.approx(float(value), rel=1e-9, abs=0)


def test_the_statistics_load_nothing_outside_the_standard_library() -> None:
    """A pytest session that merely has the plugin must not pay for scipy."""
    imports = "; ".join(f"import pytest_llmeval.core.stats.{part}" for part in PARTS)
    heavy = "{'scipy', 'numpy', 'pandas', 'statsmodels', 'pytest', 'pydantic'}"
    code = f"import sys; {imports}; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


@pytest.mark.parametrize("z", [-30.0, -8.0, -1.96, -0.1, 0.0, 1e-9, 1.0, 6.0])
def test_the_normal_distribution_equals_scipys(z: float) -> None:
    """The lower tail keeps its digits at -30, where 1 + erf would give 0."""
    assert normal_cdf(z) == near(stats.norm.cdf(z))
    if z < -0.05:
        assert normal_quantile(float(stats.norm.cdf(z))) == near(z)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1])
def test_a_normal_quantile_takes_shares_only(p: float) -> None:
    """And says so by a ValueError."""
    assert issubclass(StatisticsError, ValueError)
    with pytest.raises(StatisticsError):
        normal_quantile(p)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("p", SHARES)
def test_students_quantile_equals_scipys(p: float, df: float) -> None:
    """For few and many degrees of freedom, in the middle and in both far tails."""
    assert student_quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("t", [-1e9, -40.0, -10.0, -3.0, -1.0, -0.1, -1e-5, 0.0, 0.1, 1.0, 2.5, 12.0, 1e9])
def test_students_cdf_equals_scipys(t: float, df: float) -> None:
    """Relative to the tail, not to 1."""
    expected = float(stats.t.cdf(t, df))
    if expected > 1e-290:
        assert student_cdf(t, df) == near(expected)


def test_students_cdf_has_its_closed_forms() -> None:
    """One degree of freedom is Cauchy's distribution, two have a root in it; both ends are reached."""
    for t in (-1e6, -3.0, -0.2, 0.7, 40.0):
        assert student_cdf(t, 1) == near(0.5 + math.atan(t) / math.pi if t > -1 else math.atan(-1 / t) / math.pi)
        assert student_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-12)
    assert (student_cdf(-math.inf, 3), student_cdf(0.0, 3), student_cdf(math.inf, 3)) == (0, 0.5, 1)
    assert student_cdf(-1e200, 2) == 0  # t² would overflow
    assert student_cdf(-1e200, 0.5) == near(student_cdf(-1e100, 0.5) / 1e50)


def test_a_students_quantile_too_large_for_a_float_is_infinite() -> None:
    """With a hundredth of a degree of freedom the tails have no end in sight."""
    assert (student_quantile(1e-8, 0.01), student_quantile(1 - 1e-8, 0.01)) == (-math.inf, math.inf)


@given(shares, dfs)
def test_students_quantile_inverts_its_cdf_and_is_symmetric(p: float, df: float) -> None:
    """Wherever it lies."""
    t = student_quantile(p, df)
    assert student_cdf(t, df) == pytest.approx(p, rel=1e-9, abs=0)
    assert student_cdf(-t, df) == pytest.approx(1 - student_cdf(t, df), abs=1e-12)
    assert student_quantile(1 - (1 - p), df) == pytest.approx(-student_quantile(1 - p, df), rel=1e-6)


@given(st.lists(shares, min_size=2, max_size=5), dfs)
def test_students_quantile_grows_with_the_share(ps: list[float], df: float) -> None:
    """Never the other way, the middle where the method changes included."""
    quantiles = [student_quantile(p, df) for p in sorted([*ps, 0.25, 0.5, 0.75])]
    assert all(
        low <= high * (1 + 1e-12 * math.copysign(1, high)) for low, high in zip(quantiles, quantiles[1:], strict=False)
    )


@pytest.mark.parametrize(("p", "df"), [(0.0, 5), (1.0, 5), (0.5, 0), (0.3, -1), (math.nan, 3), (0.3, math.nan)])
def test_students_quantile_takes_its_range_only(p: float, df: float) -> None:
    """With the value found in the message."""
    with pytest.raises(ValueError, match="must"):
        student_quantile(p, df)


def test_students_cdf_takes_its_range_only() -> None:
    """No degrees of freedom are no distribution."""
    with pytest.raises(ValueError, match="df must be above 0, not 0"):
        student_cdf(1.0, 0)


@pytest.mark.parametrize("n", [1, 2, 5, 17, 100, 3000, 1_000_000])
@pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_binomial_tail_equals_scipys(n: int, p: float) -> None:
    """At both ends, about the mean and five deviations above."""
    centre, deviation = int(n * p), math.sqrt(n * p * (1 - p))
    for k in {-1, 0, 1, 2, n // 10, centre, centre + 1, int(centre + 5 * deviation), n - 1, n, n + 1}:
        expected = float(stats.binom.sf(k - 1, n, p))
        if expected > 1e-290:
            assert binomial_at_least(k, n, p) == near(expected)
    assert binomial_at_least(n + 1, n, p) == 0


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n + 1), st.just(n))), st.integers(0, 10))
def test_a_binomial_tail_equals_the_sum_of_its_terms(counts: tuple[int, int], tenths: int) -> None:
    """Whole numbers over 10^n, so that the oracle rounds once."""
    k, n = counts
    terms = sum(math.comb(n, hits) * tenths**hits * (10 - tenths) ** (n - hits) for hits in range(k, n + 1))
    assert binomial_at_least(k, n, tenths / 10) == near(terms / 10**n)


def test_all_heads_are_exactly_a_power_of_one_half() -> None:
    """So that a comparison with 1/32 does not hang on the last digit."""
    assert [binomial_at_least(n, n, 0.5) for n in range(1, 40)] == [0.5**n for n in range(1, 40)]


@pytest.mark.parametrize("a", [0.25, 0.5, 1, 3, 40, 1e4, 1e6])
@pytest.mark.parametrize("b", [0.5, 1, 3, 40, 1e4, 1e6])
@pytest.mark.parametrize("p", [1e-6, 0.001, 0.05, 0.5, 0.9, 0.999])
def test_the_inverse_of_the_incomplete_beta_equals_scipys(a: float, b: float, p: float) -> None:
    """For shapes far apart too."""
    assert incomplete_beta.shares_of(incomplete_beta.beta_logit(p, a, b))[0] == near(stats.beta.ppf(p, a, b))


def test_the_incomplete_beta_reaches_its_ends_and_shares_keep_their_digits() -> None:
    """ln 0 and ln 1 at infinite logits; a share of 1e-300 beside one of almost 1."""
    assert incomplete_beta.log_beta_cdf(-math.inf, 2, 3) == -math.inf
    assert incomplete_beta.log_beta_cdf(math.inf, 2, 3) == 0
    small, large = incomplete_beta.shares_of(incomplete_beta.logit_of(1e-300))
    assert small == near(1e-300)
    assert large == 1
    assert incomplete_beta.log_beta_cdf(-2000.0, 2, 1) == pytest.approx(-4000)  # x itself is no float any more


@given(st.integers(1, 400), st.floats(0.001, 0.5), st.data())
def test_the_upper_bound_of_a_share_is_clopper_and_pearsons(n: int, alpha: float, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    expected = 1.0 if hits == n else float(stats.beta.ppf(1 - alpha, hits + 1, n - hits))
    assert binomial_upper(hits, n, alpha) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_hoeffdings_bound_is_never_below_the_exact_chance(values: list[bool], bound: float) -> None:
    n, hits = len(values), sum(values)
    excess = bound - hits / n
    assert hoeffding(excess, [1 / n] * n) >= float(stats.binom.cdf(hits, n, bound)) - 1e-12 or excess <= 0
