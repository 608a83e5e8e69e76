"""Rules that can never fail, told with the rows that they need: held against the gate itself."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.gate.power import family, hopeless, unfailing
from pytest_llmeval.core.gate.sizes import MANY_ROWS, MOST_ROWS, SizeCount, SuiteSize
from pytest_llmeval.core.rules import Rule, Thresholds
from tests.support.gate_runs import rule_on, rules


def drop(part: str | None = None, **fields: Any) -> Rule:
    """Return a rule on a drop of score ``f1`` in a suite or a slice of it."""
    return rule_on(part, **{"line": 7, **fields})


def size(rows: Mapping[str | None, int], *, models: int = 1, **fields: Any) -> dict[str, SuiteSize]:
    return {"qa": SuiteSize(models=tuple(f"m{number}" for number in range(models)), rows=rows, **fields)}


def test_a_suite_with_too_few_rows_is_told_with_the_rows_it_needs() -> None:
    """One rule at 5 %: (1/2)^4 is not below it, (1/2)^5 is."""
    assert hopeless(rules(drop()), size({None: 3})) == [
        "thresholds.yaml:7: suites.qa.f1.max_drop: cannot fail by itself with 3 rows; 4 are needed (its share is alpha"
        " 0.05)"
    ]
    assert hopeless(rules(drop()), size({None: 4})) == []


def test_thirteen_rules_share_alpha() -> None:
    """A slice of 20 rows among 12 needs 8 one-way flips; beside a suite rule each half has its own alpha."""
    parts = [f"s{number}" for number in range(12)]
    thresholds = rules(drop(), *map(drop, parts))
    assert hopeless(thresholds, size({None: 240, **dict.fromkeys(parts, 8)})) == []
    (message,) = hopeless(thresholds, size({None: 240, **dict.fromkeys(parts, 8), "s3": 7}))
    assert message == (
        "thresholds.yaml:7: suites.qa.slices.s3.f1.max_drop: cannot fail by itself with 7 rows; 8 are needed"
        " (12 slice rules share half of alpha 0.05)"
    )


def test_rules_over_too_few_groups_leave_the_others_their_share() -> None:
    """What such a rule needs is counted as if all had enough."""
    thresholds = rules(drop(), drop("few"), drop("fewer"))
    rows: dict[str | None, int] = {None: 4, "few": 20, "fewer": 20}
    there = size(rows, groups={"few": 4, "fewer": 1})
    assert hopeless(thresholds, there) == [
        "thresholds.yaml:7: suites.qa.slices: f1.max_drop cannot fail by itself in 2 slices of 1 to 4 groups of"
        " dependent rows; 7 are needed (2 slice rules share half of alpha 0.05): few, fewer"
    ]
    assert [each.share.alpha for each in family(thresholds, there)] == [0.05, 0.025, 0.025]


def test_slices_with_the_same_need_share_a_message() -> None:
    parts = [f"s{number}" for number in range(12)]
    thresholds = rules(drop(), *map(drop, parts), drop("s1", metric="exact", line=9), drop("s2", metric="exact"))
    assert hopeless(thresholds, size({None: 240, **dict.fromkeys(parts, 5), "s3": 9, "s4": 1})) == [
        "thresholds.yaml:7: suites.qa.slices: f1.max_drop cannot fail by itself in 11 slices of 1 to 5 rows; 9 are"
        " needed (14 slice rules share half of alpha 0.05): s0, s1, s2 and 8 more",
        "thresholds.yaml:9: suites.qa.slices: exact.max_drop cannot fail by itself in 2 slices of 5 rows; 9 are needed"
        " (14 slice rules share half of alpha 0.05): s1, s2",
    ]


def test_each_model_is_a_rule_of_its_own_and_the_message_comes_once() -> None:
    (message,) = hopeless(rules(drop()), size({None: 4}, models=2))
    assert message.endswith("4 rows; 5 are needed (2 rules share alpha 0.05)")
    assert hopeless(rules(drop(model="m1")), size({None: 4}, models=2)) == []


def test_two_looks_halve_alpha() -> None:
    (message,) = hopeless(rules(drop(), on_inconclusive="escalate"), size({None: 4}))
    assert message.endswith("4 rows; 5 are needed (its share is alpha 0.025)")


@pytest.mark.parametrize(
    ("groups", "alpha", "needed"),
    [(4, 0.05, 5), (1, 0.5, 5), (5, 0.05, None), (6, 0.01, 7), (9, 0.0001, 10), (10, 0.0001, None)],
)
def test_groups_of_dependent_rows_count_in_place_of_rows(groups: int, alpha: float, needed: int | None) -> None:
    """Below 5 nothing can fail, 5 to 9 are as so many rows, from 10 on the test has no least p-value."""
    found = hopeless(rules(drop(), alpha=alpha), size({None: 100}, groups={None: groups}))
    if needed is None:
        assert found == []
    else:
        word = "group" if groups == 1 else "groups"
        assert f"{groups} {word} of dependent rows; {needed} are needed" in found[0]


def test_rules_without_a_case_take_no_part() -> None:
    """Their suite or slice was not selected, so that they are not judged."""
    thresholds = rules(drop(), drop("gone"))
    assert hopeless(thresholds, size({None: 4})) == []
    assert hopeless(thresholds, {}) == []


def test_other_rules_are_left_alone() -> None:
    """A bar has no p-value; one that is to be missed with confidence is no matter of flips."""
    others = [drop(kind="min"), drop(kind="noninferior"), drop(kind="min", confident=True)]
    assert hopeless(rules(*others), size({None: 1})) == []


def test_a_share_too_small_for_counted_rows_is_not_held_against_them() -> None:
    """Rows are counted up to a number; beyond it there may be any."""
    assert hopeless(rules(drop(), alpha=1e-80), size({None: MOST_ROWS})) == []


def sizes_of(thresholds: Thresholds, cases: Iterable[JudgedCase]) -> dict[str, SuiteSize]:
    """Return what a session counts of these cases."""
    count = SizeCount.of(thresholds)
    for case in cases:
        count.add(case.suite, case.model, case.sample_id, case.slices, case.cluster, epoch=case.epoch)
    return count.sizes()


def pair(n: int, parts: Mapping[str, int], clusters: int | None) -> Iterator[tuple[JudgedCase, JudgedCase]]:
    """Yield the worst that can happen: every row right before and wrong now."""
    for number in range(n):
        slices = tuple(part for part, count in parts.items() if number < count)
        cluster = None if clusters is None else f"c{number % clusters}"
        made: dict[str, Any] = {"suite": "qa", "model": "m", "sample_id": f"s{number}", "slices": slices}
        made |= {"cluster": cluster, "outcome": "passed", "input_digest": "same"}
        yield JudgedCase(**made, scores={"f1": 0.0}), JudgedCase(**made, scores={"f1": 1.0})


@pytest.mark.parametrize("clusters", [None, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("rest", [3, 5, 6, 7, 9])
def test_what_is_told_is_what_the_gate_does(rest: int, clusters: int | None) -> None:
    """With every row getting worse each rule fails that is not told; one that is told needs the failures of others."""
    parts = {"a": 6, "b": 7, "c": 20, "d": rest}
    thresholds = rules(drop(), *map(drop, parts))
    current, before = zip(*pair(24, parts, clusters), strict=True)
    told = {each.rule.slice for each in unfailing(thresholds, sizes_of(thresholds, current))}
    for verdict in apply_gate(thresholds, current, baseline=Baseline(name="b", cases=before)).verdicts:
        assert verdict.verdict == "fail" or verdict.slice in told


@pytest.mark.parametrize("clusters", [None, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("n", range(2, 10))
def test_what_is_told_of_one_rule_is_just_what_the_gate_does(n: int, clusters: int | None) -> None:
    thresholds = rules(drop())
    current, before = zip(*pair(n, {}, clusters), strict=True)
    (verdict,) = apply_gate(thresholds, current, baseline=Baseline(name="b", cases=before)).verdicts
    assert (verdict.verdict == "fail") is not bool(hopeless(thresholds, sizes_of(thresholds, current)))


def test_rows_are_counted_once_whatever_their_models_and_epochs() -> None:
    """And a row without a cluster is a group of its own among clustered ones."""
    cases = [
        JudgedCase(
            suite="qa",
            model=model,
            sample_id=f"s{number}",
            epoch=epoch,
            slices=("odd",) if number % 2 else (),
            cluster="c" if number < 3 else None,
            outcome="passed",
        )
        for model in ("b", "a")
        for epoch in (1, 2)
        for number in range(6)
    ]
    assert sizes_of(rules(drop()), cases) == {
        "qa": SuiteSize(models=("a", "b"), rows={None: 6, "odd": 3}, groups={None: 4, "odd": 3}, epochs=2)
    }
    assert sizes_of(rules(drop(kind="min")), cases) == {}


@pytest.mark.parametrize(("kind", "counted"), [("max_drop", MOST_ROWS), ("noninferior", MOST_ROWS + 1)])
def test_rows_are_counted_as_far_as_they_matter(kind: Any, counted: int) -> None:
    """A margin may take any number of rows, flips only so many."""
    assert MANY_ROWS > MOST_ROWS
    count = SizeCount.of(rules(drop(kind=kind, bound=0.05)))
    for number in range(MOST_ROWS + 1):
        count.add("qa", "m", f"s{number}", (), None)
    assert count.sizes()["qa"].rows == {None: counted}
