"""What each kind of rule computes, and what errors leave of it."""

import random
from typing import Any

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import read_column
from pytest_llmeval.core.gate.decide import Decision, decide, name_samples
from pytest_llmeval.core.rules import Rule, RuleKind
from pytest_llmeval.core.stats.intervals import Interval, score_interval


def case(sample_id: object, value: float | None = None, **fields: Any) -> JudgedCase:
    """Return a case with score ``f1``; None for no score."""
    made: dict[str, Any] = {"suite": "qa", "model": "m", "sample_id": str(sample_id), "outcome": "passed"}
    return JudgedCase(**{**made, "scores": {} if value is None else {"f1": value}, **fields})


def error(sample_id: str = "lost", kind: str = "timeout", **fields: Any) -> JudgedCase:
    """Return a case without a verdict."""
    return case(sample_id, outcome="error", error_kind=kind, **fields)


def scored(*values: float) -> list[JudgedCase]:
    """Return a sample for each value."""
    return [case(number, value) for number, value in enumerate(values)]


def decided(
    kind: RuleKind, bound: float | None, cases: list[JudgedCase], metric: str = "f1", **fields: Any
) -> Decision:
    """Return the decision of one rule."""
    broken = fields.pop("broken", None)
    rule = Rule(suite="qa", metric=metric, kind=kind, bound=bound, **fields)
    return decide(rule, read_column(metric, cases), broken=broken)


@pytest.mark.parametrize(
    ("kind", "bound", "verdict"),
    [
        ("min", 0.75, "pass"),
        ("min", 0.75 + 5e-10, "pass"),
        ("min", 0.75 + 2e-9, "fail"),
        ("max", 0.75, "pass"),
        ("max", 0.75 - 5e-10, "pass"),
        ("max", 0.75 - 2e-9, "fail"),
        ("max_p50", 0.5, "pass"),
        ("max_p50", 0.49, "fail"),
        ("max_p95", 1.0, "pass"),
        ("max_p95", 0.99, "fail"),
        ("max_total", 1.5, "pass"),
        ("max_total", 1.4, "fail"),
        ("min_lower", 0.01, "pass"),
        ("min_lower", 0.7, "fail"),
    ],
)
def test_a_bound_is_held_against_its_statistic(kind: RuleKind, bound: float, verdict: str) -> None:
    """Two scores, 0.5 and 1.0; rounding alone fails nothing."""
    assert decided(kind, bound, scored(0.5, 1.0)).verdict == verdict


def test_reasons_of_failures_say_which_side() -> None:
    """A reader sees the number that was held against the bar."""
    assert decided("max", 0.5, scored(0.5, 1.0)).reason == "it is 0.75, above 0.5"
    assert decided("min", 0.75001, scored(0.5, 1.0)).reason == "it is 0.75, below 0.75001"
    lower = decided("min_lower", 0.7, scored(1.0, 1.0))
    assert lower.reason == "the lower end of the interval is 0.3424, not above 0.7"
    assert lower.value == 1.0
    assert lower.low == pytest.approx(0.342380, abs=1e-6)


def test_min_lower_is_strict() -> None:
    """The end itself is not enough."""
    low = decided("min", 0.0, scored(1.0, 1.0)).low
    assert decided("min_lower", low, scored(1.0, 1.0)).verdict == "fail"


@pytest.mark.parametrize("values", [(0.5, 0.5), (0.5,), (0.5, 3.0)])
def test_min_lower_without_an_interval_is_unmeasurable(values: tuple[float, ...]) -> None:
    """Equal scores say nothing of the spread; recorded numbers outside [0, 1] have no Wilson interval."""
    decision = decided("min_lower", 0.1, scored(*values))
    assert decision.verdict == "unmeasurable"
    assert decision.reason == f"the interval of {len(values)} values cannot be estimated"
    assert decided("min_lower", 0.1, scored(*values), broken="stopped").reason == "stopped"


def test_min_lower_is_open_where_an_end_cannot_be_estimated() -> None:
    """With its open epoch at 0 both samples are 0.5, which says nothing of the spread."""
    cases = [case("a", 1.0), error("a", epoch=2), case("b", 0.5)]
    decision = decided("min_lower", 0.01, cases)
    assert (decision.verdict, decision.is_open) == ("inconclusive", True)
    assert "between unknown and" in str(decision.reason)


