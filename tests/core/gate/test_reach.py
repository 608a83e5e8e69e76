"""Bounds that nothing in 0..1 can miss or meet."""

from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.rules import RuleKind
from tests.support.gate_runs import broken, case, compared, only, rule, rules, run, verdict_of

MADE: dict[str, Any] = {"digests": {"f1": "of a scorer"}}
JUDGED: dict[str, Any] = {"judge_ids": {"f1": "of a judge"}}


@pytest.mark.parametrize("made", [MADE, JUDGED, {**MADE, **JUDGED}])
@pytest.mark.parametrize(
    ("kind", "bound", "told"),
    [
        ("max_drop", 2, "cannot drop by more than 2; write 0.02"),
        ("max_drop", 1, "cannot drop by more than 1; write 0.01"),
        ("max_rise", 5, "cannot rise by more than 5; write 0.05"),
        ("max_drop", 200, "cannot drop by more than 200; write a number there"),
        ("noninferior", 3, "cannot drop by more than 3; write 0.03"),
    ],
)
def test_a_change_that_no_scorer_or_judge_can_show_is_unmeasurable(
    made: dict[str, Any], kind: RuleKind, bound: float, told: str
) -> None:
    """All rows fell from 1 to 0, and no such rule could fail; below 1 it may."""
    before, after = run([1.0] * 100, **made), run([0.0] * 100, **made)
    verdict = only(compared(before, after, rule(kind, bound)))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable", f"a score in 0..1 {told}")
    assert only(compared(before, after, rule(kind, 0.99))).verdict in ("pass", "fail")


@pytest.mark.parametrize(
    ("kind", "bound", "told"),
    [
        ("max", 80, "is never above 80; write 0.8"),
        ("max_p95", 1.5, "is never above 1.5; write a number there"),
        ("min", 75, "is always below 75; write 0.75"),
        ("min", -1, "is never below -1; write a number there"),
        ("max", -0.1, "is always above -0.1; write a number there"),
    ],
)
def test_a_bar_outside_of_what_a_scorer_gives_is_unmeasurable(kind: RuleKind, bound: float, told: str) -> None:
    """What a test recorded itself is held against any; so are sums, and a bar at either end."""
    verdict = only(apply_gate(rules(rule(kind, bound)), run([0.5] * 9, **MADE)))
    assert (verdict.verdict, verdict.reason) == ("unmeasurable", f"a score in 0..1 {told}")
    assert only(apply_gate(rules(rule(kind, bound)), run([0.5] * 9))).verdict in ("pass", "fail")
    assert only(apply_gate(rules(rule("max_total", 4)), run([0.5] * 9, **MADE))).verdict == "fail"
    for end, side in (("min", 0.0), ("max", 1.0)):
        assert only(apply_gate(rules(rule(end, side)), run([0.5] * 9, **MADE))).verdict == "pass"  # type: ignore[arg-type]  # from a tuple


def test_what_a_test_recorded_itself_is_judged_with_a_note_where_it_could_be_a_share() -> None:
    """One value outside says that it is none; nor are seconds below 1."""
    note = "; what lies in 0..1, as all its values do, cannot drop by more than 2"
    share = verdict_of([1.0] * 30, [0.0] * 30, rule(bound=2))
    assert share.verdict == "pass"
    assert share.reason is not None and share.reason.endswith(f"0 better{note}")
    some_recorded = [case(0, 1.0), *run([1.0] * 30, **MADE)[1:]]
    assert only(compared(some_recorded, some_recorded, rule(bound=2))).verdict == "pass"
    for before, after in (([5.0] * 30, [0.0] * 30), ([1.0] * 30, [-3.0] * 30)):
        rating = verdict_of(before, after, rule(bound=2))
        assert rating.verdict == "fail"
        assert rating.reason is not None and "0..1" not in rating.reason
    fast = run([1.0] * 30, latency_s=0.4)
    seconds = only(compared(fast, fast, rule("max_rise", 1, metric="latency_s")))
    assert seconds.verdict == "pass"
    assert seconds.reason is not None and "0..1" not in seconds.reason


def test_without_a_baseline_a_change_is_not_judged_whatever_its_bound() -> None:
    assert only(apply_gate(rules(rule(bound=2)), run([1.0] * 9, **MADE))).verdict == "not_judged"


@pytest.mark.parametrize(
    ("kind", "bound", "within"),
    [("max", 1, 0.9), ("max", 3, 0.9), ("max_total", 20, 16), ("min", 0, 0.1), ("min_lower", -0.1, 0.1)],
)
def test_a_bar_that_no_share_misses_is_about_numbers_that_may_be_any(
    kind: RuleKind, bound: float, within: float
) -> None:
    """Answers of one sentence say nothing of how many the others have; a bar that a share may miss is about one."""
    lost = [broken(number, "code") for number in range(16, 20)]
    for bar, verdict in ((bound, "inconclusive"), (within, "pass")):
        found = only(apply_gate(rules(rule(kind, bar), max_error_rate=0.5), [*run([0.4, 0.6] * 8), *lost]))
        assert (found.verdict, found.is_open) == (verdict, verdict == "inconclusive")
    assert only(apply_gate(rules(rule(kind, bound)), run([0.4, 0.6] * 10))).verdict == "pass"


@pytest.mark.parametrize(("kind", "bound"), [("max", 1), ("max_p95", 1), ("max_total", 20), ("min", 0)])
def test_what_a_scorer_gives_is_a_share_whatever_the_bar(kind: RuleKind, bound: float) -> None:
    lost = [broken(number, "code") for number in range(16, 20)]
    for made, verdict in ((MADE, "pass"), ({}, "inconclusive")):
        cases = [*run([0.5] * 16, **made), *lost]
        assert only(apply_gate(rules(rule(kind, bound), max_error_rate=0.5), cases)).verdict == verdict


@pytest.mark.parametrize("kind", ["max_drop", "max_rise", "noninferior"])
def test_a_change_that_no_share_shows_is_about_numbers_that_may_be_any(kind: RuleKind) -> None:
    before, after = run([1.0] * 30), [*run([1.0] * 29), broken(29, "code")]
    for bound, verdict in ((2.0, "inconclusive"), (0.9, "pass")):
        found = only(compared(before, after, rule(kind, bound), max_error_rate=0.5))
        assert (found.verdict, found.is_open) == (verdict, verdict == "inconclusive")
    assert only(compared(before, run([1.0] * 30), rule(kind, 2.0))).verdict == "pass"
