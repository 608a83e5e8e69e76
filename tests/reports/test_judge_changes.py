"""How the changes of a judge are worded, and which of them are told."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.judge.rubric import Dimension, Rubric
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import JudgeRecord
from pytest_llmeval.reports.judge_changes import judge_changes
from tests.core.judge.rubrics import RUBRIC
from tests.reports.sides import judged

CORRECT, FORMAT = RUBRIC.dimensions


def judge(id: str, rubric: Rubric = RUBRIC, *, judges: Any = ("j",), **how: Any) -> JudgeRecord:
    detail = canonical({"rubric": plain(rubric), "judges": list(judges), "how": how})
    return JudgeRecord(judge_id=id, rubric=rubric.name, detail=detail)


def case(*judge_ids: str, suite: str = "qa") -> list[JudgedCase]:
    return [judged(number, 1.0, suite=suite, judge_ids={"f1": each}) for number, each in enumerate(judge_ids)]


def between(before: JudgeRecord, now: JudgeRecord) -> list[str]:
    return judge_changes(case("old"), case("new"), [before], [now])


def with_format(**changes: Any) -> Rubric:
    return replace(RUBRIC, dimensions=(CORRECT, replace(FORMAT, **changes)))


@pytest.mark.parametrize(
    ("rubric", "told"),
    [
        (with_format(question="Is it brief?"), "question of format"),
        (with_format(levels=FORMAT.levels[::-1]), "levels of format"),
        (with_format(weight=2.0, pass_mark=0.5), "weight, pass_mark of format"),
        (with_format(gates=True), "gates of format"),
        (with_format(name="form"), "format (only in the base), form (only in the current run)"),
        (replace(RUBRIC, task="Another."), "task"),
        (replace(RUBRIC, needs_reference=False), "needs_reference"),
        (replace(RUBRIC, version=2), "version (1, now 2)"),
    ],
    ids=["question", "levels", "numbers", "gates", "dimension", "task", "reference", "version"],
)
def test_a_rubric_is_told_by_what_changed_in_it(rubric: Rubric, told: str) -> None:
    assert between(judge("old"), judge("new", rubric)) == [f"rubric qa: {told}"]


def test_of_a_rubric_written_anew_the_first_parts_are_named() -> None:
    def other(each: Dimension) -> Dimension:
        return replace(each, question="?", levels=each.levels[1:])

    anew = replace(RUBRIC, version=2, task="?", needs_reference=False, dimensions=tuple(map(other, RUBRIC.dimensions)))
    told = "version (1, now 2), task, needs_reference, question, levels of correctness and 1 more"
    assert between(judge("old"), judge("new", anew)) == [f"rubric qa: {told}"]


def test_another_rubric_is_told_by_its_name_alone() -> None:
    now = judge("new", replace(RUBRIC, name="short", task="?"))
    assert between(judge("old"), now) == ["rubric qa, now short"]


def test_how_a_judge_is_asked_is_told_by_the_arguments() -> None:
    now = judge("new", reference=False, checks=[["right_if", "same"]])
    assert between(judge("old", per_dimension=True), now) == [
        "how judges are asked by rubric qa: checks, per_dimension, reference"
    ]


def test_where_all_that_is_stored_is_the_same_it_is_what_this_package_tells_judges() -> None:
    told = "rubric qa: what pytest-llmeval itself tells a judge (another version of it made the base)"
    assert between(judge("old"), judge("new")) == [told]


def test_another_model_is_told_of_the_whole_run() -> None:
    assert between(judge("old"), judge("new", judges=["k"])) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (case("old"), case("old")),
        (case("old"), case("new", suite="other")),
        (case("old", "new"), case("new")),
        (case("old"), case("gone")),
    ],
    ids=["the same", "another suite", "of two judges", "not stored"],
)
def test_nothing_is_told_where_nothing_can_be(before: list[JudgedCase], now: list[JudgedCase]) -> None:
    records = [judge("old"), judge("new", replace(RUBRIC, task="?"))]
    assert judge_changes(before, now, records, records) == []


def test_a_change_is_told_once() -> None:
    """However many suites go by the rubric."""
    suites = ("a", "b")
    found = judge_changes(
        [each for suite in suites for each in case("old", suite=suite)],
        [each for suite in suites for each in case("new", suite=suite)],
        [judge("old")],
        [judge("new", replace(RUBRIC, task="?"))],
    )
    assert found == ["rubric qa: task"]