def test_quantiles_and_totals_count_cases_and_have_no_interval() -> None:
    """Two epochs are two latencies."""
    cases = [case("a", epoch=epoch, latency_s=float(epoch)) for epoch in (1, 2, 3)]
    decision = decided("max_p50", 2.0, cases, "latency_s")
    assert (decision.verdict, decision.value, decision.n, decision.low) == ("pass", 2.0, 3, None)
    assert decided("max_total", 6.0, cases, "latency_s").value == 6.0


def test_a_mean_of_the_calls_has_no_interval_of_a_share() -> None:
    """Latencies under a second only happen to lie in [0, 1]."""
    cases = [case("a", latency_s=0.2), case("b", latency_s=0.4)]
    decision = decided("max", 0.5, cases, "latency_s")
    assert (decision.verdict, decision.low, decision.high) == ("pass", None, None)


def test_a_total_too_large_for_a_float_fails_without_a_value() -> None:
    """None stands for it, never infinity."""
    decision = decided("max_total", 1.0, scored(1e308, 1e308))
    assert (decision.verdict, decision.value, decision.reason) == ("fail", None, "it is inf, above 1")


def test_the_chance_of_a_miss_is_told_only_where_it_is_likely() -> None:
    """For max it is the other side. Of rows that are right or wrong it is binomial, of others normal; none passes 1."""
    near = [0.0] * 20 + [1.0] * 80
    told = "by chance alone a rerun would miss this bar {:.0%} of the time"
    of = stats.binom(100, 0.8)
    for bar, most in (0.8, 80), (0.855, 85):
        assert decided("max", bar, scored(*near)).reason == told.format(of.sf(most))
    assert decided("min", 0.745, scored(*near)).reason == told.format(of.cdf(74))
    assert decided("min", 0.5, scored(*[0.2, 1.0] * 50)).reason is None
    assert decided("min", 0.6, scored(*[0.2, 1.0] * 50)).reason == told.format(0.5)
    assert decided("min", 0.5, scored(*near)).reason is decided("min", 0.5, scored(0.5)).reason is None
    assert decided("max_total", 80.0, scored(*near)).reason is decided("max", 1.0, scored(0.1, 0.9)).reason is None


@pytest.mark.parametrize(
    ("bound", "verdict"), [(0.6, "pass"), (0.7, "inconclusive"), (0.8, "inconclusive"), (0.95, "fail")]
)
def test_an_error_that_may_hide_a_bad_answer_bounds_the_mean(bound: float, verdict: str) -> None:
    """Three of 0.9 and one open row: between 0.675 and 0.925."""
    cases = [*scored(0.9, 0.9, 0.9), error()]
    decision = decided("min", bound, cases)
    assert (decision.verdict, decision.n, decision.is_open) == (verdict, 3, verdict == "inconclusive")
    assert decision.value == pytest.approx(0.9)


def test_an_open_rule_names_the_rows_and_what_to_do() -> None:
    """The range shows how far from the bar the rest is."""
    assert decided("min", 0.8, [*scored(0.9, 0.9, 0.9), error("row 4")]).reason == (
        "1 case without a value leaves it open, between 0.675 and 0.925: row 4; ask for them again with --resume"
    )
    many = [*scored(0.9), *(error(f"r{number}") for number in range(7))]
    reason = decided("min", 0.8, many).reason
    assert reason is not None
    assert "7 cases without a value" in reason
    assert "r0, r1, r2, r3, r4 and 2 more" in reason


def test_an_open_rule_that_fails_anyway_says_so() -> None:
    """Both ends are under the bar."""
    decision = decided("min", 0.95, [*scored(0.9, 0.9, 0.9), error()])
    assert decision.reason == "it is 0.925, below 0.95, even with the best for every missing value"


@pytest.mark.parametrize(
    ("bound", "verdict"), [(0.1, "pass"), (0.79, "inconclusive"), (0.8019, "inconclusive"), (0.81, "fail")]
)
def test_the_lower_end_of_an_interval_is_best_where_a_missing_value_is_like_the_others(
    bound: float, verdict: str
) -> None:
    """Ten scores of 0.80 and 0.81: at 0 or at 1 an open one widens the interval to below 0.786."""
    decision = decided("min_lower", bound, [*scored(*[0.80, 0.81] * 5), error()])
    assert (decision.verdict, decision.is_open) == (verdict, verdict == "inconclusive")
    reason = decision.reason or ""
    if verdict == "inconclusive":
        assert "leaves it open, between 0.5486 and 0.802: lost;" in reason
    if verdict == "fail":
        assert reason.endswith("is 0.802, not above 0.81, even with the best for every missing value")


