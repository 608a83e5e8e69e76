"""What code can settle it settles; the judge gets the rest."""

import json

import pytest

from tests.support.judges import Judged, named, scores, verdict
from tests.support.project import Project

ROWS = [
    {"id": "same", "input": "yes", "target": "yes"},
    {"id": "other", "input": "maybe", "target": "yes"},
    {"id": "bad", "input": "no", "target": "yes"},
]
RIGHT = """
async def test_echo(sample, model, score):
    answer = await model.generate()
    same = score.exact(answer, sample.target, pass_mark=0)
    await score.judge(answer, rubric="qa", gates=False, right_if=same)
"""
WRONG = """
def test_echo(sample, response, score):
    score.judge_sync(response, rubric="qa", gates=False, wrong_unless=response.text != "no")
"""


def test_what_a_scorer_settles_as_right_is_not_judged(project: Project, judged_by: Judged, spread: list[str]) -> None:
    judge = judged_by(verdict)
    project.eval(RIGHT, ROWS)
    assert project.run("evals", named(project, judge), *spread).ret == 0
    assert len(judge.ledger) == 2
    assert scores(project, "correctness") == {"same": (1.0, "exact"), "other": (0.5, "j"), "bad": (0.0, "j")}
    assert scores(project, "qa")["same"] == (1.0, "exact")
    assert scores(project, "exact") == {"same": (1.0, None), "other": (0.0, None), "bad": (0.0, None)}
    reasons = project.rows("SELECT reason FROM scores WHERE decided_by = 'exact' AND name = 'correctness'")
    assert [row["reason"] for row in reasons] == ["right\nsettled by exact"]
    ids = {row["judge_id"] for row in project.rows("SELECT judge_id FROM scores WHERE name = 'correctness'")}
    assert len(ids) == 1  # one way of judging, whoever decided a row


def test_what_a_check_settles_as_wrong_is_not_judged(project: Project, judged_by: Judged) -> None:
    judge = judged_by(verdict)
    project.eval(WRONG, ROWS)
    assert project.run("evals", named(project, judge)).ret == 0
    assert len(judge.ledger) == 2
    assert scores(project, "correctness")["bad"] == (0.0, "wrong_unless")
    (row,) = project.rows("SELECT detail FROM judges")
    assert json.loads(row["detail"])["how"] == {"checks": [["wrong_unless", "wrong_unless"]]}


@pytest.mark.parametrize(
    ("given", "status", "settled"),
    [("same if sample.id != 'bad' else None", 10, "exact"), ("sample.id != 'bad' and same.value == 1", 0, "right_if")],
)
def test_a_check_that_is_in_some_rows_only_makes_two_judges(
    project: Project, judged_by: Judged, given: str, status: int, settled: str
) -> None:
    """The gate says what to do; a truth value in all rows is one check."""
    project.eval(RIGHT.replace("right_if=same", f"right_if={given}"), ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {min: 0.1}}}\n")
    result = project.run("evals", named(project, judged_by(verdict)))
    assert result.ret == status
    assert scores(project, "correctness")["same"] == (1.0, settled)
    told = " ".join(result.stdout.str().split())
    assert ("right_if, wrong_unless, reference or per_dimension in some of the rows (pass the same" in told) == (
        status == 10
    )


def test_a_check_that_settles_as_wrong_goes_before_one_that_settles_as_right(
    project: Project, judged_by: Judged
) -> None:
    judge = judged_by(verdict)
    project.eval(WRONG.replace("wrong_unless", 'right_if=response.text != "maybe", wrong_unless'), ROWS)
    assert project.run("evals", named(project, judge)).ret == 0
    settled = {"same": (1.0, "right_if"), "other": (0.5, "j"), "bad": (0.0, "wrong_unless")}
    assert scores(project, "correctness") == settled


def test_another_check_is_another_judge(project: Project, judged_by: Judged) -> None:
    flag = named(project, judged_by(verdict))
    for check in ("exact(answer, sample.target, pass_mark=0)", "contains(answer, sample.target, pass_mark=0)"):
        project.eval(RIGHT.replace("exact(answer, sample.target, pass_mark=0)", check), ROWS)
        project.run("evals", flag)
    assert len({row["judge_id"] for row in project.rows("SELECT judge_id FROM judges")}) == 2


def test_a_check_that_is_done_otherwise_is_the_same_judge_and_does_not_compare(
    project: Project, judged_by: Judged
) -> None:
    flag = named(project, judged_by(verdict))
    project.eval(RIGHT, ROWS)
    project.run("evals", flag)
    project.eval(RIGHT.replace("pass_mark=0", "pass_mark=0, casefold=True"), ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {max_drop: 0.5}}}\n")
    result = project.run("evals", flag, "--baseline=last")
    assert len({row["judge_id"] for row in project.rows("SELECT judge_id FROM judges")}) == 1
    assert result.ret == 10
    assert "another scorer" in " ".join(result.stdout.str().split())


def test_checks_of_a_row_of_its_own_leave_one_judge_and_a_number(project: Project, judged_by: Judged) -> None:
    """Each row has a pattern of its own: what code demands of it differs, who judges the rest does not."""
    flag = named(project, judged_by(verdict))
    project.eval(RIGHT.replace("exact(answer, sample.target", "regex(answer, f'^{sample.target}$|{sample.id}'"), ROWS)
    assert project.run("evals", flag).ret == 0
    digests = project.rows("SELECT scorer_digest FROM scores WHERE name = 'correctness'")
    assert len({row["scorer_digest"] for row in digests}) == len(ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {min: 0.5, max_drop: 0.9}}}\n")
    result = project.run("evals", flag, "--baseline=last")
    assert result.ret == 0, result.stdout.str()
    assert "unmeasurable" not in result.stdout.str()


def test_without_a_judge_nothing_counts_as_judged(project: Project) -> None:
    """Else only the rows that are easy to settle would make the metric."""
    project.eval(RIGHT, ROWS)
    project.run("evals")
    assert scores(project, "correctness") == dict.fromkeys(("same", "other", "bad"), (None, None))


def test_a_check_that_broke_settles_nothing(project: Project, judged_by: Judged) -> None:
    judge = judged_by(verdict)
    project.eval(RIGHT.replace("sample.target, pass_mark=0", "{1: 2}, pass_mark=0"), ROWS[:1])
    project.run("evals", named(project, judge))
    assert len(judge.ledger) == 1


@pytest.mark.parametrize("given", ["'yes'", "1.0", "sample"])
def test_a_check_is_a_score_or_a_truth_value(project: Project, judged_by: Judged, given: str) -> None:
    project.eval(RIGHT.replace("right_if=same", f"right_if={given}"), ROWS[:1])
    result = project.run("evals", named(project, judged_by(verdict)))
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*ValueError: right_if must be a score, True, False or None, found *"])


def test_a_number_that_is_no_share_settles_nothing(project: Project, judged_by: Judged) -> None:
    """A count of words would else be taken for a right answer."""
    judge = judged_by(verdict)
    project.eval(RIGHT.replace("right_if=same", 'right_if=score.record("words", 5)'), ROWS[:1])
    result = project.run("evals", named(project, judge))
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*ValueError: right_if is the score 'words' of 5; a check is a score from 0 to 1*"])
    assert not judge.ledger
