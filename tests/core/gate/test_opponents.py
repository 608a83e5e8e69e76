"""Whom a model is compared with."""

from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.rules import RuleKind
from tests.support.gate_runs import compared, only, rule, rules, run

GOOD: Any = [1.0] * 20
BAD: Any = [0.0] * 20


def test_models_pair_by_name() -> None:
    """Each with its own; the baseline's others are passed over."""
    before = [*run(GOOD, model="a"), *run(BAD, model="b"), *run(BAD, model="c")]
    result = compared(before, [*run(BAD, model="a"), *run(GOOD, model="b")])
    assert [(each.model, each.verdict, each.baseline_value) for each in result.verdicts] == [
        ("a", "fail", 1.0),
        ("b", "pass", 0.0),
    ]


def test_the_only_models_of_both_runs_pair_whatever_their_names() -> None:
    """The model may be what is under test."""
    assert only(compared(run(GOOD, model="old"), run(BAD, model="new"))).verdict == "fail"


@pytest.mark.parametrize("models", [("a", "b"), ("b",)])
def test_a_model_that_could_pair_with_several_pairs_with_none(models: tuple[str, ...]) -> None:
    """The message names those there are and what to write."""
    before = [case for model in ("a", "c") for case in run(GOOD, model=model)]
    after = [case for model in models for case in run(BAD, model=model)]
    verdict = compared(before, after).verdicts[-1]
    assert (verdict.model, verdict.verdict) == ("b", "not_judged")
    assert verdict.reason == ("baseline main has no model 'b' (it has a, c); name one as RUN@MODEL")


def test_several_models_do_not_share_the_one_of_the_baseline_by_chance() -> None:
    """Unless it is named."""
    after = [case for model in ("a", "b") for case in run(GOOD, model=model)]
    a, b = compared(run(BAD, model="a"), after).verdicts
    assert (a.verdict, b.verdict) == ("pass", "not_judged")
    a, b = compared(run(GOOD, model="z"), after, baseline={"model": "z"}).verdicts
    assert (a.verdict, b.verdict) == ("pass", "pass")


def test_a_named_model_is_the_only_one_that_counts() -> None:
    """Also beside one of the same name."""
    before = [*run(GOOD, model="a"), *run(BAD, model="b")]
    assert only(compared(before, run(BAD, model="b"), baseline={"model": "a"})).verdict == "fail"
    verdict = only(compared(before, run(BAD, model="b"), baseline={"model": "c"}))
    assert (verdict.verdict, verdict.reason) == ("not_judged", "baseline main has no case of suite 'qa' on c")


def test_a_suite_that_the_baseline_never_ran_is_not_judged() -> None:
    """Cases of other suites are passed over."""
    verdict = only(compared(run(GOOD, suite="other"), run(GOOD)))
    assert (verdict.verdict, verdict.reason) == ("not_judged", "baseline main has no case of suite 'qa'")


@pytest.mark.parametrize("kind", ["max_drop", "max_rise", "noninferior"])
def test_without_a_baseline_rules_on_a_change_say_why(kind: RuleKind) -> None:
    """In the words of the caller; other rules are judged."""
    result = apply_gate(rules(rule(kind), rule("min", 0.5)), run(GOOD), no_baseline="baseline main is not set yet")
    assert [(each.verdict, each.reason) for each in result.verdicts] == [
        ("not_judged", "baseline main is not set yet"),
        ("pass", None),
    ]
    assert result.verdict == "pass"
