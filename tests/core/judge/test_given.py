"""Which answers of a run a label is of that does not say all that tells them apart."""

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.judge.given import LabelRow, given_labels
from pytest_llmeval.core.judge.scored import judged_run
from pytest_llmeval.core.types import CaseRecord, Score
from pytest_llmeval.store.records import stored_case
from tests.support.judged_runs import judge_record, judged_record, qa_rubric
from tests.support.records import call, record

PLAIN = (Score(name="exact", value=1.0, passed=True),)


def labelled(cases: Sequence[CaseRecord], **fields: Any) -> list[tuple[str, int]]:
    """Return the suites and epochs of the cases that a label of row a is of."""
    judged = judged_run("r", [stored_case("r", each) for each in cases], [judge_record(qa_rubric())])
    row = LabelRow(where="in.csv:2", sample_id="a", name="correctness", given="right", **fields)
    return [(each.case.key.suite, each.case.key.epoch) for each in given_labels(judged, [row], rater="kim")]


def plain(**fields: Any) -> CaseRecord:
    """Return row a in a suite that no judge scored, with another answer."""
    return record("a", **{"suite": "plain", "scores": PLAIN, "calls": (call(response="y"),), **fields})


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("is_of_dataset", [True, False])
def test_a_label_without_a_suite_is_of_the_one_that_has_the_score(order: int, is_of_dataset: bool) -> None:
    """A dataset that several suites read names none; one may judge it in some rows only."""
    cases = [judged_record("a", suite="judged"), plain()][::order]
    assert labelled(cases, is_of_dataset=is_of_dataset) == [("judged", 1)]
    some = [*cases, judged_record("b", suite="plain")]
    assert labelled(some, is_of_dataset=is_of_dataset) == [("judged", 1)]
    failed = [plain(), record("a", suite="judged", outcome="error"), judged_record("b", suite="judged")][::order]
    assert labelled(failed, is_of_dataset=is_of_dataset) == [("judged", 1)], "its score could not be made"


def test_where_several_suites_have_the_score_the_label_must_say_which() -> None:
    cases = [judged_record("a", suite="one"), judged_record("a", suite="two"), plain()]
    with pytest.raises(DatasetError, match=r"^in\.csv:2: sample_id 'a' has 2 different .*; suite, model and epoch say"):
        labelled(cases)
    assert labelled(cases, suite="two") == [("two", 1)]
    failed = record("a", suite="two", outcome="error", calls=(call(response="y"),))
    with pytest.raises(DatasetError, match="has 2 different answers"):  # nobody knows what it would have been
        labelled([cases[0], failed, judged_record("b", suite="two")])
    told = r"has 2 different answers in the run; a dataset cannot say which: write its labels as lines that name suite"
    with pytest.raises(DatasetError, match=told):
        labelled(cases, is_of_dataset=True)


def test_epochs_of_the_suite_are_labelled_as_ever() -> None:
    """One whose score could not be made, too; another answer of it must be named."""
    same = [judged_record("a"), record("a", epoch=2, outcome="error", calls=(call(response="x"),))]
    assert labelled(same) == [("qa", 1), ("qa", 2)]
    with pytest.raises(DatasetError, match="2 different answers"):
        labelled([judged_record("a"), judged_record("a", epoch=2, answer="y")])
    with pytest.raises(DatasetError, match="no score of a judge 'correctness'; no judge scored this suite"):
        labelled([plain()])


def test_a_row_with_two_labels_of_no_case_is_named_once_and_zeros_that_went_are_told() -> None:
    """A spreadsheet makes 7 of an id 007 unless it was told that the column is text."""
    judged = judged_run("r", [stored_case("r", judged_record("007"))], [judge_record(qa_rubric())])
    rows = [
        LabelRow(where="in.csv:2", sample_id=sample_id, name=name, given="right")
        for sample_id in ("7", "8")
        for name in ("correctness", "completeness")
    ]
    with pytest.raises(DatasetError) as raised:
        given_labels(judged, rows, rater="kim")
    first, second = str(raised.value).splitlines()
    assert first.startswith("in.csv:2: no such case in the run: sample_id '7'; '007' lost its zeros")
    assert second == "in.csv:2: no such case in the run: sample_id '8'"
