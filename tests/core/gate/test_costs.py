"""Rules on cost where answers came from the cache: bars are on what was paid, changes compare like with like."""

import random
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.gate.sizes import SuiteSize
from pytest_llmeval.core.planning.margins import unjudgeable
from pytest_llmeval.core.planning.plan import plan
from pytest_llmeval.core.planning.selftest import replay
from pytest_llmeval.core.planning.twins import twins
from pytest_llmeval.core.rules import RuleKind
from tests.support.gate_runs import case, compared, only, rule, rules, run

DEARER = rule("max_rise", 0.1, metric="cost_usd")
CALLS: dict[str, Any] = {"latency_s": 1.0, "input_tokens": 5, "output_tokens": 2, "judge_ids": {"f1": "j"}}


def priced(model: float | None, judge: float = 0.0, *, count: int = 40, **fields: Any) -> list[JudgedCase]:
    """Return cases of which the model and its judge cost so much each; None: the price is not known."""
    cost = None if model is None else model + judge
    return run([1.0] * count, **{**CALLS, "cost_usd": cost, "judge_cost_usd": judge, **fields})


def test_a_dearer_model_is_seen_though_all_verdicts_come_from_the_cache() -> None:
    """On either side; a verdict that was asked for anew is no rise, and one that was not is no drop."""
    fresh, judged_again = priced(1.0, 0.5), priced(1.0, judge_cached=True)
    for before, after, verdict in [
        (fresh, priced(3.0, judge_cached=True), "fail"),
        (judged_again, priced(3.0, 0.5), "fail"),
        (judged_again, fresh, "pass"),
        (fresh, judged_again, "pass"),
        (judged_again, [*judged_again[:39], *priced(1.0, 5.0)[39:]], "pass"),
    ]:
        found = only(compared(before, after, DEARER))
        assert (found.verdict, found.n) == (verdict, 40)
        assert found.baseline_value == pytest.approx(1.0)
        assert str(found.reason).endswith("; left out: the judges' part of the cost of 40 rows")
    few = only(compared(fresh, [*fresh[:39], *judged_again[39:]], DEARER))
    assert str(few.reason).endswith("; left out: the judges' part of the cost of 1 row")
    assert only(compared(fresh, fresh, DEARER)).baseline_value == 1.5
    for kind in ("max_rise", "max_drop"):  # the part that is taken off a sum leaves nothing behind
        exact = rule(kind, 0.0, metric="cost_usd")
        found = only(compared(priced(0.1, 0.7), priced(0.1, judge_cached=True), exact))
        assert (found.verdict, found.delta) == ("pass", 0.0)


def test_rows_whose_model_was_not_asked_have_no_cost_to_compare() -> None:
    """Nor does one whose judges' part is not known, as of a baseline that was exported before."""
    fresh = priced(1.0, 0.5)
    cached = priced(0.0, 0.5, cached=True)
    found = only(compared(fresh, [*cached[:10], *fresh[10:]], DEARER))
    assert (found.verdict, found.n) == ("pass", 30)
    assert str(found.reason).endswith("; left out: 10 answered from the cache")
    none = ("not_judged", 0, "all answers come from the cache, here or in baseline main")
    for before, after in [
        (fresh, cached),
        (cached, fresh),
        (fresh, [*cached[:39], *run([None] * 40, outcome="skipped")[39:]]),
        (priced(1.0, 0.5, judge_cost_usd=None), priced(1.0, judge_cached=True)),
        (priced(1.0, judge_cost_usd=None), fresh),  # were its verdicts cached?
    ]:
        found = only(compared(before, after, DEARER))
        assert (found.verdict, found.n, found.reason) == none


def test_what_cost_nothing_but_verdicts_is_not_compared_where_those_came_from_the_cache() -> None:
    """Zero beside zero passes whatever the judge has come to cost; a model that is paid for now is seen."""
    fresh, cached = priced(0.0, 1.0), priced(0.0, judge_cached=True)
    found = only(compared(fresh, cached, DEARER))
    assert (found.verdict, found.n) == ("not_judged", 0)
    some = only(compared(fresh, [*priced(0.0, 10.0)[:4], *cached[4:]], DEARER))
    assert (some.n, some.baseline_value, some.value) == (4, 1.0, 10.0)
    assert str(some.reason).endswith("; left out: 36 answered from the cache")
    assert only(compared(fresh, priced(0.5, judge_cached=True), DEARER)).verdict == "fail"


