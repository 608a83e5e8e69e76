"""Over many simulated runs intervals cover what they say and tests raise no more false alarms than they say.

Seeds are fixed. Each bound leaves three deviations of the number of runs.
"""

import math
import random
from collections.abc import Callable

import pytest

from pytest_llmeval.core.stats.clusters import in_clusters
from pytest_llmeval.core.stats.intervals import Interval, score_interval, t_interval
from pytest_llmeval.core.stats.paired import mcnemar, paired_t, sign_flip
from pytest_llmeval.core.stats.resampling import Budget, paired_quantile_change, total_change

Rows = tuple[list[float], list[int]]


def coverage(draw: Callable[[random.Random], Interval | None], truth: float, runs: int) -> float:
    """Return the share of intervals that hold the truth; one that is None holds nothing."""
    drawn = random.Random(20)
    intervals = [draw(drawn) for _ in range(runs)]
    return sum(each is not None and each.low <= truth <= each.high for each in intervals) / runs


def alarms(draw: Callable[[random.Random], float | None], runs: int) -> float:
    """Return the share of p-values below 5 %; one that is None raises no alarm."""
    drawn = random.Random(30)
    p_values = [draw(drawn) for _ in range(runs)]
    return sum(p is not None and p < 0.05 for p in p_values) / runs


def noise(runs: int, share: float = 0.05) -> float:
    """Return three deviations of a share seen in so many runs."""
    return 3 * math.sqrt(share * (1 - share) / runs)


def flips(drawn: random.Random, n: int, drop: float = 0.0) -> list[float]:
    """Return differences of yes-or-no rows whose rates are Beta(1.7, 0.3), two independent runs."""
    rates = [drawn.betavariate(1.7, 0.3) for _ in range(n)]
    return [float((drawn.random() < max(0, rate - drop)) - (drawn.random() < rate)) for rate in rates]


def clustered_numbers(drawn: random.Random, clusters: int) -> Rows:
    """Return normal values of mean 0, half of whose variance their cluster shares; sizes from 1 to 30 or so."""
    levels = [drawn.gauss(0, 1) for _ in range(clusters)]
    names = [name for name in range(clusters) for _ in range(1 + int(drawn.expovariate(1 / 6)))]
    return [levels[name] + drawn.gauss(0, 1) for name in names], names


def clustered_verdicts(drawn: random.Random, clusters: int) -> Rows:
    """Return yes-or-no values of mean .85 whose rates differ by cluster, six rows each."""
    rates = [drawn.betavariate(1.98, 0.35) for _ in range(clusters)]
    names = [name for name in range(clusters) for _ in range(6)]
    return [float(drawn.random() < rates[name]) for name in names], names


@pytest.mark.parametrize(
    ("n", "share", "least", "most"), [(20, 0.97, 0.97, 0.99), (50, 0.97, 0.92, 0.96), (30, 0.9, 0.96, 0.99)]
)
def test_wilson_covers_shares_near_one(n: int, share: float, least: float, most: float) -> None:
    """.98, .94 and .97, where a t interval covers .46, .78 and .81."""
    seen = coverage(lambda drawn: score_interval([float(drawn.random() < share) for _ in range(n)]), share, 4000)
    assert least < seen < most


def test_graded_scores_near_one_are_covered() -> None:
    """A mean of .947 over 100 scores: .94."""
    seen = coverage(lambda drawn: score_interval([drawn.betavariate(9, 0.5) for _ in range(100)]), 9 / 9.5, 1000)
    assert 0.95 - noise(1000) < seen < 0.95 + noise(1000)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_few_graded_scores_are_covered(n: int) -> None:
    """With the normal quantile: .70, .81 and .89."""
    seen = coverage(lambda drawn: score_interval([drawn.betavariate(4, 4) for _ in range(n)]), 0.5, 2000)
    assert abs(seen - 0.95) < noise(2000)


@pytest.mark.parametrize("n", [4, 30])
def test_a_t_interval_covers_normal_values(n: int) -> None:
    """Neither less nor more than it says."""
    seen = coverage(lambda drawn: t_interval([drawn.gauss(5, 2) for _ in range(n)]), 5, 2000)
    assert abs(seen - 0.95) < noise(2000)


@pytest.mark.parametrize("clusters", [10, 25])
def test_scores_of_clusters_are_covered_where_plain_ones_are_not(clusters: int) -> None:
    """Six rows of one user are no six samples: Wilson over all rows covers .77."""

    def plain(drawn: random.Random) -> Interval | None:
        return score_interval(clustered_verdicts(drawn, clusters)[0])

    def clustered(drawn: random.Random) -> Interval | None:
        values, names = clustered_verdicts(drawn, clusters)
        return score_interval(values, clusters=names)

    truth = 1.98 / 2.33
    assert coverage(plain, truth, 800) < 0.85
    assert coverage(clustered, truth, 800) > 0.95 - noise(800)


@pytest.mark.parametrize("share", [0.9, 0.95])
def test_the_lower_end_of_clusters_of_unequal_sizes_lies_above_the_truth_no_more_often_than_it_says(
    share: float,
) -> None:
    """Of 40 single rows, 20 clusters of 6 and 4 of 20, each right or wrong as a whole; it did in 11 and 22 %."""
    names = [name for name, size in enumerate([1] * 40 + [6] * 20 + [20] * 4) for _ in range(size)]
    drawn, runs, above = random.Random(5), 200, 0
    for _ in range(runs):
        rates = [float(drawn.random() < share) for _ in range(64)]
        interval = score_interval([rates[name] for name in names], clusters=names)
        assert interval is not None
        above += interval.low > share
    assert above / runs < 0.025 + noise(runs, 0.025)


