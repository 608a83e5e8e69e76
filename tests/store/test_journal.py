"""The journal of a run: an answer that was acknowledged is there, whoever is killed and whoever opens the file next."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.types import Call, Kept
from pytest_llmeval.store import journal as journals
from pytest_llmeval.store import rows
from pytest_llmeval.store.files import open_to_read
from pytest_llmeval.store.journal import Orphan, SqliteJournal, damaged_journals
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.journals import beside, case, dead, kept, live, stored, write
from tests.support.records import call, record, storable_texts
from tests.support.stored_runs import look, run

REQUEST = {"messages": [{"role": "user", "content": "q"}], "params": {}}


# Keeping and finding


def test_what_was_kept_is_recalled_by_case_and_name(journal: SqliteJournal) -> None:
    journal.keep([kept(response="one"), kept("b", response="two"), kept(name="call-2", response="three")])
    found = [journal.recall(case(*where), name) for where, name in [("a", "call-1"), ("b", "call-1"), ("a", "call-2")]]
    assert [each.response if each else None for each in found] == ["one", "two", "three"]
    assert journal.recall(case("a", 2), "call-1") is None
    assert journal.recall(case("c"), "call-1") is None
    assert journal.recall(case(), "call-3") is None


def test_what_is_kept_again_replaces_what_was_there(journal: SqliteJournal) -> None:
    for response in ("old", "new"):
        journal.keep([kept(response=response)])
    found = journal.recall(case(), "call-1")
    assert found is not None
    assert found.response == "new"


calls = st.builds(
    Call,
    role=st.sampled_from(["model", "judge"]),
    model=storable_texts,
    request=st.fixed_dictionaries(
        {"messages": st.lists(st.dictionaries(st.text(), st.text(), max_size=2)), "params": st.just({})}
    ),
    response=storable_texts,
    status=st.just("ok"),
    attempts=st.integers(1, 9),
    latency_s=st.none() | st.floats(0, 1e9),
    input_tokens=st.none() | st.integers(0, 2**62),
    output_tokens=st.none() | st.integers(0, 2**62),
    cost_usd=st.none() | st.floats(0, 1e9),
    name=st.just("call-1"),
    cache_key=st.just("k"),
    detail=st.dictionaries(st.sampled_from(["finish_reason", "model", "refusal"]), st.text(), max_size=3),
)


@given(one=calls)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_is_found_as_it_was_kept(journal: SqliteJournal, one: Call) -> None:
    journal.keep([Kept(case=case(), call=one)])
    assert journal.recall(case(), "call-1") == one
    assert journal.cached("k", one.request) == one


@pytest.mark.parametrize("response", ["nul \x00", "lone \ud800"])
def test_an_answer_that_sqlite_keeps_in_another_form_serves_where_it_is_told_whole(
    journal: SqliteJournal, response: str
) -> None:
    for detail in ({}, {"text": response}):
        journal.keep([kept(response=response, cache_key="k", detail=detail)])
        found = journal.cached("k", REQUEST), journal.recall(case(), "call-1")
        assert [each is not None for each in found] == [bool(detail)] * 2


def test_a_batch_is_kept_as_a_whole_or_not_at_all(journal: SqliteJournal) -> None:
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        journal.keep([kept("a"), kept("b", role="neither")])
    assert journal.recall(case("a"), "call-1") is None


def test_the_file_is_its_owners_alone(journal: SqliteJournal) -> None:
    journal.keep([kept()])
    files = [each for each in journal.path.parent.iterdir() if each.name.startswith(journal.path.name)]
    assert len(files) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_a_journal_that_is_removed_under_way_is_noticed(journal: SqliteJournal) -> None:
    journal.path.unlink()
    with pytest.raises(StoreError, match="the journal was removed while the run wrote it"):
        journal.keep([kept()])


def test_a_journal_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"a\.db\.live\.journal: the database cannot be used"):
        SqliteJournal(tmp_path / "file" / "a.db", live())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_is_killed_as_it_makes_the_journal_leaves_none(
    database: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables and the row of its run are one commit."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(rows, "from_run", lambda run: os._exit(9))
        SqliteJournal(database.path, live())
    os.waitpid(child, 0)
    (left,) = database.path.parent.glob("*.journal")
    assert look(left, "SELECT name FROM sqlite_master") == []
    with closing(SqliteJournal(database.path, live())) as journal:
        journal.keep([kept()])
        assert journal.recall(case(), "call-1") is not None


@pytest.mark.parametrize("holds", ["no run", "a run", "answers"])
def test_a_journal_that_holds_nothing_yet_is_made_anew(database: SqliteStore, holds: str) -> None:
    """Older versions made the tables first, here with a column less. One with anything in it stays."""
    left = write(database.path, live(), kept("a"))
    with closing(sqlite3.connect(left)) as connection, connection:
        if holds != "a run":
            connection.execute("DELETE FROM run")
        if holds != "answers":
            connection.execute("DELETE FROM answers")
        connection.execute("ALTER TABLE answers DROP COLUMN checksum")
    if holds == "no run":
        with closing(SqliteJournal(database.path, live())) as journal:
            journal.keep([kept("b")])
            assert (journal.recall(case("a"), "call-1"), journal.recall(case("b"), "call-1") is not None) == (
                None,
                True,
            )
    else:
        with pytest.raises(
            StoreError, match=r"live\.journal: .* not of a run as this version knows them.*move it away"
        ):
            SqliteJournal(database.path, live())


def test_closing_twice_is_closing(database: SqliteStore) -> None:
    journal = SqliteJournal(database.path, live())
    journal.open_history()
    for _ in range(2):
        journal.close()


# Earlier sessions and runs


def test_a_run_that_goes_on_recalls_what_its_earlier_sessions_were_answered(database: SqliteStore) -> None:
    """Answers, that is; a call that failed is made again."""
    database.start_run(live())
    fine, failed = call(name="call-1", response="kept"), call(name="call-2", status="timeout", response=None)
    database.add_case("live", record("a", calls=(fine, failed)))
    with closing(SqliteJournal(database.path, live())) as journal:
        assert journal.recall_earlier(case(), "call-1") is None
        journal.open_history()
        found = journal.recall_earlier(case(), "call-1")
        assert found is not None
        assert found.response == "kept"
        assert journal.recall_earlier(case(), "call-2") is None
        assert journal.recall(case(), "call-1") is None


def test_answers_of_other_runs_are_not_those_of_this_one(database: SqliteStore) -> None:
    database.start_run(run("other"))
    database.start_run(live())
    database.add_case("other", record("a", calls=(call(name="call-1"),)))
    with closing(SqliteJournal(database.path, live())) as journal:
        journal.open_history()
        assert journal.recall_earlier(case(), "call-1") is None


def test_the_cache_holds_the_newest_answer_of_all_runs(database: SqliteStore, journal: SqliteJournal) -> None:
    assert journal.cached("k", REQUEST) is None
    for number, run_id in enumerate(("one", "two")):
        database.start_run(run(run_id))
        answer = call(name="call-1", response=f"from {run_id}", cache_key="k")
        database.add_case(run_id, record("a", calls=(answer, call(name="n", status="timeout", cache_key="k"))))
        found = journal.cached("k", REQUEST)
        assert found is not None
        assert found.response == f"from {('one', 'two')[number]}"
    journal.keep([kept(response="from this run", cache_key="k")])
    found = journal.cached("k", REQUEST)
    assert found is not None
    assert found.response == "from this run"
    assert journal.cached("another", REQUEST) is None


def test_the_cache_is_searched_by_its_key_and_not_answer_by_answer(
    database: SqliteStore, journal: SqliteJournal
) -> None:
    """A search of all answers for each call would take the square of their number."""
    for path, table in ((journal.path, "answers"), (database.path, "calls")):
        with closing(sqlite3.connect(path)) as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE cache_key = ?", ["k"]).fetchall()
        assert [step[-1] for step in plan] == [f"SEARCH {table} USING INDEX {table}_key (cache_key=?)"]


def test_a_copy_from_the_cache_serves_where_no_run_is_left_that_asked(
    database: SqliteStore, journal: SqliteJournal
) -> None:
    """The answer itself goes before it: a copy may be damaged where that is whole."""
    database.start_run(run("one"))
    database.add_case("one", record("a", calls=(call(name="call-1", cache_key="k", response="copy", cached=True),)))
    found = journal.cached("k", REQUEST)
    assert found is not None and found.response == "copy"
    database.start_run(run("two"))
    for sample, response, cached in (("a", "asked", False), ("b", "copy", True)):
        made = call(name="call-1", cache_key="k", response=response, cached=cached)
        database.add_case("two", record(sample, calls=(made,)))
    found = journal.cached("k", REQUEST)
    assert found is not None and found.response == "asked"


def test_an_answer_to_another_request_is_a_miss_whatever_its_key(journal: SqliteJournal) -> None:
    journal.keep([kept(cache_key="k")])
    assert journal.cached("k", REQUEST) is not None
    assert journal.cached("k", {**REQUEST, "params": {"temperature": 0}}) is None
    assert journal.cached("k", {"messages": ({"role": "user", "content": "q"},), "params": {}}) is not None


@pytest.mark.parametrize(
    ("kept_with", "asked_with", "sent", "is_found"),
    [
        ({}, {"temperature": 0}, {"temperature": 0}, True),
        ({"temperature": 0}, {}, {"temperature": 0, "seed": 1}, True),
        ({"temperature": 1}, {}, {"temperature": 0}, False),
        ({"seed": 1}, {}, {"temperature": 0}, False),
    ],
)
def test_parameters_of_a_request_may_have_moved_to_or_from_its_model(
    journal: SqliteJournal, kept_with: dict[str, Any], asked_with: dict[str, Any], sent: dict[str, Any], is_found: bool
) -> None:
    """What is sent besides stood in models.yaml, or does now; the key holds all of it."""
    journal.keep([kept(cache_key="k", request={**REQUEST, "params": kept_with})])
    found = journal.cached("k", {**REQUEST, "params": asked_with}, sent)
    assert (found is not None, not journal.damaged) == (is_found, is_found)
    assert journal.cached("k", {"messages": [], "params": asked_with}, sent) is None


@pytest.mark.parametrize("seed", [2**64 - 1, str(2**64 - 1)], ids=["as it was", "as a text"])
def test_a_large_integer_in_a_request_is_found_however_a_file_holds_it(journal: SqliteJournal, seed: object) -> None:
    journal.keep([kept(cache_key="k", request={**REQUEST, "params": {"seed": seed}})])
    assert journal.cached("k", {**REQUEST, "params": {"seed": 2**64 - 1}}) is not None
    assert journal.cached("k", {**REQUEST, "params": {"seed": 2**64 - 2}}) is None


@pytest.mark.parametrize(
    "change",
    [
        "response = 'y'",
        "response = NULL",
        "response = 'x '",
        """detail = '{"refusal": "no"}'""",
        "request = '{'",
        pytest.param(f"request = '{'[' * 100_000}'", id="deep request"),
        pytest.param(f"detail = '{'[' * 100_000}'", id="deep detail"),
    ],
)
@pytest.mark.parametrize("table", ["answers", "calls"])
def test_a_damaged_answer_is_a_miss(database: SqliteStore, journal: SqliteJournal, change: str, table: str) -> None:
    recall = journal.recall if table == "answers" else journal.recall_earlier
    if table == "answers":
        journal.keep([kept(cache_key="k")])
    else:
        database.add_case("live", record("a", calls=(call(name="call-1", cache_key="k"),)))
    assert journal.cached("k", REQUEST) is not None
    assert recall(case(), "call-1") is not None
    with closing(sqlite3.connect(journal.path if table == "answers" else database.path)) as connection, connection:
        connection.execute(f"UPDATE {table} SET {change}")
    assert journal.cached("k", REQUEST) is None
    assert recall(case(), "call-1") is None


def test_answers_from_before_there_were_checksums_are_a_miss(database: SqliteStore, journal: SqliteJournal) -> None:
    database.add_case("live", record("a", calls=(call(name="call-1", cache_key="k"),)))
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("UPDATE calls SET checksum = NULL")
    assert journal.cached("k", REQUEST) is None


def test_a_history_that_cannot_be_read_is_an_error_that_names_the_database(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path / "a.db", live())) as journal:
        with pytest.raises(StoreError, match=r"a\.db: the database cannot be used: unable to open"):
            journal.open_history()
        assert not (tmp_path / "a.db").exists()


# Taken over by the database


def test_a_run_that_ends_hands_its_answers_over(database: SqliteStore, journal: SqliteJournal) -> None:
    """Those whose cases were recorded are there already; those of cases that never ended come."""
    answer = call(name="call-1", response="one")
    journal.keep([Kept(case=case("a"), call=answer), kept("b", response="two")])
    database.add_case("live", record("a", calls=(answer,)))
    journal.close()
    database.absorb(Orphan(path=journal.path, run=live()))
    assert stored(database.path) == [("live", "call-1", "one"), ("live", "call-1", "two")]
    assert beside(database.path) == {"llmeval.db"}
    assert look(database.path, "PRAGMA foreign_key_check") == []


def test_an_answer_takes_the_place_of_a_failure(database: SqliteStore) -> None:
    """The worker that was told of the answer died; its case was recorded with the failure of before."""
    database.start_run(dead())
    database.add_case("dead", record("a", calls=(call(name="call-1", status="timeout", response=None),)))
    write(database.path, dead(), kept(response="answer"))
    database.absorb_journals()
    (row,) = look(database.path, "SELECT status, response, case_id FROM calls")
    assert (row["status"], row["response"]) == ("ok", "answer")
    assert look(database.path, "SELECT id FROM cases") == [{"id": row["case_id"]}]


def test_an_answer_that_was_recorded_stays_as_it_is(database: SqliteStore) -> None:
    database.start_run(dead())
    database.add_case("dead", record("a", calls=(call(name="call-1", response="recorded"),)))
    write(database.path, dead(), kept(response="other"))
    database.absorb_journals()
    assert stored(database.path) == [("dead", "call-1", "recorded")]


def test_a_journal_lies_beside_the_file_that_a_link_leads_to(tmp_path: Path, path: Path) -> None:
    """Whoever opens the file next may know it by its own name, or by another link."""
    SqliteStore(path).close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    for written, opened in ((link, path), (path, link)):
        write(written, dead(written.name), kept(response=written.name))
        SqliteStore(opened).close()
        assert (written.name, "call-1", written.name) in stored(path)
    assert beside(link) == {link.name, path.parent.name}


def test_a_journal_that_lies_beside_the_link_is_found(tmp_path: Path, path: Path) -> None:
    """Earlier versions left it there."""
    SqliteStore(path).close()
    link = tmp_path / "link.db"
    for number in "12":
        write(link, dead(number), kept(response=number))
    link.symlink_to(path)
    (tmp_path / "link.db.2.journal").write_text("no journal")
    SqliteStore(link).close()
    assert stored(path) == [("1", "call-1", "1")]
    for run_id, names in {None: ["link.db.2.journal"], "1": [], "2": ["link.db.2.journal"]}.items():
        assert [each.name for each, _ in damaged_journals(link, run_id)] == names


def test_a_journal_whose_run_ends_while_it_is_looked_at_is_not_damaged(
    database: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the look began."""
    left = write(database.path, dead(), kept())

    def ended(path: Path) -> sqlite3.Connection:
        connection = open_to_read(path)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        for each in left.parent.glob(f"{left.name}*"):
            each.unlink()
        return connection

    monkeypatch.setattr(journals, "open_to_read", ended)
    assert list(damaged_journals(database.path)) == []
    assert not left.exists()


def test_a_checksum_tells_texts_apart_that_are_stored_alike() -> None:
    assert rows.call_checksum("\x00", "{}") != rows.call_checksum("\\x00", "{}")
    assert rows.call_checksum("a", "{}") != rows.call_checksum("", "a{}")
    assert rows.call_checksum(None, "{}") == rows.call_checksum("", "{}")