def test_plans_compare_costs_as_the_gate_does() -> None:
    """Whatever verdicts the cache had: what is seen, how many rows differ, and whether a margin can be judged."""
    draw = random.Random(1)
    judges = [0.01 * (1 + number % 5) for number in range(60)]

    def drawn(hits: int) -> list[JudgedCase]:
        parts = [0.0 if number < hits else judge for number, judge in enumerate(judges)]
        return [
            case(
                n, 1.0, **CALLS, cost_usd=0.001 + draw.random() / 1e5 + part, judge_cost_usd=part, judge_cached=not part
            )
            for n, part in enumerate(parts)
        ]

    rise, before, after = rules(rule("max_rise", 0.0, metric="cost_usd")), drawn(0), drawn(42)
    (row,) = [each for each in plan(rise, after, before).rows if each.metric == "cost_usd"]
    gate = only(compared(before, after, rule("max_rise", 0.0, metric="cost_usd")))
    assert row.source == "two runs"
    assert row.sees == pytest.approx(gate.mde, rel=0.1)
    hit: dict[str, Any] = {"judge_cost_usd": 0.0, "judge_cached": True}
    same = [
        replace(each, cost_usd=round((each.cost_usd or 0) - judge, 6), **hit)
        for each, judge in zip(before, judges, strict=True)
    ]
    exact = [replace(each, cost_usd=round(each.cost_usd or 0, 6)) for each in before]
    (tally,) = replay(rise, twins(rise, exact, same), pairs=1).rules
    assert (tally.n, tally.differing) == (60, 0)
    margin = rules(rule("noninferior", 0.001, metric="cost_usd", line=5))
    epochs = [*exact, *(replace(each, epoch=2) for each in same)]
    sizes = {"qa": SuiteSize(models=("m",), rows={None: 60}, epochs=1)}
    needed = [unjudgeable(margin, sizes, Baseline(name="b", cases=cases)) for cases in ([*same, *epochs[60:]], epochs)]
    assert needed[0] == needed[1]


@pytest.mark.parametrize("there", [0, 1, 40])
def test_a_price_that_is_not_known_is_unmeasurable_whatever_the_cache_had(there: int) -> None:
    """Of one row or of all; the same project is not red or green by its cache."""
    fresh, unknown = priced(1.0, 0.5), priced(None)
    hits: list[dict[str, Any]] = [{"cached": True}, {"judge_cached": True}]
    for hit in hits:
        free = [replace(each, cost_usd=0.0, judge_cost_usd=0.0, **hit) for each in fresh]
        no_price = [replace(each, **hit) for each in unknown]
        mixed = [*no_price[:there], *unknown[there:]]
        assert only(compared(fresh, mixed, DEARER)).verdict == "unmeasurable"
        assert only(compared(mixed, fresh, DEARER)).verdict == "unmeasurable"
        assert only(compared(unknown, [*free[:there], *fresh[there:]], DEARER)).reason == (
            "baseline main has no value of 'cost_usd'; set a new baseline"
        )
        bar = apply_gate(rules(rule("max", 0.1, metric="cost_usd")), mixed)
        assert only(bar).verdict == "unmeasurable"
    told = only(compared(fresh, [*unknown[:39], *priced(0.0, cached=True)[39:]], DEARER))
    assert (told.verdict, told.reason) == ("unmeasurable", "no row has a value of 'cost_usd' in both runs")


@pytest.mark.parametrize(
    ("kind", "bound", "verdict", "value"),
    [
        ("max", 2.5, "pass", 2.0),
        ("max", 1.5, "fail", 2.0),
        ("max_p95", 1.5, "fail", 3.0),
        ("max_total", 9, "fail", 80),
    ],
)
def test_bars_are_on_what_was_paid(kind: RuleKind, bound: float, verdict: str, value: float) -> None:
    """An answer from the cache was paid with nothing, and what was asked beside it with what it cost."""
    cases = [*priced(1.0, cached=True, count=20), *[case(f"j{n}", 1.0, **CALLS, cost_usd=3.0) for n in range(20)]]
    cases = [replace(each, judge_cached=True) for each in cases]
    found = only(apply_gate(rules(rule(kind, bound, metric="cost_usd")), cases))
    assert found.verdict == verdict
    assert found.value == pytest.approx(value)
