"""What the gate says of rules that missing answers leave open."""

from dataclasses import replace

import pytest

from pytest_llmeval.core.rules import Rule
from tests.support.gate_runs import broken, compared, only, rule, run

RESUME, RESCORE = "ask for them again with --resume", "llmeval rescore"


@pytest.mark.parametrize(
    ("kinds", "resume", "rescore"),
    [
        (["code", "scorer"], False, True),
        (["judge", "timeout"], True, False),
        (["code", "timeout"], True, True),
    ],
)
@pytest.mark.parametrize(
    "given", [rule("min", 0.8), rule("min", 0.8, confident=True), rule(), rule("noninferior", 0.1)]
)
def test_an_open_rule_says_what_may_give_its_rows_their_values(
    kinds: list[str], resume: bool, rescore: bool, given: Rule
) -> None:
    """What code broke behind an answer is scored again once it is mended, and asked for again where there is none."""
    before = run([1.0] * 40)
    held = [broken(number, kind, latency_s=1.0) for number, kind in enumerate(kinds * 5)]
    for lost, asks, scores in ((held, resume, rescore), ([replace(c, latency_s=None) for c in held], True, False)):
        reason = only(compared(before, [*lost, *before[10:]], given, max_error_rate=0.9)).reason
        assert reason is not None
        assert (RESUME in reason, RESCORE in reason) == (asks, scores)
