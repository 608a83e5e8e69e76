"""False alarms of rules, by judging pairs with mixed labels: against what enumeration says the gate must come to."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from scipy.stats import binom  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.planning.selftest import RuleTally, SelfTest, pairs_within, replay
from pytest_llmeval.core.planning.twins import twins
from pytest_llmeval.core.rules import GateSettings, SuiteRules, Thresholds
from pytest_llmeval.core.stats.paired import mcnemar
from tests.support.gate_runs import rule, rule_on, rules


def run(values: Sequence[float], **fields: Any) -> list[JudgedCase]:
    """Return a row for each value of ``f1``; the first four are ``easy``."""
    made: dict[str, Any] = {"suite": "qa", "model": "m", "outcome": "passed", "input_digest": "d"}
    return [
        JudgedCase(
            **{
                **made,
                "sample_id": f"s{number}",
                "scores": {"f1": value},
                "slices": ("easy",) if number < 4 else (),
                **fields,
            }
        )
        for number, value in enumerate(values)
    ]


def mixed(
    thresholds: Thresholds, before: list[JudgedCase], current: list[JudgedCase], *, pairs: int = 1_000, seed: int = 0
) -> SelfTest:
    return replay(thresholds, twins(thresholds, before, current), pairs=pairs, seed=seed)


def differing(flips: int, rows: int = 25) -> tuple[list[float], list[float]]:
    """Return two runs that differ in so many rows; which way round does not matter."""
    return [1.0] * rows, [0.0] * flips + [1.0] * (rows - flips)


def chance_of(flips: int) -> float:
    """Return how often McNemar's mid-p of so many flips, each either way, is below 0.05."""
    return float(sum(binom.pmf(down, flips, 0.5) for down in range(flips + 1) if mcnemar(down, flips - down) < 0.05))


@pytest.mark.parametrize("flips", [3, 4, 7, 12, 25])
def test_the_rate_is_that_of_all_ways_to_swap(flips: int) -> None:
    before, current = differing(flips)
    found = mixed(rules(rule_on()), run(before), run(current), pairs=2_000)
    truth = chance_of(flips)
    assert abs(found.rate - truth) <= 3 * math.sqrt(truth * (1 - truth) / 2_000)
    (tally,) = found.rules
    assert (tally.n, tally.differing, tally.pairs, tally.fails) == (25, flips, 2_000, found.alarms)
    assert (found.pairs, found.rows, found.units, found.alpha) == (2_000, 25, 25, 0.05)
    assert found.interval.low <= found.rate <= found.interval.high
    assert tally.interval == found.interval


def test_a_rate_above_alpha_is_told_from_chance() -> None:
    """Seven flips come to 8/128, of which enough pairs make sure; six to 1/64."""
    (before, seven), (_, six) = differing(7), differing(6)
    assert mixed(rules(rule_on()), run(before), run(seven), pairs=3_000).is_above
    assert not mixed(rules(rule_on()), run(before), run(seven), pairs=100).is_above
    assert not mixed(rules(rule_on()), run(before), run(six), pairs=1_000).is_above