@pytest.mark.parametrize(("bound", "verdict"), [(0.1, "pass"), (0.79, "inconclusive")])
def test_a_lower_end_that_meets_its_bar_at_worst_is_searched_no_further(
    monkeypatch: pytest.MonkeyPatch, bound: float, verdict: str
) -> None:
    """What is shown, what is held against the bar and its two ends are four intervals, of every row each."""
    intervals = []

    def counted(*args: Any, **kwargs: Any) -> Interval | None:
        intervals.append(score_interval(*args, **kwargs))
        return intervals[-1]

    monkeypatch.setattr("pytest_llmeval.core.gate.decide.score_interval", counted)
    assert decided("min_lower", bound, [*scored(*[0.80, 0.81] * 5), error()]).verdict == verdict
    assert (len(intervals) == 4) == (verdict == "pass")


@pytest.mark.parametrize("seed", range(12))
def test_no_values_of_what_is_missing_meet_a_bound_that_failed_with_the_best_of_them(seed: int) -> None:
    """Graded rows, some of which are open, and a bound just above the best that the reason tells."""
    draw = random.Random(seed)
    values, missing = [draw.betavariate(4, 2) for _ in range(draw.randint(2, 12))], draw.randint(1, 4)
    cases = [*scored(*values), *(error(f"lost{number}") for number in range(missing))]
    fills = [[step / 200] * missing for step in range(201)] + [[draw.random() for _ in range(missing)] for _ in cases]
    lows = [found.low for fill in fills if (found := score_interval([*values, *fill])) is not None]
    assert decided("min_lower", max(lows) - 1e-6, cases).verdict == "inconclusive"
    assert decided("min_lower", max(lows) + 1e-4, cases).verdict == "fail"


def test_a_missing_epoch_is_best_where_its_sample_is_like_the_others() -> None:
    """Below their mean, where the sample's other epochs lie above it."""
    rows: list[list[float | None]] = [[1, 0.54, 0.88], [0.83, 0.78, 0.78], [0.7, 1, 0.72], [1, None, 0.84]]

    def cases(missing: JudgedCase) -> list[JudgedCase]:
        known = [(row, epoch, value) for row, each in enumerate(rows) for epoch, value in enumerate(each, 1)]
        return [missing if value is None else case(row, value, epoch=epoch) for row, epoch, value in known]

    assert decided("min_lower", 0.75, cases(case(3, 0.44, epoch=2))).verdict == "pass"
    assert decided("min_lower", 0.796, cases(error("3", epoch=2))).verdict == "inconclusive"
    assert decided("min_lower", 0.797, cases(error("3", epoch=2))).verdict == "fail"


@pytest.mark.parametrize("seed", range(6))
def test_no_values_of_missing_epochs_meet_a_bound_that_failed_with_the_best_of_them(seed: int) -> None:
    """As of whole samples: each sample lies between what its other epochs leave it."""
    draw = random.Random(seed)
    rows = [[draw.betavariate(4, 2) for _ in range(3)] for _ in range(draw.randint(3, 8))]
    missing = draw.sample(range(len(rows)), 2)
    cases = [case(row, value, epoch=epoch) for row, each in enumerate(rows) for epoch, value in enumerate(each)]
    cases = [
        error(each.sample_id, epoch=0) if each.epoch == 0 and int(each.sample_id) in missing else each for each in cases
    ]

    def low(fills: list[float]) -> float:
        filled = [[fills.pop(), *each[1:]] if row in missing else each for row, each in enumerate(rows)]
        found = score_interval([sum(each) / 3 for each in filled])
        return found.low if found else 0.0

    best = max(low([first / 50, second / 50]) for first in range(51) for second in range(51))
    assert decided("min_lower", best - 1e-6, cases).verdict == "inconclusive"
    assert decided("min_lower", best + 2e-3, cases).verdict == "fail"


