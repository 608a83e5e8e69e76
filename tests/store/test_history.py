"""What the runs of a database tell of the calls that a suite makes, before it runs."""

from pathlib import Path

import pytest

from pytest_llmeval.store.history import call_history, judge_history
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run


def test_the_newest_run_of_a_suite_says_how_many_calls_a_case_makes(database: SqliteStore) -> None:
    assert call_history(database.path, "qa", "m").calls_per_case is None
    for run_id, calls, tokens in (("old", 1, 10), ("new", 3, 40)):  # the clock went back between them
        database.start_run(run(run_id, started_at=f"202{9 - calls}-01-01T00:00:00.000+00:00"))
        made = [call(name=f"c{n}", output_tokens=tokens) for n in range(calls)]
        made += [call(name="judge", role="judge", output_tokens=999), call(name="bad", status="timeout", response=None)]
        for sample in "ab":
            database.add_case(run_id, record(sample, calls=tuple(made)))
        database.finish_run(run_id, END)
    found = call_history(database.path, "qa", "m")
    assert (found.calls_per_case, found.output_tokens) == (3, 40)
    found = call_history(database.path, "qa", "other")  # which asks as much, and answers as it does
    assert (found.calls_per_case, found.input_tokens, found.output_tokens) == (3, 10, None)


def test_a_case_that_was_skipped_before_any_call_says_nothing_of_how_often_a_judge_is_asked(
    database: SqliteStore,
) -> None:
    """One that was to fail does; of another one a check may have told, so that no judge was asked."""
    database.start_run(run("r"))
    judged = (call(name="c"), call(name="judge", role="judge"))
    database.add_case("r", record("a", outcome="skipped", calls=judged))
    database.add_case("r", record("b", calls=(call(name="c"),)))
    database.add_case("r", record("c", outcome="skipped", calls=()))
    database.finish_run("r", END)
    assert judge_history(database.path, "qa", "j").calls_per_case == 0.5
    assert call_history(database.path, "qa", "m").output_tokens is not None


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100])
def test_without_a_database_that_can_be_read_nothing_is_known(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.db"
    if content is not None:
        path.write_bytes(content)
    found = call_history(path, "qa", "m")
    assert (found.calls_per_case, found.output_tokens) == (None, None)
    assert path.exists() == (content is not None)
