"""Groups of dependent rows of unequal sizes: few that hold most of the rows are few, however many others there are."""

import math
import random
from collections.abc import Iterator

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.sizes import SizeCount
from pytest_llmeval.core.planning.margins import unjudgeable
from pytest_llmeval.core.rules import RuleKind
from tests.support.gate_runs import clustered, compared, only, rule, rules

FEW_LARGE = (1,) * 40 + (6,) * 20 + (20,) * 4
"""240 rows in 64 groups, which are worth 240²/2360 = 24 of one size."""
EQUAL = (5,) * 40


def names_of(sizes: tuple[int, ...]) -> list[str]:
    """Return the group of each row."""
    return [f"c{number}" for number, size in enumerate(sizes) for _ in range(size)]


def loss(kept: list[float], sizes: tuple[int, ...], margin: float) -> str:
    """Return the verdict on a margin where all rows were right before."""
    names = names_of(sizes)
    before, after = clustered([1.0] * len(names), names), clustered(kept, names)
    return only(compared(before, after, rule("noninferior", margin))).verdict


def drawn(sizes: tuple[int, ...], share: float, *, runs: int) -> Iterator[list[float]]:
    """Yield rows of which each group is lost whole with this chance."""
    draw = random.Random(7)
    for _ in range(runs):
        yield [kept for size in sizes for kept in [float(draw.random() >= share)] * size]


@pytest.mark.parametrize(("sizes", "margin"), [(FEW_LARGE, 0.06), (EQUAL, 0.08)])
def test_a_loss_of_the_margin_passes_no_more_often_than_alpha(sizes: tuple[int, ...], margin: float) -> None:
    """One run in five passed where four groups hold a third of the rows and each counted as any other."""
    passed = sum(loss(after, sizes, margin) == "pass" for after in drawn(sizes, margin, runs=150))
    assert passed / 150 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)


@pytest.mark.parametrize("kind", ["min", "max"])
@pytest.mark.parametrize("share", [0.9, 0.95])
def test_a_bar_that_is_the_true_share_is_missed_with_confidence_no_more_often_than_alpha(
    kind: RuleKind, share: float
) -> None:
    """Where only small groups failed the mean looked surely above it in more than one run of four."""
    names, bar = names_of(FEW_LARGE), rule(kind, share, confident=True)
    failed = sum(
        only(compared([], clustered(values, names), bar)).verdict == "fail"
        for values in drawn(FEW_LARGE, 1 - share, runs=150)
    )
    assert failed / 150 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)


def test_two_small_groups_that_lost_tell_little_of_the_large_ones() -> None:
    """One of the large ones alone is worth 8 points."""
    assert loss([0.0] * 2 + [1.0] * 238, FEW_LARGE, 0.06) == "fail"
    assert loss([1.0] * 240, FEW_LARGE, 0.13) == "pass"  # -ln(.05) / 24 = .125
    assert loss([1.0] * 240, FEW_LARGE, 0.12) == "fail"


def test_groups_of_one_size_count_as_many_as_there_are() -> None:
    """-ln(.05) / 40 = .0749."""
    assert [loss([1.0] * 200, EQUAL, margin) for margin in (0.074, 0.076)] == ["fail", "pass"]


def test_one_group_with_nearly_all_rows_says_nothing() -> None:
    assert loss([1.0] * 1_039, (1_000,) + (1,) * 39, 0.9) == "fail"


@pytest.mark.parametrize(("sizes", "margin"), [(FEW_LARGE, 0.125), (EQUAL, 0.075)])
def test_what_unchanged_rows_cannot_rule_out_is_refused_at_the_start(sizes: tuple[int, ...], margin: float) -> None:
    """As the gate would fail it."""
    names = names_of(sizes)
    cases = clustered([1.0] * len(names), names)
    for bound, is_refused in ((margin - 0.001, True), (margin + 0.001, False)):
        thresholds = rules(rule("noninferior", bound))
        count = SizeCount.of(thresholds)
        for case in cases:
            count.add(case.suite, case.model, case.sample_id, case.slices, case.cluster)
        told = unjudgeable(thresholds, count.sizes(), Baseline(name="main", cases=cases))
        assert (bool(told), loss([1.0] * len(names), sizes, bound)) == (is_refused, "fail" if is_refused else "pass")