def test_a_missing_yes_or_no_can_be_nothing_between() -> None:
    """Ten of ten are right, and an open one at best makes it eleven of eleven."""
    low = decided("min_lower", 0.1, scored(*[1.0] * 11)).low
    assert low is not None
    assert decided("min_lower", low - 0.001, [*scored(*[1.0] * 10), error()]).verdict == "inconclusive"
    assert decided("min_lower", low + 0.001, [*scored(*[1.0] * 10), error()]).verdict == "fail"


def test_of_several_missing_epochs_some_may_be_right_and_others_wrong() -> None:
    """Of 20 rows, all right twice but for two epochs: the lower end is 0.824 with none of these, 0.839 with both."""
    cases = [case(f"r{row}", 1.0, epoch=epoch) for row in range(20) for epoch in (1, 2) if row > 1 or epoch == 1]
    cases += [case(f"r{row}", epoch=2, outcome="error", error_kind="timeout") for row in (0, 1)]
    assert decided("min_lower", 0.85, cases).verdict == "inconclusive"
    assert decided("min_lower", 0.87, cases).verdict == "fail"


def test_an_open_epoch_bounds_the_mean_of_its_sample() -> None:
    """One of two epochs is known: 0.5 to 1 for this sample."""
    cases = [case("a", 1.0), case("a", epoch=2, outcome="error", error_kind="timeout"), case("b", 1.0)]
    assert decided("min", 0.75, cases).verdict == "pass"
    assert decided("min", 0.76, cases).verdict == "inconclusive"


def test_recorded_numbers_outside_the_unit_interval_have_no_bounds() -> None:
    """An error could be anything, so it leaves the rule open whatever the bar."""
    cases = [*scored(5.0, 7.0), error()]
    for kind, bound in (("min", -99.0), ("min", 99.0), ("max", 99.0), ("max_p95", 99.0)):
        assert decided(kind, bound, cases).verdict == "inconclusive"  # type: ignore[arg-type]  # from a tuple
    assert "leaves it open: lost; ask" in str(decided("min", 1.0, cases).reason)


def test_a_lost_case_leaves_the_mean_of_a_valid_run_only() -> None:
    """In a run that is not valid it counts as open, and nothing passes."""
    cases = [*scored(0.7, 0.7), error(kind="connection")]
    assert decided("min", 0.75, cases).verdict == "fail"
    assert decided("min", 0.75, cases, broken="stopped") == Decision(
        verdict="unmeasurable", value=0.7, n=2, reason="stopped"
    )
    assert decided("min", 0.9, cases, broken="stopped").verdict == "fail"
    assert decided("min", 0.1, cases, broken="stopped").verdict == "unmeasurable"


def test_a_slow_quantile_is_decided_where_few_times_are_unknown() -> None:
    """One timeout of 100 cannot move the p95 across the bar, ten can."""
    cases = [case(number, latency_s=1.0) for number in range(100)]
    assert decided("max_p95", 5.0, [*cases[1:], error()], "latency_s").verdict == "pass"
    open_ones = [error(f"e{number}") for number in range(10)]
    assert decided("max_p95", 5.0, [*cases[10:], *open_ones], "latency_s").verdict == "inconclusive"
    assert decided("max_p95", 0.5, [*cases[10:], *open_ones], "latency_s").verdict == "fail"


def test_an_unknown_price_leaves_a_total_open_unless_it_is_too_high_already() -> None:
    """Known prices only add up."""
    cases = [case(0, cost_usd=0.6), case(1, cost_usd=None)]
    open_total = decided("max_total", 1.0, cases, "cost_usd")
    assert (open_total.verdict, open_total.value, open_total.n) == ("inconclusive", 0.6, 1)
    assert decided("max_total", 0.5, cases, "cost_usd").verdict == "fail"


@pytest.mark.parametrize(("kind", "bound"), [("min", 0.0), ("max", 1.0)])
def test_a_bar_at_the_end_of_the_range_cannot_be_missed(kind: RuleKind, bound: float) -> None:
    """By the normal approximation alone it would be, 16 % of the time."""
    decision = decided(kind, bound, scored(0.0, 1.0))
    assert (decision.verdict, decision.reason) == ("pass", None)


def test_latencies_from_the_cache_alone_are_unmeasurable() -> None:
    """They are not this run's."""
    decision = decided("max_p95", 5.0, [case(0, latency_s=1.0, cached=True)], "latency_s")
    assert decision.verdict == "unmeasurable"
    assert decision.reason == "no case has a value of 'latency_s' (1 answered from the cache)"


