"""A run without judged answers names one that has some, and says why it has none."""

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import judged_record, settled_record, store_run
from tests.support.records import record


def test_the_newest_run_with_judged_answers_is_named_where_a_newer_one_has_none(
    store: SqliteStore, llmeval: Command
) -> None:
    for number, cases in enumerate([[judged_record("a")], [judged_record("a")], [record("a")]], 1):
        store_run(store, cases, f"2025010{number}-000000-aaaaaa")
    done = llmeval("labels", "export", "--output", "out.csv")
    assert done.status == 4
    assert done.err.endswith("nothing to label; the newest that has is 20250102-000000-aaaaaa\n")


def test_runs_whose_verdicts_code_settled_are_not_named_to_each_other(store: SqliteStore, llmeval: Command) -> None:
    for number in (1, 2):
        store_run(store, [settled_record("a")], f"2025010{number}-000000-aaaaaa")
    done = llmeval("labels", "export", "--output", "out.csv")
    told = "no answer that a judge judged (what right_if or wrong_unless settles is not), so there is nothing to label"
    assert done.err == f"llmeval: run 20250102-000000-aaaaaa has {told}\n"
