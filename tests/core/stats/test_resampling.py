"""Bootstrap intervals agree with scipy's, stay within their budget and do not depend on order."""

import math
import random
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats import resampling
from pytest_llmeval.core.stats.intervals import quantile
from pytest_llmeval.core.stats.means import mean
from pytest_llmeval.core.stats.resampling import (
    MOST_DRAWS,
    Budget,
    Pair,
    bootstrap_interval,
    paired_quantile_change,
    quantile_change_half,
    total_change,
)
from tests.support.stats_parts import ends

pairs = st.lists(st.tuples(st.integers(0, 9).map(float), st.integers(0, 9).map(float)), max_size=12)


def latencies(n: int) -> list[Pair]:
    """Return pairs of times that share what is hard about their row."""
    drawn = random.Random(0)
    hardness = [drawn.gauss(0, 0.5) for _ in range(n)]
    return [(math.exp(each + drawn.gauss(0, 0.3)), 1.2 * math.exp(each + drawn.gauss(0, 0.3))) for each in hardness]


@pytest.mark.parametrize("confidence", [0.8, 0.9])
def test_a_bootstrap_of_the_mean_is_close_to_the_t_interval(confidence: float) -> None:
    """With the width that few values need, which plain percentiles miss by a tenth at 8."""
    drawn = random.Random(3)
    for n in (8, 40):
        values = [drawn.gauss(0, 1) for _ in range(n)]
        expected = stats.t.interval(confidence, n - 1, loc=mean(values), scale=stats.sem(values))
        ours = bootstrap_interval(mean, [[value] for value in values], draws=4000, confidence=confidence)
        width = expected[1] - expected[0]
        assert ends(ours) == pytest.approx(expected, abs=0.05 * width)


def test_a_bootstrap_of_many_values_equals_scipys_percentiles() -> None:
    """Of a median, up to the noise of 3,000 draws."""
    drawn = random.Random(8)
    values = [drawn.expovariate(1) for _ in range(150)]
    theirs = stats.bootstrap(
        (values,), numpy.median, n_resamples=3000, confidence_level=0.9, method="percentile", rng=5, vectorized=True
    ).confidence_interval
    ours = bootstrap_interval(lambda drawn: float(numpy.median(drawn)), [[value] for value in values], draws=3000)
    assert ends(ours) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_whole_clusters_are_drawn() -> None:
    """Ten copies in each cluster say no more than one, and far less than ten rows each."""
    drawn = random.Random(6)
    values = [drawn.random() for _ in range(20)]
    once = ends(bootstrap_interval(mean, [[value] for value in values], draws=500))
    copied = ends(bootstrap_interval(mean, [[value] * 10 for value in values], draws=500))
    apart = ends(bootstrap_interval(mean, [[value] for value in values for _ in range(10)], draws=500))
    assert copied == pytest.approx(once, rel=1e-12)
    assert apart[1] - apart[0] < 0.5 * (once[1] - once[0])


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 9).map(float), max_size=4), max_size=8), st.randoms())
def test_neither_the_order_of_units_nor_inside_them_matters(units: list[list[float]], shuffler: random.Random) -> None:
    """And one seed always gives one answer."""
    shuffled = [shuffler.sample(unit, len(unit)) for unit in units]
    shuffler.shuffle(shuffled)
    assert bootstrap_interval(mean, units, draws=30) == bootstrap_interval(mean, shuffled, draws=30)


def test_another_seed_gives_another_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The draws are random."""
    units = [[value] for value in (0.1, 0.52, 0.7, 0.93, 1.4)]
    first = bootstrap_interval(mean, units, draws=20)
    monkeypatch.setattr(resampling, "_SEED", 1)
    assert bootstrap_interval(mean, units, draws=20) != first


@pytest.mark.parametrize("units", [[], [[1.0, 2.0]], [[1.0, 2.0], []], [[2.0], [2.0], [2.0]]])
def test_too_few_units_and_equal_ones_have_no_interval(units: list[list[float]]) -> None:
    """Not one of no width."""
    assert bootstrap_interval(mean, units, draws=50) is None


def test_a_statistic_that_is_often_undefined_has_no_interval() -> None:
    """What remains would be a biased selection; a few undefined draws are left out."""

    def inverse(values: Sequence[float]) -> float | None:
        return 1 / sum(values) if sum(values) else None

    assert bootstrap_interval(inverse, [[0.0], [0.0], [1.0]], draws=100) is None
    assert bootstrap_interval(inverse, [[0.0], [0.0]], draws=100) is None
    assert bootstrap_interval(inverse, [[0.0]] * 4 + [[1.0]] * 6, draws=100) is not None
    picky = iter([1.0, *[None] * 100])
    assert bootstrap_interval(lambda _: next(picky), [[0.0], [1.0]], draws=100) is None


def test_a_budget_is_spent_and_then_refuses() -> None:
    """Values x draws; what is refused costs nothing."""
    budget = Budget(left=250)
    units = [[0.0], [1.0]]
    assert bootstrap_interval(mean, units, draws=100, budget=budget) is not None
    assert budget.left == 50
    assert bootstrap_interval(mean, units, draws=26, budget=budget) is None
    assert bootstrap_interval(mean, units, draws=25, budget=budget) is not None
    assert budget == Budget(left=0)
    assert Budget().left == MOST_DRAWS == 20_000_000


def test_without_a_budget_one_call_may_take_that_of_a_session() -> None:
    """Never more, though nobody counts."""
    assert bootstrap_interval(mean, [[0.0], [1.0]], draws=MOST_DRAWS // 2 + 1) is None


def test_a_change_of_a_quantile_keeps_rows_in_their_pairs() -> None:
    """Where both runs are slow on the same rows the interval is narrower than by scipy's unpaired draws."""
    rows = latencies(120)
    before, after = zip(*rows, strict=True)

    def change(early: Sequence[float], late: Sequence[float], axis: int = -1) -> float:
        return numpy.quantile(late, 0.9, axis, method="inverted_cdf") - numpy.quantile(
            early, 0.9, axis, method="inverted_cdf"
        )  # type: ignore[return-value]  # scipy hands arrays and takes them back

    options = {"n_resamples": 1000, "confidence_level": 0.9, "method": "percentile", "rng": 1}
    paired = stats.bootstrap((before, after), change, paired=True, **options).confidence_interval
    unpaired = stats.bootstrap((before, after), change, paired=False, **options).confidence_interval
    low, high = ends(paired_quantile_change(rows, 90, draws=1000))
    assert (low, high) == pytest.approx((paired.low, paired.high), abs=0.12 * (paired.high - paired.low))
    assert high - low < 0.9 * (unpaired.high - unpaired.low)


