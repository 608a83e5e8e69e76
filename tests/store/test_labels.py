"""What people say of cases, in both stores."""

from dataclasses import replace

from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.stored import Label
from tests.support.any_store import Store
from tests.support.records import call, record
from tests.support.stored_runs import run

AT = "2025-01-03T00:00:00.000+00:00"


def label(run_id: str, sample_id: str = "a", **fields: object) -> Label:
    made = {"name": "correctness", "value": 0.5, "passed": False, "rater": "kim", "note": "hm", "at": AT, **fields}
    return Label(case_id=case_id(run_id, "qa", "m", sample_id, 1), **made)  # type: ignore[arg-type]  # any field


def fill(store: Store) -> None:
    for run_id in ("one", "two"):
        store.start_run(run(run_id))
        for sample_id in ("a", "b"):
            store.add_case(run_id, record(sample_id))


def test_labels_are_read_back_by_run(store: Store) -> None:
    fill(store)
    first, second, other = label("one"), label("one", "b", passed=None, note=None), label("two")
    assert store.add_labels([first, other, second]) == 0
    assert store.labels("one") == [first, second]
    assert store.labels("two") == [other]
    assert store.labels("none") == []


def test_a_label_replaces_the_earlier_one_of_its_rater_only(store: Store) -> None:
    fill(store)
    first, by_other = label("one"), label("one", rater="lee")
    of_other_score, later = label("one", name="format"), label("one", value=1.0, passed=True)
    store.add_labels([first, by_other, of_other_score])
    assert store.add_labels([later]) == 1
    assert store.labels("one") == [by_other, of_other_score, later]


def test_of_two_labels_given_at_once_the_last_counts(store: Store) -> None:
    fill(store)
    first, last = label("one"), label("one", value=0.0)
    assert store.add_labels([first, last]) == 1
    assert store.labels("one") == [last]


def test_labels_outlive_a_case_that_is_recorded_again(store: Store) -> None:
    fill(store)
    store.add_labels([label("one")])
    store.add_case("one", replace(record("a"), outcome="missed"))
    assert store.labels("one") == [label("one")]


def test_labels_of_an_answer_that_is_no_more_are_gone(store: Store) -> None:
    """A row that was fixed and asked again: nobody has seen what is said now."""
    fill(store)
    other_answer = record("a", calls=(call(),))
    for again in (other_answer, replace(other_answer, input_digest="of the fixed row")):
        store.add_labels([label("one"), label("one", "b")])
        store.add_case("one", again)
        assert store.labels("one") == [label("one", "b")]
