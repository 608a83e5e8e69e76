"""What is planned for: which metrics and rules, with which share of alpha; how far, ``test_sight`` checks."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.gate.sight import Sight
from pytest_llmeval.core.gate.spread import part_spread, read_rows
from pytest_llmeval.core.planning.plan import Plan, Planned, plan
from pytest_llmeval.core.rules import Rule, Thresholds
from tests.support.gate_runs import rule_on, rules


def answers(rows: int = 100, *, seed: int = 1, epochs: int = 1, **fields: Any) -> list[JudgedCase]:
    """Return rows that are right with chance Beta(1.7, 0.3); every third is ``hard``."""
    own, draw = random.Random(0), random.Random(seed)
    chances = [own.betavariate(1.7, 0.3) for _ in range(rows)]
    made: dict[str, Any] = {"suite": "qa", "model": "m", "input_digest": "d", "latency_s": 1.5}
    found = []
    for number, chance in enumerate(chances):
        for epoch in range(1, epochs + 1):
            is_right = draw.random() < chance
            own_fields = {"sample_id": f"s{number}", "epoch": epoch, "slices": () if number % 3 else ("hard",)}
            own_fields |= {"outcome": "passed" if is_right else "missed", "scores": {"f1": float(is_right)}}
            found.append(JudgedCase(**{**made, **own_fields, **fields}))
    return found


def named(found: Plan) -> list[tuple[str, str, str | None, str | None]]:
    return [(row.suite, row.metric, row.slice, row.rule) for row in found.rows]


def row_of(found: Plan, metric: str = "f1", part: str | None = None) -> Planned:
    (row,) = [row for row in found.rows if (row.metric, row.slice, row.model) == (metric, part, "m")]
    return row


def test_each_score_and_each_rule_on_a_change_has_a_row() -> None:
    """Whole suites come first; a metric without a rule is planned for as if it had one."""
    given = rules(
        rule_on("hard"), rule_on(kind="min"), rule_on(bound=0.02), rule_on(metric="latency_s", kind="max_rise", bound=1)
    )
    assert named(plan(given, [*answers(), *answers(suite="no_rules")])) == [
        ("no_rules", "pass_rate", None, None),
        ("no_rules", "f1", None, None),
        ("qa", "pass_rate", None, None),
        ("qa", "f1", None, "max_drop=0.02"),
        ("qa", "latency_s", None, "max_rise=1"),
        ("qa", "f1", "hard", "max_drop=0"),
    ]


def test_a_row_says_what_the_run_is_like_and_what_a_rule_sees() -> None:
    cases, other = answers(), answers(seed=2)
    found = row_of(plan(rules(rule_on(bound=0.02)), cases, other, drop=0.1))
    spread = part_spread("f1", *read_rows("f1", cases, other), None)
    assert spread is not None
    sight = Sight(spread=spread, alpha=0.05, allowed=0.02)
    assert (found.n, found.epochs, found.mean, found.sd) == (100, 1, spread.mean, spread.sd)
    assert (found.source, found.correlation) == ("two runs", spread.correlation)
    assert (found.alpha, found.hint) == (0.05, None)
    assert (found.sees, found.rows_needed, found.epochs_needed) == (sight.least(), sight.rows(0.1), sight.epochs(0.1))
    assert None not in (found.sees, found.rows_needed)


def test_more_power_takes_more_rows() -> None:
    cases = answers()
    usual, sure = (row_of(plan(rules(rule_on()), cases, power=power)) for power in (0.8, 0.95))
    assert (usual.rows_needed or 0) < (sure.rows_needed or 0)
    assert (usual.sees or 1) < (sure.sees or 0)


def test_rules_share_alpha_and_one_that_is_not_there_takes_its_share() -> None:
    given = rules(rule_on(), rule_on("hard"), rule_on("hard", metric="pass_rate"))
    found = plan(given, answers())
    assert row_of(found).alpha == 0.025
    assert row_of(found, part="hard").alpha == 0.0125
    assert row_of(found, "pass_rate").alpha == 0.0125  # two rules on the whole suite then
    assert row_of(plan(Thresholds(), answers())).alpha == 0.05


def test_a_suite_has_its_own_alpha_and_two_looks_halve_it() -> None:
    assert row_of(plan(rules(rule_on(), alpha=0.1), answers())).alpha == 0.1
    assert row_of(plan(rules(rule_on(), on_inconclusive="escalate"), answers())).alpha == 0.025


def test_models_are_planned_for_one_by_one() -> None:
    cases = [*answers(), *answers(50, model="n")]
    found = plan(rules(rule_on(model="n")), cases)
    assert [(row.model, row.metric, row.rule, row.n) for row in found.rows] == [
        ("m", "pass_rate", None, 100),
        ("n", "pass_rate", None, 50),
        ("n", "f1", "max_drop=0", 50),
    ]


@pytest.mark.parametrize(
    ("other", "source"),
    [
        ([], "assumed"),
        (answers(seed=2), "two runs"),
        (answers(seed=2, model="another"), "two runs"),
        ([*answers(seed=2, model="another"), *answers(seed=3, model="third")], "assumed"),
        (answers(seed=2, suite="another"), "assumed"),
    ],
)
def test_the_other_run_is_read_as_a_baseline_is(other: Sequence[JudgedCase], source: str) -> None:
    """A model of another name counts where it is the only one."""
    assert row_of(plan(rules(rule_on()), answers(), other)).source == source


def test_epochs_tell_the_spread_and_are_what_the_run_sees_with() -> None:
    one, four = (row_of(plan(rules(rule_on()), answers(epochs=epochs))) for epochs in (1, 4))
    assert (four.source, four.epochs) == ("epochs", 4)
    assert (four.sees or 1) < 0.8 * (one.sees or 0)


def hints(cases: Iterable[JudgedCase], *given: Rule) -> list[str | None]:
    found = plan(rules(*given), list(cases), drop=0.05)
    planned = [row for row in found.rows if row.rule is not None]
    assert all((row.rows_needed, row.epochs_needed) == (None, None) for row in planned)
    return [row.hint for row in planned]


def test_where_there_is_no_number_of_rows_it_says_why() -> None:
    assert hints(answers(), rule_on(bound=0.05)) == ["the rule lets a change of 0.05 pass"]
    assert hints(answers(outcome="missed", scores={"f1": 0.01}), rule_on()) == [
        "the mean cannot get worse by more than 0.01"
    ]
    assert hints(answers(scores={"f1": 7.0}), rule_on()) == [
        "no answer varied, and nothing is known of how much a drop would"
    ]
    assert hints(answers(), rule_on(metric="latency_s", kind="max_rise", bound=1)) == ["it has a unit of its own"]


def test_a_rise_is_what_is_worse_for_some() -> None:
    """An error rate of 0 has room upwards only."""
    given = [rule_on(metric="error_rate", kind="max_rise"), rule_on(metric="pass_rate", kind="max_rise")]
    found = plan(rules(*given), answers(outcome="passed"))
    assert row_of(found, "error_rate").rows_needed is not None
    assert row_of(found, "pass_rate").rows_needed is None


@pytest.mark.parametrize(("rows", "sees"), [(4, False), (5, True)])
def test_graded_rows_need_one_more_than_yes_or_no_before_they_can_fail(rows: int, sees: bool) -> None:
    """Their signs are counted without mid-p, by the gate as well."""
    cases = [replace(case, scores={"f1": 0.8 + case.epoch / 100}) for case in answers(rows, epochs=2)]
    (planned,) = [row for row in plan(rules(rule_on()), cases, drop=0.5).rows if row.metric == "f1"]
    assert (planned.sees is not None) is sees
    fallen = [replace(case, scores={"f1": 0.01}) for case in cases]
    (found,) = apply_gate(rules(rule_on()), fallen, baseline=Baseline(name="main", cases=cases)).verdicts
    assert (found.verdict == "fail") is sees


def test_a_margin_has_a_plan_of_its_own() -> None:
    """What can be judged, and what its own margin takes; alpha is not shared."""
    given = rules(rule_on(), rule_on(kind="noninferior", bound=0.05))
    found = plan(given, answers(epochs=2), drop=0.3)
    (strict,) = [row for row in found.rows if row.rule == "noninferior=0.05"]
    assert strict.alpha == 0.05
    assert (strict.sees or 0) > 0.05
    assert (strict.rows_needed or 0) > 200
    assert strict.epochs_needed is not None
    enough = plan(given, answers(100, epochs=strict.epochs_needed))
    assert [row.sees or 1 for row in enough.rows if row.rule == "noninferior=0.05"][0] < 0.06


def test_rules_that_cannot_fail_come_with_the_rows_they_need() -> None:
    found = plan(rules(rule_on(), rule_on("hard")), answers(12))
    assert [(each.rule.slice, each.there, each.needed) for each in found.unfailing] == [("hard", 4, 5)]


def test_a_slice_or_metric_without_a_value_has_no_row() -> None:
    found = plan(rules(rule_on("easy"), rule_on(metric="exact")), answers())
    assert [(row.metric, row.slice) for row in found.rows] == [("pass_rate", None), ("f1", None)]
    assert plan(rules(rule_on()), []).rows == ()
    errors = answers(outcome="error", error_kind="timeout", scores={}, latency_s=None)
    assert plan(Thresholds(), errors).rows == ()
