"""Counts of a judge's labels beside people's, and rates."""

from collections.abc import Sequence

import pytest
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.agreement import Rate, binary_rates, confusion, rate


def said(true_fail: int, false_pass: int, false_fail: int, true_pass: int) -> tuple[list[bool], list[bool]]:
    """Return what people and the judge say, by the counts of their table."""
    pairs = [(False, False)] * true_fail + [(False, True)] * false_pass
    pairs += [(True, False)] * false_fail + [(True, True)] * true_pass
    return [true for true, _ in pairs], [verdict for _, verdict in pairs]


def test_labels_are_counted_by_truth_and_judge() -> None:
    """Rows are the truth; a case with one of the labels missing is counted apart."""
    seen = confusion([True, True, False, None, True, None], [True, False, True, True, None, None])
    assert seen.counts == ((0, 1), (1, 1))
    assert (seen.n, seen.agreed, seen.missing) == (3, 1, 3)


def test_labels_of_zero_and_one_stand_for_fail_and_pass() -> None:
    """As a CSV file has them."""
    assert confusion([0, 1, 1], [0, 1, 0]).counts == ((1, 0), (1, 1))


@pytest.mark.parametrize(
    ("truth", "judged", "levels", "told"),
    [
        ([True], [], (False, True), "1 and 0"),
        (["good"], ["bad"], ("bad", "fair"), "'good' is none of the levels ('bad', 'fair')"),
        ([], [], ("bad",), "two or more"),
        ([], [], ("bad", "bad"), "two or more"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    truth: list[object], judged: list[object], levels: Sequence[object], told: str
) -> None:
    """With what was found."""
    with pytest.raises(ValueError, match=r".*") as caught:
        confusion(truth, judged, levels=levels)
    assert told in str(caught.value)


def test_rates_are_those_of_their_class() -> None:
    """40 of 50 passes and 27 of 30 failures are judged as people do."""
    rates = binary_rates(*said(27, 3, 10, 40))
    expected = {"accuracy": (67, 80), "sensitivity": (40, 50), "specificity": (27, 30), "prevalence": (50, 80)}
    for name, (hits, n) in expected.items():
        seen = getattr(rates, name)
        assert (seen.value, seen.n) == (hits / n, n)
        ends = proportion_confint(hits, n, method="wilson")
        assert (seen.interval.low, seen.interval.high) == pytest.approx(ends, abs=1e-12)


def test_a_rate_without_a_case_is_unknown() -> None:
    """Never 0: without a failure nothing is known of the specificity."""
    only_passes = binary_rates(*said(0, 0, 1, 9))
    assert only_passes.specificity is None
    assert isinstance(only_passes.sensitivity, Rate) and only_passes.sensitivity.value == 0.9
    nothing = binary_rates(*said(0, 0, 0, 0))
    assert nothing.accuracy is nothing.sensitivity is nothing.prevalence is None
    assert rate([]) is None


def test_clustered_cases_count_as_fewer() -> None:
    """Each case twice is worth no more than once, each with its own case; nor where all of them are right."""
    for counts in ((27, 3, 10, 40), (30, 0, 0, 50)):
        truth, judged = said(*counts)
        once = binary_rates(truth, judged)
        twice = binary_rates(truth * 2, judged * 2, clusters=[*range(80), *range(80)])
        for name in ("accuracy", "sensitivity", "specificity", "prevalence"):
            one, two = getattr(once, name), getattr(twice, name)
            assert (two.value, two.n) == (one.value, one.n * 2)
            assert two.interval.low <= one.interval.low + 1e-9
            assert two.interval.high >= one.interval.high - 1e-9
            assert two.interval.high - two.interval.low < 1.15 * (one.interval.high - one.interval.low)


def test_cases_with_clusters_of_their_own_are_plain_ones() -> None:
    truth, judged = said(27, 3, 10, 40)
    assert binary_rates(truth, judged, clusters=range(80)) == binary_rates(truth, judged)
