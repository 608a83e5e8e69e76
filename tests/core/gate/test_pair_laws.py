"""Laws of a comparison, over any two runs."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.rules import Rule
from tests.support.gate_runs import broken, case, compared, only, rule, run, verdict_of

OPEN: dict[str, Any] = {"max_error_rate": 0.5}

cases = st.lists(
    st.builds(
        lambda number, epoch, value, **fields: case(number, value, epoch=epoch, **fields),
        st.integers(0, 40),
        st.integers(1, 2),
        st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0, None]),
        model=st.sampled_from(["m", "m", "m", "n"]),
        slices=st.sampled_from([(), ("hard",)]),
        cluster=st.sampled_from([None, None, "a", "b", "c", "d", "e"]),
        digests=st.sampled_from([{}, {}, {"f1": "x"}]),
        latency_s=st.sampled_from([None, 0.5, 2.0]),
    ),
    max_size=60,
    unique_by=lambda each: (each.model, each.sample_id, each.epoch),
)
errors = st.lists(
    st.builds(
        lambda number, kind: broken(number, kind),
        st.integers(41, 45),
        st.sampled_from(["timeout", "connection", "judge"]),
    ),
    max_size=3,
    unique_by=lambda each: each.sample_id,
)
ruled = st.builds(
    rule,
    st.sampled_from(["max_drop", "max_rise", "noninferior"]),
    st.sampled_from([0.0, 0.02, 0.3]),
    metric=st.sampled_from(["f1", "f1", "pass_rate", "latency_s", "error_rate"]),
    slice=st.sampled_from([None, None, "hard"]),
)


@given(cases, cases, errors, st.lists(ruled, min_size=1, max_size=3), st.randoms())
def test_the_order_of_cases_never_changes_a_verdict(
    before: list[JudgedCase], after: list[JudgedCase], lost: list[JudgedCase], given_: list[Rule], order: random.Random
) -> None:
    """Of neither run, and not even a digit of it."""
    there = compared([*before, *run([1.0] * 46)[41:]], [*after, *lost], *given_, **OPEN)
    early, late = [*before, *run([1.0] * 46)[41:]], [*after, *lost]
    order.shuffle(early)
    order.shuffle(late)
    assert compared(early, late, *given_, **OPEN) == there


both = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0]), st.sampled_from([0.0, 0.0, 0.5, 1.0])),
    min_size=1,
    max_size=60,
)
grades = st.one_of(st.sampled_from([0.0, 0.5, 0.501, 1.0]), st.floats(0, 1))
flips = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.0]), st.sampled_from([0.0, 0.0, 1.0])), min_size=4, max_size=60)


def pairs(rows: Sequence[tuple[float, float]], *given_: Rule, **settings: Any) -> Verdict:
    return verdict_of([early for early, _ in rows], [late for _, late in rows], *given_, **settings)


@given(both)
def test_two_runs_changed_about_mirror_their_change(rows: list[tuple[float, float]]) -> None:
    """Values swap; the change and the ends of its interval change signs; what is seen stays."""
    found, mirrored = pairs(rows), pairs([(late, early) for early, late in rows])
    assert (mirrored.value, mirrored.baseline_value) == (found.baseline_value, found.value)
    assert found.delta is not None
    assert mirrored.delta == -found.delta
    assert mirrored.mde == found.mde
    if found.low is not None and found.high is not None:
        assert mirrored.low == pytest.approx(-found.high, abs=1e-12)
        assert mirrored.high == pytest.approx(-found.low, abs=1e-12)
        assert found.low <= found.delta <= found.high


def test_an_interval_holds_no_change_that_cannot_be() -> None:
    """A share falls by 1 at most."""
    verdict = pairs([(1, 0)] * 8 + [(0, 0)] * 2)
    assert (verdict.delta, verdict.low) == (-0.8, -1.0)
    assert "(-0.8, 90% interval -1..-0.556)" in (verdict.reason or "")


@given(both)
def test_a_drop_of_one_run_is_a_rise_of_its_complement(rows: list[tuple[float, float]]) -> None:
    """``max_rise`` on misses says what ``max_drop`` says on hits."""
    drop, rise = pairs(rows), pairs([(1 - early, 1 - late) for early, late in rows], rule("max_rise"))
    assert (rise.verdict, rise.p_value) == (drop.verdict, pytest.approx(drop.p_value))  # type: ignore[comparison-overlap]


RANK = {"fail": 0, "inconclusive": 1, "unmeasurable": 1, "pass": 2}


@given(both, st.integers(1, 10))
def test_rows_that_did_not_change_never_turn_a_pass_into_a_fail(rows: list[tuple[float, float]], more: int) -> None:
    """They can only dilute a drop."""
    if pairs(rows).verdict == "pass":
        assert pairs([*rows, *[(1.0, 1.0)] * more]).verdict != "fail"


@given(flips, st.integers(0, 59))
def test_a_better_answer_never_darkens_a_verdict_on_yes_or_no_rows(rows: list[tuple[float, float]], which: int) -> None:
    """Whichever row it is."""
    place = which % len(rows)
    better = [*rows[:place], (rows[place][0], 1.0), *rows[place + 1 :]]
    assert RANK[pairs(better).verdict] >= RANK[pairs(rows).verdict]


@given(st.lists(st.tuples(grades, grades), min_size=4, max_size=60), st.integers(0, 59), st.floats(0, 0.5), grades)
def test_a_worse_answer_never_brightens_a_verdict_on_a_loss_to_be_ruled_out(
    rows: list[tuple[float, float]], which: int, margin: float, value: float
) -> None:
    """Whichever row it is, and by how much; the error that Student's t takes may get less by it."""
    place, strict = which % len(rows), rule("noninferior", margin)
    early, late = rows[place]
    worse = [*rows[:place], (early, min(late, value)), *rows[place + 1 :]]
    assert RANK[pairs(worse, strict).verdict] <= RANK[pairs(rows, strict).verdict]


