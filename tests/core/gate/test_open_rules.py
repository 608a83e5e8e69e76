"""What the gate says of rules that missing answers leave open."""

from dataclasses import replace

import pytest

from pytest_llmeval.core.rules import Rule
from tests.support.gate_runs import broken, case, compared, flips, only, rule, run, verdict_of

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
    """What code broke behind an answer is scored again once it is fixed, and asked for again where there is none."""
    before = run([1.0] * 40)
    held = [broken(number, kind, latency_s=1.0) for number, kind in enumerate(kinds * 5)]
    for lost, asks, scores in ((held, resume, rescore), ([replace(c, latency_s=None) for c in held], True, False)):
        reason = only(compared(before, [*lost, *before[10:]], given, max_error_rate=0.9)).reason
        assert reason is not None
        assert (RESUME in reason, RESCORE in reason) == (asks, scores)


@pytest.mark.parametrize(("rows", "flipped", "margin"), [(14, 0, 0.2), (12, 1, 0.25)])
def test_a_rule_on_which_all_values_of_a_missing_row_agree_is_not_open(rows: int, flipped: int, margin: float) -> None:
    """That the bound of the others alone, of which there are one less, is above the margin is no value of it."""
    before, after = flips(rows, flipped, flipped)
    was, now, given = run([*before, 0.0]), run(after), rule("noninferior", margin)
    told = [only(compared(was, [*now, case(rows, value)], given)).verdict for value in (0.0, 1.0)]
    found = only(compared(was, [*now, broken(rows, "timeout")], given, max_error_rate=0.9))
    assert (told, found.verdict, found.is_open) == (["pass", "pass"], "pass", False)
    assert verdict_of(before, after, given).verdict == "fail"


def test_rows_beyond_those_named_are_counted_in_thousands() -> None:
    lost = [broken(number, "code") for number in range(1105)]
    reason = only(compared(run([1.0] * 1200), [*lost, *run([1.0] * 1200)[1105:]], rule(), max_error_rate=1.0)).reason
    assert reason is not None
    assert " and 1,100 more; " in reason


@pytest.mark.parametrize("missed", [(), (0,), (1,), (0, 1)])
def test_a_lower_end_is_open_where_missing_rows_may_tell_groups_apart(missed: tuple[int, ...]) -> None:
    """With both right, or both wrong, it is met; one wrong in the group that has missed before widens the interval."""
    lost = (2, 7)
    values = [0.0 if number == 4 or number in [lost[place] for place in missed] else 1.0 for number in range(30)]
    rows = [case(number, value, cluster=f"{number // 5}") for number, value in enumerate(values)]
    held = [broken(c.sample_id[1:], "timeout", cluster=c.cluster) if n in lost else c for n, c in enumerate(rows)]
    told = [only(compared([], cases, rule("min_lower", 0.6), max_error_rate=0.1)) for cases in (rows, held)]
    assert told[0].verdict == ("fail" if missed == (0,) else "pass")
    assert (told[1].verdict, told[1].is_open) == ("inconclusive", True)


@pytest.mark.parametrize("wrong", [(), (0,), (1,), (0, 1)])
def test_many_missing_rows_are_told_apart_by_their_groups_in_whatever_order_they_come(wrong: tuple[int, ...]) -> None:
    """Eight of them, four in each of two groups. The lower end is below its bar where the weaker group's are wrong."""
    groups = [number % 6 for number in range(180)]
    missed = [48, 72, 108, 132, 168]  # of the first group
    values = [0.0 if number in missed or (number < 24 and groups[number] in wrong) else 1.0 for number in range(180)]
    rows = [case(number, values[number], cluster=f"{group}") for number, group in enumerate(groups)]
    lost = [
        broken(f"{number}", "timeout", cluster=f"{group}") if number < 24 and group < 2 else rows[number]
        for number, group in enumerate(groups)
    ]
    whole, held = (only(compared([], cases, rule("min_lower", 0.69), max_error_rate=0.1)) for cases in (rows, lost))
    assert whole.verdict == ("fail" if wrong == (0,) else "pass")
    assert (held.verdict, held.is_open) == ("inconclusive", True)


def test_what_has_no_bound_on_a_side_is_told_of_without_one() -> None:
    """A missing latency may be of any length, so 'between 1 and inf' says no more than 'at least 1'."""
    rows = [case(number, latency_s=1.0) for number in range(10)]
    lost = [broken(number, "timeout") for number in range(10, 16)]
    slow = replace(rule("max_p95", 5.0), metric="latency_s")
    reason = only(compared(run([]), [*rows, *lost], slow, max_error_rate=0.9)).reason
    assert str(reason).startswith("6 cases without a value leave it open, at least 1: s10, s11,")
