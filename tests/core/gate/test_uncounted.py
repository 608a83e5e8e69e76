"""Rules on tokens and cost over answers whose tokens the server did not tell."""

from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from tests.support.gate_runs import case, compared, only, rule, rules

TELL = " came without token counts: have the server send its usage, or take the rule away"


def answers(bare: int, counted: int, **fields: Any) -> list[JudgedCase]:
    """Return answers of which the first ones carry no token counts."""
    told = {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.1}
    return [
        case(number, latency_s=1.0, **{**dict.fromkeys(told), **(told if number >= bare else {}), **fields})
        for number in range(bare + counted)
    ]


@pytest.mark.parametrize("metric", ["input_tokens", "output_tokens", "cost_usd"])
@pytest.mark.parametrize(("bare", "told"), [(3, "3 of 3 answers"), (1, "1 of 3 answers")])
def test_a_rule_that_answers_without_token_counts_leave_open_says_so(metric: str, bare: int, told: str) -> None:
    """All of them, or some."""
    for bound in (rule("max", 20.0, metric=metric), rule("max_total", 1000.0, metric=metric)):
        found = only(apply_gate(rules(bound), answers(bare, 3 - bare)))
        assert found.verdict == ("unmeasurable" if bare == 3 else "inconclusive")
        assert found.reason is not None and found.reason.endswith(f"; {told}{TELL}")


def test_a_rule_on_a_change_says_so_too() -> None:
    """Beside the rows that it is left open by."""
    counted = answers(0, 20)
    found = only(compared(counted, answers(1, 19), rule("max_rise", 1.0, metric="output_tokens")))
    assert found.reason is not None and f"1 of 20 answers{TELL}" in found.reason
    assert "--resume" not in found.reason


def test_only_answers_of_the_slice_count() -> None:
    """Skipped cases are none, and what was never asked is not either."""
    cases = [
        *answers(1, 1, slices=("hard",)),
        case("easy", latency_s=1.0, slices=("easy",)),
        case("skipped", outcome="skipped", slices=("hard",)),
    ]
    found = only(apply_gate(rules(rule("max", 20.0, metric="output_tokens", slice="hard")), cases))
    assert found.reason is not None and found.reason.endswith(f"; 1 of 2 answers{TELL}")


def test_what_is_decided_without_them_or_about_something_else_says_nothing_of_it() -> None:
    """What is too dear already, the seconds, a cost whose price is not known."""
    dear = only(apply_gate(rules(rule("max_total", 0.01, metric="cost_usd")), answers(1, 2)))
    seconds = only(apply_gate(rules(rule("max", 2.0, metric="latency_s")), answers(3, 0)))
    unpriced = answers(0, 3, cost_usd=None)
    priceless = only(apply_gate(rules(rule("max", 2.0, metric="cost_usd")), unpriced))
    assert [each.verdict for each in (dear, seconds, priceless)] == ["fail", "pass", "unmeasurable"]
    assert not any("token counts" in (each.reason or "") for each in (dear, seconds, priceless))