def test_over_budget_a_change_of_a_quantile_takes_influences() -> None:
    """No draws, and nearly the same interval where the bootstrap has many rows."""
    rows = latencies(1500)
    drawn, formula = (
        ends(paired_quantile_change(rows, 75, draws=400, budget=budget)) for budget in (None, Budget(left=0))
    )
    width = drawn[1] - drawn[0]
    assert formula == pytest.approx(drawn, abs=0.15 * width)
    assert sum(formula) / 2 == pytest.approx(_change(rows, 75))
    spent = Budget(left=400 * 1500)
    assert ends(paired_quantile_change(rows, 75, draws=400, budget=spent)) == drawn
    assert spent.left == 0


def _change(rows: Sequence[Pair], percent: int) -> float:
    before, after = (quantile(values, percent) for values in zip(*rows, strict=True))
    assert before is not None
    assert after is not None
    return after - before


def test_an_influence_has_the_error_that_theory_gives() -> None:
    """For independent normal runs: sqrt(2·q(1 − q)/n)/φ(z), within the noise of estimating a density."""
    drawn = random.Random(3)
    n = 20_000
    rows = [(drawn.gauss(0, 1), drawn.gauss(0, 1)) for _ in range(n)]
    for percent in (50, 90):
        share = percent / 100
        error = math.sqrt(2 * share * (1 - share) / n) / float(stats.norm.pdf(stats.norm.ppf(share)))
        half = quantile_change_half(rows, percent, range(n))
        assert half == pytest.approx(1.645 * error, rel=0.1)


def test_clusters_widen_the_change_of_a_quantile() -> None:
    """Rows repeated ten times within their cluster, drawn or by formula, say nothing new."""
    rows = latencies(70)
    users = [user for user in range(70) for _ in range(10)]
    repeated = [row for row in rows for _ in range(10)]
    for budget in (None, Budget(left=0)):
        plain = ends(paired_quantile_change(repeated, 75, draws=200, budget=budget))
        clustered = ends(paired_quantile_change(repeated, 75, draws=200, clusters=users, budget=budget))
        assert clustered[1] - clustered[0] > 1.6 * (plain[1] - plain[0])


@pytest.mark.parametrize("budget", [None, 0])
def test_a_change_of_a_quantile_that_cannot_be_estimated_is_none(budget: int | None) -> None:
    """Too few rows above it, one cluster, no spread."""
    rows = latencies(59)

    def allowed() -> Budget | None:
        return None if budget is None else Budget(left=budget)

    assert paired_quantile_change([], 50, draws=50, budget=allowed()) is None
    assert paired_quantile_change(rows[:58], 95, draws=50, budget=allowed()) is None
    assert paired_quantile_change(rows, 95, draws=50, budget=allowed()) is not None
    assert paired_quantile_change(rows, 50, draws=50, clusters=["a"] * 59, budget=allowed()) is None
    assert paired_quantile_change([(1.0, 2.0)] * 59, 50, draws=50, budget=allowed()) is None


def test_a_total_changes_by_n_times_the_mean_change() -> None:
    """scipy's paired interval, scaled; clusters take their own error."""
    rows = latencies(40)
    before, after = zip(*rows, strict=True)
    theirs = stats.ttest_rel(after, before).confidence_interval(0.9)
    assert ends(total_change(rows)) == pytest.approx((40 * theirs.low, 40 * theirs.high), rel=1e-9)
    assert ends(total_change(rows, clusters=range(40))) == pytest.approx(ends(total_change(rows)), rel=1e-9)
    by_user = ends(total_change([row for row in rows for _ in range(5)], clusters=[i // 5 for i in range(200)]))
    assert by_user == pytest.approx((200 * theirs.low, 200 * theirs.high), rel=1e-9)


@pytest.mark.parametrize("rows", [[], [(1.0, 2.0)], [(1.0, 2.0), (3.0, 4.0)]])
def test_a_change_of_a_total_without_a_spread_is_none(rows: list[Pair]) -> None:
    """No rows, one row, equal changes."""
    assert total_change(rows) is None


@settings(max_examples=20)
@given(pairs, st.randoms())
def test_changes_do_not_depend_on_the_order_of_rows(rows: list[Pair], shuffler: random.Random) -> None:
    """Of quantiles, drawn or not, and of totals."""
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    for budget in (MOST_DRAWS, 0):
        first, second = (
            paired_quantile_change(each, 50, draws=20, budget=Budget(left=budget)) for each in (rows, shuffled)
        )
        assert first == second
    assert total_change(rows) == total_change(shuffled)
