"""How much values vary, from row to row and from answer to answer: by hand, and over rows that are drawn."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.spread import ASSUMED_CORRELATION, Spread, part_spread, read_rows

Values = Sequence[Sequence[float]]


def cases(rows: Values, **fields: Any) -> list[JudgedCase]:
    """Return a case for each epoch of each row; the score is called ``f1``."""
    made: dict[str, Any] = {"suite": "qa", "model": "m", "outcome": "passed", "input_digest": "same"}
    return [
        JudgedCase(**{**made, "sample_id": f"s{number}", "epoch": epoch, "scores": {"f1": value}, **fields})
        for number, values in enumerate(rows)
        for epoch, value in enumerate(values, 1)
    ]


def spread(now: Sequence[JudgedCase], before: Sequence[JudgedCase] = (), part: str | None = None) -> Spread:
    found = part_spread("f1", *read_rows("f1", now, before), part)
    assert found is not None
    return found


def test_one_run_of_one_epoch_takes_a_correlation_for_granted() -> None:
    found = spread(cases([[1], [1], [1], [0]]))
    assert (found.n, found.mean, found.epochs, found.source) == (4, 0.75, 1, "assumed")
    assert found.sd == pytest.approx(0.5)
    assert found.within == pytest.approx((1 - ASSUMED_CORRELATION) * 0.25)
    assert found.between == pytest.approx(ASSUMED_CORRELATION * 0.25)
    assert found.correlation == pytest.approx(ASSUMED_CORRELATION)
    assert (found.is_unit, found.is_binary, found.groups, found.design) == (True, True, None, 1)


def test_epochs_tell_how_much_answers_vary() -> None:
    """Pooled over the rows: (0.5 + 0 + 0.5) / 3; the rest of the rows' variance is their own."""
    found = spread(cases([[1, 0], [1, 1], [0, 1]]))
    assert (found.source, found.epochs) == ("epochs", 2)
    assert found.within == pytest.approx(1 / 3)
    assert found.between == 0  # 1/12 is less than what epochs explain
    assert found.sd == pytest.approx(statistics.stdev([0.5, 1, 0.5]))
    apart = spread(cases([[1, 1], [0, 0], [1, 0]]))
    assert apart.within == pytest.approx(1 / 6)
    assert apart.between == pytest.approx(1 / 4 - 1 / 6 / 2)  # the means are of two answers each


def test_epochs_of_the_other_run_count_too_and_some_rows_may_have_one_answer() -> None:
    found = spread(cases([[1, 0], [1, 1], [0]]), cases([[0, 0], [0, 0], [0, 0]]))
    assert found.source == "epochs"
    assert found.within == pytest.approx(0.5 / 5)
    assert found.epochs == pytest.approx(3 / (0.5 + 0.5 + 1))
    assert [spread(cases([[1, 0], *others])).source for others in ([[1]], [[1], [0]])] == ["epochs", "assumed"]


def test_a_second_run_tells_it_where_there_are_no_epochs() -> None:
    """The differences are 1, 0, 0, -1; each holds two answers."""
    now, before = cases([[1], [1], [0], [0]]), cases([[0], [1], [0], [1]])
    found = spread(now, before)
    assert found.source == "two runs"
    assert found.within == pytest.approx(statistics.variance([1, 0, 0, -1]) / 2)


def test_a_second_run_of_more_epochs_says_less_of_one_answer() -> None:
    """Each difference holds one answer and a mean of two: Var = within·(1 + 1/2)."""
    found = spread(cases([[1], [0], [1]]), cases([[0, 1], [0, 0], [1, 1]]))
    assert found.within == pytest.approx(statistics.variance([0.5, 0, 0]) / 1.5)


@pytest.mark.parametrize(
    "other",
    [
        cases([[0], [1], [0], [1]], input_digest="another"),
        cases([[0], [1], [0], [1]], cached=True),
        cases([[0]]),
        cases([[0], [1], [0], [1]], scores={}),
    ],
    ids=["changed rows", "answers from the cache", "too few rows", "no values"],
)
def test_what_says_nothing_of_the_same_rows_is_left_alone(other: list[JudgedCase]) -> None:
    assert spread(cases([[1], [1], [0], [0]]), other).source == "assumed"


def test_equal_values_have_no_correlation() -> None:
    found = spread(cases([[1], [1], [1]]))
    assert (found.within, found.between, found.correlation) == (0, 0, None)


