"""The judges of a run in a file: with them goes what their scores may say, and nothing else is taken for it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.judge.recorded import settlers, stored_rubric
from pytest_llmeval.core.types import JudgeRecord
from pytest_llmeval.store.baseline_file import BaselineFile, write_baseline
from tests.support.judged_runs import judge_record, qa_rubric
from tests.support.stored_runs import END, run

JUDGES = [judge_record(qa_rubric(), "a", checks=[["right_if", "exact"]]), judge_record(qa_rubric(), "b")]
DETAIL: dict[str, Any] = json.loads(JUDGES[0].detail)
RUBRIC: dict[str, Any] = DETAIL["rubric"]
DIMENSION: dict[str, Any] = RUBRIC["dimensions"][0]


def write(path: Path, judges: list[JudgeRecord], *, answers: bool = True) -> BaselineFile:
    """Write a run without cases into ``path`` and open it."""
    write_baseline(path, shown="b", name="main", run=run(end=END), count=0, cases=(), judges=judges, answers=answers)
    return BaselineFile(path, "b")


def header(path: Path) -> dict[str, Any]:
    """Return the first line, read by nothing of ours."""
    found: dict[str, Any] = json.loads(path.read_text("ascii").splitlines()[0])
    return found


def refused(path: Path, judges: Any) -> str:
    """Return with what a file with these judges is refused."""
    write(path, JUDGES)
    path.write_text(json.dumps({**header(path), "judges": judges}) + "\n", "ascii")
    with pytest.raises(StoreError) as caught:
        BaselineFile(path, "b")
    return str(caught.value)


@pytest.mark.parametrize("answers", [True, False])
def test_what_stands_behind_the_scores_of_judges_is_read_as_it_was_written(tmp_path: Path, answers: bool) -> None:
    """It quotes neither model nor dataset."""
    found = write(tmp_path / "b", JUDGES, answers=answers).judges
    assert found == JUDGES
    assert stored_rubric(found[0]) == qa_rubric()
    assert settlers(found[0]) == {"exact"}


def test_a_file_without_judges_is_one_that_older_versions_read(tmp_path: Path) -> None:
    assert write(tmp_path / "b", []).judges == []
    assert header(tmp_path / "b")["version"] == 1
    assert "judges" not in header(tmp_path / "b")
    write(tmp_path / "b", JUDGES)
    assert header(tmp_path / "b")["version"] == 2


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ({}, "'judges' is {}"),
        ([5], "'judges' is 5, and should be an object"),
        ([{"judge_id": "a", "rubric": "qa"}], "'judges.detail' is missing"),
        ([{"judge_id": "a", "rubric": "qa", "detail": "{"}], "'judges.detail' is not JSON: "),
        ([{"judge_id": "a", "rubric": "qa", "detail": "{}"}], "'judges.detail.rubric' is missing"),
        ([{"judge_id": "a", "rubric": "qa", "detail": JUDGES[0].detail}] * 2, "a judge appears twice in 'judges'"),
    ],
)
def test_what_is_no_judge_is_told(tmp_path: Path, judges: Any, message: str) -> None:
    assert refused(tmp_path / "b", judges).startswith(f"b:1: {message}")


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ({"rubric": {}}, "'judges.detail.rubric.name' is missing"),
        ({"how": {"checks": "x"}}, "'judges.detail.how.checks' is 'x'"),
        ({"how": {"checks": [["x"]]}}, "'judges.detail.how.checks' holds ['x']"),
        ({"how": {"checks": [["x", 1]]}}, "'judges.detail.how.checks' holds ['x', 1]"),
        ({"rubric": {**RUBRIC, "version": "1"}}, "'judges.detail.rubric.version' is '1'"),
        ({"rubric": {**RUBRIC, "odd": 1}}, "unknown key 'judges.detail.rubric.odd'"),
        ({"rubric": {**RUBRIC, "dimensions": []}}, "'judges.detail.rubric.dimensions' is empty, or one weighs nothing"),
        (
            {"rubric": {**RUBRIC, "dimensions": [{**DIMENSION, "weight": 0}]}},
            "'judges.detail.rubric.dimensions' is empty, or one weighs nothing",
        ),
        (
            {"rubric": {**RUBRIC, "dimensions": [{**DIMENSION, "pass_mark": None}]}},
            "'judges.detail.rubric.dimensions.pass_mark' is None",
        ),
        (
            {"rubric": {**RUBRIC, "dimensions": [{**DIMENSION, "levels": [{"name": "x", "value": "1"}]}]}},
            "'judges.detail.rubric.dimensions.levels.value' is '1'",
        ),
    ],
)
def test_what_is_no_rubric_is_told(tmp_path: Path, detail: dict[str, Any], message: str) -> None:
    """What reads it later may take it as it is."""
    judge = replace(JUDGES[0], detail=json.dumps({**DETAIL, **detail}))
    told = refused(tmp_path / "b", [{"judge_id": "a", "rubric": "qa", "detail": judge.detail}])
    assert told == f"b:1: {message}; export it again with `llmeval baseline export`"