@pytest.mark.parametrize("clusters", [5, 12, 30])
def test_a_t_interval_of_clusters_covers_for_sizes_that_differ(clusters: int) -> None:
    """Where the small-sample factor C/(C − 1) with C − 1 degrees of freedom covers too little."""

    def clustered(drawn: random.Random) -> Interval | None:
        values, names = clustered_numbers(drawn, clusters)
        return t_interval(values, clusters=names)

    assert abs(coverage(clustered, 0, 800) - 0.95) < noise(800)


@pytest.mark.parametrize("n", [20, 50, 100])
@pytest.mark.parametrize("mid_p", [True, False])
def test_mcnemar_raises_no_more_alarms_than_it_says(n: int, mid_p: bool) -> None:
    """Mid-p may pass 5 % by a hair in theory; here it does not."""

    def p(drawn: random.Random) -> float:
        rows = flips(drawn, n)
        return mcnemar(rows.count(-1), rows.count(1), mid_p=mid_p)

    assert alarms(p, 1500) < 0.05 + noise(1500)


def test_mcnemar_finds_drops_more_often_by_mid_p() -> None:
    """.58 and .65 of drops of 10 points in 100 rows, where the paired t test finds .65."""
    for mid_p, power in ((False, 0.58), (True, 0.65)):

        def p(drawn: random.Random, mid_p: bool = mid_p) -> float:
            rows = flips(drawn, 100, drop=0.1)
            return mcnemar(rows.count(-1), rows.count(1), mid_p=mid_p)

        assert alarms(p, 1500) == pytest.approx(power, abs=0.045)
    assert alarms(lambda drawn: paired_t(flips(drawn, 100, drop=0.1)), 1500) == pytest.approx(0.65, abs=0.045)


@pytest.mark.parametrize("n", [30, 100])
def test_the_paired_t_test_raises_no_more_alarms_than_it_says(n: int) -> None:
    """On yes-or-no differences, whose distribution is far from normal."""
    assert abs(alarms(lambda drawn: paired_t(flips(drawn, n)), 2000) - 0.05) < noise(2000)


@pytest.mark.parametrize("clusters", [5, 10, 25])
def test_the_clustered_t_test_raises_no_more_alarms_than_it_says(clusters: int) -> None:
    """For clusters whose sizes differ; without clusters it would be .2 and more."""
    plain = alarms(lambda drawn: paired_t(clustered_numbers(drawn, clusters)[0]), 300)
    assert plain > 0.13
    assert abs(alarms(lambda drawn: paired_t(*clustered_numbers(drawn, clusters)), 1000) - 0.05) < noise(1000)


@pytest.mark.parametrize("mid_p", [True, False])
@pytest.mark.parametrize("n", [9, 20])
def test_the_sign_flip_test_raises_no_more_alarms_than_it_says(n: int, mid_p: bool) -> None:
    """As often as it says on normal rows; far fewer on yes-or-no ones."""
    normal = alarms(lambda drawn: sign_flip([drawn.gauss(0, 1) for _ in range(n)], mid_p=mid_p), 1000)
    binary = alarms(lambda drawn: sign_flip(flips(drawn, n), mid_p=mid_p), 1000)
    assert abs(normal - 0.05) < noise(1000)
    assert binary < 0.05


def test_sign_flips_of_few_clusters_raise_no_more_alarms_than_they_say() -> None:
    """Seven users of very different numbers of rows."""

    def p(drawn: random.Random) -> float | None:
        groups = in_clusters(*clustered_numbers(drawn, 7))
        return sign_flip([math.fsum(group) for group in groups], mid_p=True)

    assert alarms(p, 800) < 0.05 + noise(800)


def latency(drawn: random.Random) -> tuple[float, float]:
    """Return two times of one row, the later run a fifth slower; log-normal with variance .34."""
    hardness = drawn.gauss(0, 0.5)
    return math.exp(hardness + drawn.gauss(0, 0.3)), 1.2 * math.exp(hardness + drawn.gauss(0, 0.3))


@pytest.mark.parametrize(("draws", "runs"), [(150, 120), (10**9, 500)], ids=["drawn", "by influence"])
@pytest.mark.parametrize(("percent", "z"), [(50, 0.0), (90, 1.2815516)])
def test_a_change_of_a_quantile_is_covered(percent: int, z: float, draws: int, runs: int) -> None:
    """At least as often as 90 %, not always."""
    truth = 0.2 * math.exp(z * math.sqrt(0.34))

    def change(drawn: random.Random) -> Interval | None:
        return paired_quantile_change([latency(drawn) for _ in range(80)], percent, draws=draws, budget=Budget())

    assert 0.9 - noise(runs, 0.1) < coverage(change, truth, runs) < 0.995


def test_a_change_of_a_skewed_total_is_covered() -> None:
    """Thirty log-normal costs."""
    truth = 30 * 0.2 * math.exp(0.17)
    seen = coverage(lambda drawn: total_change([latency(drawn) for _ in range(30)]), truth, 1000)
    assert abs(seen - 0.9) < noise(1000, 0.1)