def test_a_single_row_has_no_deviation() -> None:
    assert spread(cases([[0.5]])).sd is None


def test_no_value_no_spread() -> None:
    assert part_spread("f1", {}, {}, None) is None
    assert part_spread("f1", *read_rows("f1", cases([[1]])), "hard") is None


def test_numbers_of_the_calls_are_no_scores_though_they_lie_between_0_and_1() -> None:
    found = part_spread("latency_s", *read_rows("latency_s", cases([[1], [1]], latency_s=1.0)), None)
    assert found is not None
    assert not found.is_unit
    assert not found.is_binary


def test_huge_values_leave_the_spread_unknown() -> None:
    found = spread(cases([[1e200], [-1e200], [1e200]]))
    assert (found.sd, found.within) == (None, 0)


def drawn(rows: int, groups: int, luck: float) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return two runs whose rows share luck within each group; each row's own part is large, and cancels."""
    draw = random.Random(7)
    own = [draw.gauss(0, 10) for _ in range(rows)]
    runs = []
    for _ in range(2):
        shared = [draw.gauss() for _ in range(groups)]
        made = cases([[own[n] + luck * shared[n % groups] + draw.gauss()] for n in range(rows)])
        runs.append([each_in(case, f"g{number % groups}") for number, case in enumerate(made)])
    return runs[0], runs[1]


def each_in(case: JudgedCase, cluster: str, slices: tuple[str, ...] = ()) -> JudgedCase:
    return JudgedCase(
        suite=case.suite,
        model=case.model,
        sample_id=case.sample_id,
        outcome=case.outcome,
        scores=case.scores,
        input_digest=case.input_digest,
        cluster=cluster,
        slices=slices,
    )


def test_groups_of_dependent_rows_take_more_rows() -> None:
    """Rows of a group of 20 share half the variance of their luck: the design effect is 1 + 19/2."""
    found = spread(*drawn(4_000, 200, 1.0))
    assert found.groups == 200
    assert found.design == pytest.approx(10.5, rel=0.15)
    assert found.within == pytest.approx(2, rel=0.1)
    assert found.between == pytest.approx(100, rel=0.1)


def test_groups_whose_rows_are_independent_take_no_more() -> None:
    assert spread(*drawn(4_000, 200, 0.0)).design == pytest.approx(1, abs=0.15)


def test_rows_of_one_group_that_are_alike_cancel_between_runs_and_not_in_a_single_one() -> None:
    rows = [[0.0], [0.0], [1.0], [1.0], [0.0], [0.0], [1.0], [1.0]]
    flipped = [[1.0], [0.0], *rows[2:7], [0.0]]
    now, before = (
        [each_in(case, f"g{number // 2}") for number, case in enumerate(cases(values))] for values in (rows, flipped)
    )
    assert spread(now).design == pytest.approx(2, rel=0.2)
    assert spread(now, before).design == pytest.approx(1, abs=0.2)


def test_a_small_slice_takes_the_variance_of_answers_from_its_suite() -> None:
    """Its own two rows did not vary, which says nothing."""
    rows = [[1.0], [1.0], *([1.0] for _ in range(20)), *([0.0] for _ in range(20))]
    before = [[1.0], [1.0], *([float(n % 2)] for n in range(40))]
    now = [each_in(case, f"c{n}", ("easy",) if n < 2 else ()) for n, case in enumerate(cases(rows))]
    whole, easy = spread(now, cases(before)), spread(now, cases(before), "easy")
    assert whole.within > 0.1
    assert (easy.n, easy.mean, easy.within) == (2, 1, whole.within)


def test_a_large_slice_tells_its_own() -> None:
    now = [
        each_in(case, f"c{n}", ("easy",) if n < 40 else ())
        for n, case in enumerate(cases([[1.0]] * 40 + [[0.0], [1.0]] * 20))
    ]
    assert spread(now).within > 0
    assert spread(now, part="easy").within == 0


def test_a_slice_learns_nothing_from_rows_of_the_other_run_that_are_not_in_it() -> None:
    """It never varied; what lies outside did."""
    calm = cases([[1, 1]] * 40, slices=("calm",))
    noisy = [replace(case, sample_id=f"n{case.sample_id}", slices=("noisy",)) for case in cases([[1, 0]] * 40)]
    assert spread(calm, part="calm").within == spread(calm, [*calm, *noisy], part="calm").within == 0
