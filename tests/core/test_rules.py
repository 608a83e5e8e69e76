"""Rules: when a suite has rules, and how a rule is written in a verdict."""

from typing import get_args

import pytest

from pytest_llmeval.core.rules import Rule, RuleKind, SuiteRules, Thresholds, kind_of


def suite(*metrics: str, part: str | None = None) -> SuiteRules:
    """Return a suite with a rule on each metric."""
    rules = tuple(Rule(suite="qa", metric=metric, kind="max", bound=1.0, slice=part) for metric in metrics)
    return SuiteRules(name="qa", rules=rules)


@pytest.mark.parametrize(
    ("metrics", "has"),
    [
        ((), False),
        (("latency_s", "cost_usd", "input_tokens", "output_tokens", "error_rate"), False),
        (("latency_s", "pass_rate"), True),
        (("token_f1",), True),
    ],
)
def test_a_suite_has_rules_where_one_is_on_a_score_or_pass_rate(metrics: tuple[str, ...], has: bool) -> None:
    """Speed and price alone leave a miss a failure."""
    assert suite(*metrics).decides() is has
    assert suite(*metrics, part="hard").decides() is has
    assert Thresholds(suites={"qa": suite(*metrics)}).has_rules("qa") is has


def test_a_suite_that_is_not_named_has_no_rules() -> None:
    """The gate knows nothing of it."""
    assert not Thresholds(suites={"qa": suite("token_f1")}).has_rules("other")


@pytest.mark.parametrize(
    ("kind", "bound", "k", "text"),
    [
        ("min", 0.8, None, "min=0.8"),
        ("max_p95", 5.0, None, "max_p95=5"),
        ("every", None, None, "every"),
        ("pass_at", 0.9, 3, "pass_at(3)=0.9"),
        ("noninferior", 1 / 3, None, "noninferior=0.333333333333"),
    ],
)
def test_a_rule_is_written_in_a_few_words(kind: RuleKind, bound: float | None, k: int | None, text: str) -> None:
    """As it stands in the table of verdicts."""
    assert Rule(suite="qa", metric="m", kind=kind, bound=bound, k=k).text == text


@pytest.mark.parametrize("kind", get_args(RuleKind))
@pytest.mark.parametrize("bound", [None, 0.5, 1e-9])
def test_the_kind_of_a_rule_is_read_from_its_text(kind: RuleKind, bound: float | None) -> None:
    rule = Rule(suite="qa", metric="m", kind=kind, bound=bound, k=3 if kind == "pass_at" else None)
    assert kind_of(rule.text) == kind
