"""Outcomes that hang on a score which one of two runs alone has."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from tests.support.gate_runs import case, compared, only, reason, rule, run

PASSES = rule(metric="pass_rate")


def scored_by(names: str, outcomes: str, **fields: Any) -> list[JudgedCase]:
    """Return a case for each group of outcomes, ``+`` or ``-`` for each score or a blank where it has none."""
    cases = []
    for number, marks in enumerate(outcomes.split("|")):
        passed = {name: mark == "+" for name, mark in zip(names, marks, strict=True) if mark != " "}
        missed = any(not each for each in passed.values())
        own = {"scores": dict.fromkeys(passed, 1.0), "passed": passed, "outcome": "missed" if missed else "passed"}
        cases.append(case(number, None, **{**own, **fields}))
    return cases


def test_the_outcome_is_made_by_every_scorer_that_both_runs_have() -> None:
    """One that they have in common may be another today."""
    before = run([1.0] * 10, digests={"f1": "a", "old": "b"})
    assert only(compared(before, run([1.0] * 10, digests={"f1": "a", "new": "c"}), PASSES)).verdict == "pass"
    assert only(compared(before, run([1.0] * 10, digests={"f1": "z", "old": "b"}), PASSES)).verdict == "unmeasurable"


def test_an_outcome_that_a_score_makes_which_the_baseline_lacks_is_no_comparison() -> None:
    """It missed three rows of ten, one of which another score missed, too; where it is gone, it may hide a loss."""
    before, after = scored_by("a", "|".join("+" * 10)), scored_by("ab", "|".join(["+-"] * 2 + ["--"] + ["++"] * 7))
    assert reason(before, after, PASSES) == (
        "another scorer than the baseline's made it in 2 of 10 rows (one of both runs alone has the score 'b'); set a"
        " new baseline, or allow it with allow_change: [scorer]"
    )
    assert only(compared(before, after, PASSES, allow_change=("scorer",))).verdict != "unmeasurable"
    assert only(compared(before, after, PASSES, allow_change=("judge",))).verdict == "unmeasurable"
    assert reason(after, before, PASSES).startswith("another scorer than the baseline's made it in 10 of 10 rows (")


def test_a_new_score_that_misses_nothing_leaves_the_outcomes_as_they_were() -> None:
    """Nor does one that demands nothing, or one that is gone where the row is missed without it."""
    before, wrong = scored_by("a", "|".join("+" * 10)), scored_by("a", "|".join("-" * 10))
    assert only(compared(before, scored_by("ab", "|".join(["++"] * 10)), PASSES)).verdict == "pass"
    shown = [replace(each, scores={**each.scores, "words": 7.0}) for each in before]
    assert only(compared(before, shown, PASSES)).verdict == "pass"
    assert only(compared(shown, before, PASSES)).verdict == "pass"
    assert only(compared(scored_by("ab", "|".join(["++"] * 10)), wrong, PASSES)).verdict == "fail"
    by_assert = run([1.0] * 10, scores={}, outcome="missed")
    assert only(compared(scored_by("ab", "|".join(["++"] * 10)), by_assert, PASSES)).verdict == "fail"


def test_a_score_that_rows_come_to_by_what_was_said_is_one_of_both_runs() -> None:
    """Some row has it in each of them, perhaps without a value; which ones is what the model said."""
    before, after = scored_by("ab", "|".join(["++"] + ["+ "] * 9)), scored_by("ab", "|".join(["+ "] * 9 + ["+-"]))
    assert only(compared(before, after, PASSES)).verdict == "pass"


@pytest.mark.parametrize(
    ("having", "verdicts"), [(1, ["pass", "pass"]), (89, ["fail", "pass"]), (90, ["unmeasurable", "unmeasurable"])]
)
def test_a_score_that_rows_of_one_run_alone_come_to_by_chance_is_compared(having: int, verdicts: list[str]) -> None:
    """It was neither written nor taken out where a tenth of the rows lacks it, be the change for better or worse."""
    without, having_it = scored_by("a", "|".join("+" * 100)), ["+-"] * having + ["+ "] * (100 - having)
    after = scored_by("ab", "|".join(having_it))
    assert [only(compared(*runs, PASSES)).verdict for runs in ((without, after), (after, without))] == verdicts
    few = [case for case in without if case.sample_id in ("s0", "s1", "s99")]
    regression = only(compared(after, few, PASSES, baseline={"deselected": {"qa": 97}}))
    assert regression.verdict == verdicts[1]


def test_a_new_score_is_in_all_rows_that_finished() -> None:
    """What was skipped or broke on the way says nothing of that; of both runs these are few enough to be compared."""
    before = scored_by("a", "|".join("+" * 20))
    after = scored_by("ab", "|".join(["+-"] * 18))
    skipped = [case(f"n{number}", None, outcome="skipped") for number in range(20)]
    errors = [case(f"e{number}", None, outcome="error", error_kind="connection") for number in range(20)]
    assert reason(before, [*after, *skipped, *errors], PASSES, max_error_rate=1.0).startswith("another scorer than")


def test_a_judge_that_is_new_or_gone_is_another_one() -> None:
    """A run without one has its scores, too, without a value; with one the rows are held to more."""
    names: dict[str, Any] = {"digests": {"a": "x", "b": None}}
    judged = scored_by("ab", "|".join(["++"] * 19 + ["+-"]), judge_ids={"a": None, "b": "gpt-a"}, **names)
    unjudged = [
        replace(
            each,
            scores={"a": 1.0, "b": None},
            passed={"a": True, "b": None},
            statuses={"a": "scored", "b": "none"},
            judge_ids={"a": None, "b": None},
        )
        for each in scored_by("a", "|".join("+" * 20), **names)
    ]
    for runs in ((unjudged, judged), (judged, unjudged)):
        told = reason(*runs, PASSES)
        assert told.startswith("another judge than the baseline's made it in 20 of 20 rows; set a new baseline, or")
        assert told.endswith("allow it with allow_change: [judge]")
        assert only(compared(*runs, PASSES, allow_change=("scorer",))).verdict == "unmeasurable"
        assert only(compared(*runs, PASSES, allow_change=("judge",))).verdict == "pass"
        assert only(compared(*runs, rule(metric="a"))).verdict == "pass"


def test_a_score_of_one_run_alone_is_named_only_where_it_made_the_rows() -> None:
    """Not where another scorer of what both have did, and of how many rows where that made others."""
    before = scored_by("a", "|".join("+" * 10), digests={"a": "x"}, slices=("odd",))
    changed = scored_by("ab", "|".join(["++"] * 10), digests={"a": "z", "b": "y"}, slices=("even",))
    assert reason(before, changed, PASSES).startswith(
        "another scorer than the baseline's made it in 10 of 10 rows; set"
    )
    both = [replace(each, digests={"a": "x" if number < 2 else "z"}) for number, each in enumerate(changed)]
    after = [*scored_by("ab", "+-|++", digests={"a": "x"}, slices=("odd",)), *both[2:]]
    assert reason(before, after, PASSES).startswith(
        "another scorer than the baseline's made it in 9 of 10 rows (1 of them as one of both runs alone has the score"
        " 'b'); set a new baseline"
    )
    odd, even = (reason(before, after, replace(PASSES, slice=name)) for name in ("odd", "even"))
    assert even.startswith("another scorer than the baseline's made it in 8 of 8 rows; set a new baseline")
    assert odd.startswith("another scorer than the baseline's made it in 1 of 2 rows (one of both runs alone has")


def test_many_scores_of_one_run_alone_are_cut_short() -> None:
    before, after = scored_by("a", "|".join("+" * 4)), scored_by("abcdef", "|".join(["+-----"] * 4))
    assert "(one of both runs alone has the scores 'b', 'c', 'd' and 2 more)" in reason(before, after, PASSES)
