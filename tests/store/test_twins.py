"""The run that is most like another, and gave its rows other answers."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.store.records import Run
from pytest_llmeval.store.twins import twin_of
from tests.support.stored_runs import END, run

SUITE: dict[str, Any] = {"expected": {"m": 4}, "rows_digest": "r", "prompt_digest": "p", "code_digest": "c"}


def stored(id: str, suites: dict[str, Any] | None = None, **settings: Any) -> Run:
    """Return a full run of the suite ``qa``."""
    return run(id, end=END, settings={"suites": suites if suites is not None else {"qa": SUITE}, **settings})


def suite(**fields: Any) -> dict[str, Any]:
    return {"qa": {**SUITE, **fields}}


def picked(mine: Run, *others: Run) -> str | None:
    found = twin_of(mine, [*others, mine])
    return found.id if found else None


def test_the_newest_of_equal_runs_is_taken_and_never_the_run_itself() -> None:
    assert picked(stored("mine"), stored("newer"), stored("older")) == "newer"
    assert picked(stored("mine")) is None


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (suite(rows_digest="another"), suite()),
        (suite(prompt_digest="another"), suite()),
        (suite(code_digest="another"), suite()),
        (suite(rows_digest="another"), suite(prompt_digest="another")),
        (suite(expected={"n": 4}), suite(rows_digest="another")),
        ({}, suite()),
    ],
    ids=["rows", "prompt", "code", "rows before prompt", "model before rows", "another suite"],
)
def test_the_run_that_is_more_alike_goes_before_the_newer_one(newer: dict[str, Any], older: dict[str, Any]) -> None:
    assert picked(stored("mine"), stored("newer", newer), stored("older", older)) == "older"


def test_a_run_of_more_of_the_suites_goes_first() -> None:
    both = {"qa": SUITE, "facts": SUITE}
    assert picked(stored("mine", both), stored("newer"), stored("older", both)) == "older"


@pytest.mark.parametrize("other", [{}, {"facts": SUITE}, suite(expected={"n": 4})], ids=["none", "suite", "model"])
def test_a_run_of_nothing_in_common_is_none(other: dict[str, Any]) -> None:
    assert picked(stored("mine"), stored("other", other)) is None


@pytest.mark.parametrize(
    "unfit",
    [
        stored("x", partial=True),
        stored("x", shard="1/2"),
        replace(stored("x"), end=None),
        replace(stored("x"), end=replace(END, status="interrupted")),
        replace(stored("x"), end=replace(END, status="unmeasurable")),
    ],
    ids=["partial", "shard", "going on", "interrupted", "unmeasurable"],
)
def test_a_run_without_all_its_rows_is_none(unfit: Run) -> None:
    assert picked(stored("mine"), unfit) is None
    assert [each.id for each in (unfit, stored("full")) if each.is_full] == ["full"]


def test_a_run_that_was_scored_again_has_the_answers_of_the_first() -> None:
    """Its own answers, at first or second hand, tell nothing new; those of another run do."""
    first, again = stored("first"), stored("again", rescored="first")
    thrice = stored("thrice", rescored="again")
    assert picked(first, thrice, again) is None
    assert picked(thrice, first, again) is None
    assert picked(thrice, first, again, stored("another")) == "another"


def test_a_run_that_was_scored_again_and_is_gone_had_the_answers_all_the_same() -> None:
    assert picked(stored("one", rescored="gone"), stored("two", rescored="gone")) is None


def test_runs_that_each_claim_the_answers_of_the_other_come_to_an_end() -> None:
    """As only a file that somebody wrote by hand can have it."""
    mine, other = stored("mine", rescored="other"), stored("other", rescored="mine")
    assert picked(mine, other) == "other"
    assert picked(stored("own", rescored="own")) is None