@given(both, st.sampled_from(["max_drop", "noninferior"]), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_stricter_rule_never_brightens_a_verdict(
    rows: list[tuple[float, float]], kind: Any, bound: float, less: float
) -> None:
    """A smaller allowance, a smaller margin."""
    loose, strict = pairs(rows, rule(kind, bound + less)), pairs(rows, rule(kind, bound))
    assert RANK[strict.verdict] <= RANK[loose.verdict]


@given(both, st.floats(0.001, 0.4))
def test_a_smaller_alpha_fails_no_more(rows: list[tuple[float, float]], alpha: float) -> None:
    """What passed at a larger one may not fail at a smaller."""
    if pairs(rows, alpha=alpha).verdict == "pass":
        assert pairs(rows, alpha=alpha / 2).verdict == "pass"


@given(both, st.integers(0, 59))
def test_a_row_that_was_lost_leaves_both_runs(rows: list[tuple[float, float]], which: int) -> None:
    """The numbers are those of the runs without it."""
    before, after = run([early for early, _ in rows]), run([late for _, late in rows])
    place = which % len(rows)
    lost = only(compared(before, [*after[:place], broken(place, "connection"), *after[place + 1 :]], **OPEN))
    if len(rows) == 1:
        assert lost.verdict == "unmeasurable"
        return
    gone = only(compared([*before[:place], *before[place + 1 :]], [*after[:place], *after[place + 1 :]], **OPEN))
    assert replace(lost, reason=None) == replace(gone, reason=None)


@given(flips, st.lists(st.integers(0, 59), min_size=1, max_size=4))
def test_an_answer_that_went_missing_decides_nothing(rows: list[tuple[float, float]], which: list[int]) -> None:
    """Where a timeout hides it, a yes-or-no rule comes to what it was, or is left open."""
    before, after = run([early for early, _ in rows]), run([late for _, late in rows])
    places = {number % len(rows) for number in which}
    hidden = [broken(number, "timeout") if number in places else each for number, each in enumerate(after)]
    there, left = only(compared(before, after)), only(compared(before, hidden, max_error_rate=1.0))
    if len(places) < len(rows) and not left.is_open:
        assert left.verdict == there.verdict


@given(both, st.lists(st.integers(0, 59), min_size=2, max_size=6), st.sampled_from(["timeout", "connection", "budget"]))
def test_a_run_that_is_not_valid_never_passes(rows: list[tuple[float, float]], which: list[int], kind: str) -> None:
    """Too many errors: it fails whatever is missing, or is unmeasurable; and the session says so."""
    before, after = run([early for early, _ in rows]), run([late for _, late in rows])
    places = {number % len(rows) for number in which}
    hidden = [broken(number, kind) if number in places else each for number, each in enumerate(after)]
    if len(places) < 2:
        return
    result = compared(before, hidden, max_error_rate=0.0)
    assert result.verdict in ("fail", "unmeasurable")
    assert result.verdicts[-1].verdict in ("fail", "unmeasurable")


@given(st.lists(st.floats(0, 1), min_size=30, max_size=40), st.integers(2, 4), st.integers(0, 9))
def test_rows_repeated_within_their_cluster_change_no_p_value(after: list[float], times: int, seed: int) -> None:
    """They are the same evidence: n counts, but the test does not."""
    draw = random.Random(seed)
    before = [draw.random() for _ in after]

    def repeated(values_: list[float], often: int) -> list[JudgedCase]:
        return [
            case(f"{row}-{copy}", value, cluster=f"c{row}")
            for row, value in enumerate(values_)
            for copy in range(often)
        ]

    once = only(compared(repeated(before, 1), repeated(after, 1)))
    often = only(compared(repeated(before, times), repeated(after, times)))
    assert often.n == times * once.n
    assert often.verdict == once.verdict
    assert often.p_value == pytest.approx(once.p_value, rel=1e-6)
    alone = verdict_of(before, after)
    assert once.p_value == pytest.approx(alone.p_value, rel=1e-6)