def test_every_passes_where_each_case_does() -> None:
    """Skipped ones aside."""
    cases = [*scored(1.0, 1.0), case("k", outcome="skipped")]
    decision = decided("every", None, cases)
    assert (decision.verdict, decision.value, decision.n, decision.reason) == ("pass", 1.0, 2, None)


def test_every_fails_on_one_miss_whatever_else_is_open() -> None:
    """It names the samples."""
    cases = [
        case("a", 0.9, passed={"f1": True}),
        case("b", 0.9),
        case("c", 1.0, passed={"f1": False}),
        error(),
    ]
    decision = decided("every", None, cases)
    assert (decision.verdict, decision.reason) == ("fail", "missed by b, c")
    assert decided("every", None, cases, broken="stopped").verdict == "fail"


@pytest.mark.parametrize(
    "without", [error(), error(kind="connection"), case("lost"), case("lost", statuses={"f1": "none"})]
)
def test_every_is_unmeasurable_with_a_case_without_a_score(without: JudgedCase) -> None:
    """Whatever the reason."""
    decision = decided("every", None, [*scored(1.0), without])
    assert (decision.verdict, decision.reason) == ("unmeasurable", "1 case without a verdict: lost")
    assert decided("every", None, [*scored(1.0), without], broken="stopped").reason == "stopped"


def test_every_passes_in_no_invalid_run() -> None:
    """The rows that are there are not all."""
    decision = decided("every", None, scored(1.0), broken="stopped")
    assert (decision.verdict, decision.reason) == ("unmeasurable", "stopped")


def test_every_without_a_scored_case_is_unmeasurable() -> None:
    """All of nothing is not a proof."""
    assert decided("every", None, [error()]).verdict == "unmeasurable"
    assert decided("every", None, [], broken="stopped").reason == "stopped"


def test_every_on_pass_rate_wants_each_case_passed() -> None:
    """A plain assert is seen here."""
    cases = [case("a"), case("b", outcome="missed")]
    assert decided("every", None, cases, "pass_rate").reason == "missed by b"
    assert decided("every", None, cases[:1], "pass_rate").verdict == "pass"


def attempts(sample_id: str, *hits: bool) -> list[JudgedCase]:
    """Return the epochs of one sample."""
    return [case(sample_id, float(hit), epoch=number) for number, hit in enumerate(hits, start=1)]


def test_pass_at_is_the_mean_over_samples() -> None:
    """pass@2 of 1 in 3 is 2/3, of 3 in 3 it is 1."""
    cases = attempts("a", True, False, False) + attempts("b", True, True, True)
    decision = decided("pass_at", 0.8, cases, k=2)
    assert (decision.verdict, decision.n) == ("pass", 2)
    assert decision.value == pytest.approx(5 / 6)
    assert decided("pass_at", 0.84, cases, k=2).verdict == "fail"
    assert decided("pass_at", 1.0, cases, "pass_rate", k=3).verdict == "pass"


def test_pass_at_counts_pass_marks_not_values() -> None:
    """0.6 over a pass mark of 0.5 is a pass."""
    cases = [case("a", 0.6, passed={"f1": True})]
    assert decided("pass_at", 1.0, cases, k=1).value == 1.0


def test_pass_at_needs_enough_scored_epochs() -> None:
    """A sample without any is short too; skipped ones are not."""
    cases = attempts("a", True, True) + attempts("b", True) + [error("c"), case("d", outcome="skipped")]
    decision = decided("pass_at", 0.1, cases, k=2)
    assert (decision.verdict, decision.value, decision.n) == ("unmeasurable", None, 2)
    assert decision.reason == "needs 2 scored epochs of each sample; fewer in b, c"


def test_pass_at_is_bounded_by_open_epochs() -> None:
    """Two hits of three and an open one: pass@2 is between 5/6 and 1."""
    cases = [*attempts("a", True, True, False), error("a", epoch=4)]
    assert decided("pass_at", 0.8, cases, k=2).verdict == "pass"
    assert decided("pass_at", 0.9, cases, k=2).verdict == "inconclusive"


def test_samples_are_named_without_harm() -> None:
    """Ids come from data: escapes are shown, long ones cut."""
    assert name_samples(["b\x1b[1m", "a" * 60]) == "a" * 37 + "..., b\\x1b[1m"