def test_the_same_seed_gives_the_same_answer() -> None:
    before, current = differing(12)
    first, again, another = (
        mixed(rules(rule_on()), run(before), run(current), pairs=200, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != another


def test_it_does_not_matter_which_run_is_the_baseline() -> None:
    before, current = differing(12)
    there, back = (
        mixed(rules(rule_on()), *sides) for sides in ((run(before), run(current)), (run(current), run(before)))
    )
    assert abs(there.rate - back.rate) < 0.03


def test_a_session_fails_where_any_rule_on_a_change_does() -> None:
    """And its rate is no sum: the same rows fail both rules."""
    before, current = differing(12)
    given = rules(rule_on(), rule_on(metric="pass_rate"))
    found = mixed(given, run(before), run(current, outcome="missed"))
    assert [(each.metric, each.differing) for each in found.rules] == [("f1", 12), ("pass_rate", 25)]
    assert max(each.fails for each in found.rules) <= found.alarms <= sum(each.fails for each in found.rules)
    assert found.alarms / found.pairs <= 0.05


def clustered(values: Sequence[float], size: int) -> list[JudgedCase]:
    return [
        case
        for start in range(0, len(values), size)
        for case in run([0] * start + list(values[start : start + size]), cluster=f"c{start}")[start:]
    ]


def test_whole_clusters_are_swapped() -> None:
    """Rows that all got worse are still one change for each cluster: 2 of 2^8 ways to swap leave all on one side."""
    before, current = clustered([1.0] * 40, 5), clustered([0.0] * 40, 5)
    found = mixed(rules(rule_on()), before, current)
    assert (found.rows, found.units) == (40, 8)
    assert 0.01 <= found.rate <= 0.07
    alone = mixed(rules(rule_on()), run([1.0] * 40), run([0.0] * 40))
    assert alone.units == 40


def tally_of(found: SelfTest, kind: str) -> RuleTally:
    (tally,) = [each for each in found.rules if each.rule.startswith(kind)]
    return tally


def test_other_rules_are_counted_apart() -> None:
    """A bar between the two runs fails half of their mixes, a margin most; neither is a false alarm."""
    before, current = differing(12, 60)
    given = rules(
        rule_on(),
        rule_on(kind="min", bound=0.9),
        rule_on(kind="noninferior", bound=0.01),
        rule_on("easy", kind="every", bound=None),
    )
    found = mixed(given, run(before), run(current))
    assert [(each.rule, each.is_change) for each in found.rules] == [
        ("max_drop=0", True),
        ("min=0.9", False),
        ("noninferior=0.01", False),
        ("every", False),
    ]
    assert 0.3 <= tally_of(found, "min").fails / found.pairs <= 0.7
    assert tally_of(found, "noninferior").fails / found.pairs > 0.8
    assert tally_of(found, "every").fails / found.pairs == pytest.approx(15 / 16, abs=0.03)
    assert found.alarms == tally_of(found, "max_drop").fails
    assert found.rate == pytest.approx(chance_of(12), abs=0.025)


def test_a_bar_to_be_missed_with_confidence_takes_its_share_of_alpha_and_is_no_false_alarm() -> None:
    before, current = differing(7)
    alone = mixed(rules(rule_on()), run(before), run(current))
    beside = mixed(rules(rule_on(), rule_on(kind="min", bound=0.5, confident=True)), run(before), run(current))
    assert alone.alarms > 0
    assert beside.alarms == tally_of(beside, "max_drop").fails < alone.alarms


def test_what_is_neither_passed_nor_failed_is_counted() -> None:
    before, current = differing(5)
    found = mixed(rules(rule_on()), run(before), run(current), pairs=100)
    (tally,) = found.rules
    assert found.unsure == tally.verdicts["inconclusive"] > 0
    assert sum(tally.verdicts.values()) == found.pairs


def test_what_cannot_be_compared_is_told_with_its_reason() -> None:
    before, current = (run(side, digests={"f1": name}) for side, name in zip(differing(9), "ab", strict=True))
    found = mixed(rules(rule_on()), before, current, pairs=20)
    (tally,) = found.rules
    assert (tally.verdicts, found.alarms, found.unsure) == ({"unmeasurable": 20}, 0, 20)
    assert tally.reason is not None
    assert tally.reason.startswith("another scorer")


def test_rules_that_are_not_judged_have_no_place() -> None:
    before, current = differing(9)
    found = mixed(rules(rule_on("hard"), rule_on(model="n")), run(before), run(current), pairs=5)
    assert found.rules == ()


def test_alpha_is_the_greatest_of_the_suites_that_were_judged_and_of_one_look() -> None:
    before, current = differing(9)
    found = mixed(rules(rule_on(), alpha=0.1, on_inconclusive="escalate"), run(before), run(current), pairs=5)
    assert found.alpha == 0.05
    two = {**rules(rule_on(), alpha=0.01).suites, "other": SuiteRules(name="other", rules=(rule_on(suite="other"),))}
    assert mixed(Thresholds(suites=two), run(before), run(current), pairs=5).alpha == 0.01


def test_progress_is_told_after_each_pair() -> None:
    told: list[int] = []
    before, current = differing(9)
    replay(rules(rule_on()), twins(rules(rule_on()), run(before), run(current)), pairs=4, on_pair=told.append)
    assert told == [1, 2, 3, 4]


@pytest.mark.parametrize(("cases", "pairs"), [(0, 1_000), (200, 1_000), (20_000, 200), (200_000, 20), (10**7, 20)])
def test_the_work_is_bounded(cases: int, pairs: int) -> None:
    assert pairs_within(cases) == pairs


@pytest.mark.parametrize("part", [None, "easy"])
def test_rows_of_a_slice_are_counted_in_it(part: str | None) -> None:
    before, current = differing(6)
    (tally,) = mixed(rules(rule_on(part)), run(before), run(current), pairs=3).rules
    assert (tally.slice, tally.n, tally.differing) == ((None, 25, 6) if part is None else ("easy", 4, 4))


def test_a_suite_that_escalates_halves_the_alpha_of_all_that_are_there() -> None:
    """As in the gate: its own rule is a bar, so that it has no change to raise an alarm about."""
    escalates = GateSettings(on_inconclusive="escalate")
    bar = rule("min", 0.5, suite="b", confident=True)
    suites = {"qa": rules(rule_on()).suites["qa"], "b": SuiteRules(name="b", rules=(bar,), settings=escalates)}
    before, current = ([*run(values), *run(values, suite="b")] for values in differing(8))
    found = mixed(Thresholds(suites=suites), before, current, pairs=20)
    assert found.alpha == 0.025
