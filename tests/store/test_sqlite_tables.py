"""The database file as an outside reader finds it: tables, columns, words and forms of the contract."""

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import Score
from pytest_llmeval.store.history import _ANSWERED
from pytest_llmeval.store.records import RunEnd, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader
from tests.support.records import call, record, score
from tests.support.stored_runs import END, look, run

TABLES = {
    "runs": "id name started_at finished_at status exit_code verdict models judge_models git_commit git_branch"
    " git_dirty dataset_digest settings_json version",
    "cases": "id run_id nodeid suite sample_id model epoch slices outcome error_kind error input_digest response"
    " latency_s input_tokens output_tokens cost_usd attempts cached started_at",
    "scores": "case_id name value passed reason scorer_digest",
    "calls": "id run_id case_id role model request response status attempts latency_s input_tokens output_tokens"
    " cost_usd cached",
    "verdicts": "run_id suite model metric slice rule value n low high baseline_value delta p_value mde verdict",
    "baselines": "name run_id set_at",
    "labels": "case_id name value passed rater note at",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_columns_of_the_contract(database: SqliteStore, table: str) -> None:
    columns = [row["name"] for row in look(database.path, f"PRAGMA table_info({table})")]
    assert [column for column in columns if column in TABLES[table].split()] == TABLES[table].split()


def test_a_case_that_is_recorded_again_goes_behind_all_others(database: SqliteStore) -> None:
    """Also the newest, of which SQLite would give the new one the row id: a worker looks for what came later by it."""
    database.start_run(run())
    for name in ("a", "b"):
        database.add_case(run().id, record(name))
    before = look(database.path, "SELECT max(rowid) AS last FROM cases")[0]["last"]
    database.add_case(run().id, record("b", outcome="missed"))
    (case,) = look(database.path, "SELECT rowid AS place, outcome FROM cases WHERE sample_id = 'b'")
    assert (case["place"] > before, case["outcome"]) == (True, "missed")


def test_the_file_says_which_schema_it_has(database: SqliteStore) -> None:
    (table,) = look(database.path, "SELECT version FROM schema_version")
    (pragma,) = look(database.path, "PRAGMA user_version")
    assert table["version"] == pragma["user_version"] == 10


def plans(database: SqliteStore, use: Callable[[SqliteStore], object]) -> list[str]:
    """Return how SQLite looks up what ``use`` reads or deletes, step by step."""
    asked: list[str] = []
    database._connection.set_trace_callback(asked.append)
    use(database)
    database._connection.set_trace_callback(None)
    looked_up = [sql for sql in asked if sql.split()[0] in ("SELECT", "DELETE")]
    return [step["detail"] for sql in looked_up for step in look(database.path, f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.spending("r"),
        lambda store: store.answering(run("r", judge_models=("j",))),
        lambda store: list(store.run_calls("r")),
    ],
    ids=["spending", "answering", "run_calls"],
)
def test_the_calls_of_a_run_are_found_without_those_of_others(
    database: SqliteStore, use: Callable[[SqliteStore], object]
) -> None:
    """A database holds many runs."""
    assert plans(database, use)[0] == "SEARCH calls USING INDEX calls_run (run_id=?)"


def test_labels_are_looked_up_one_by_one_where_they_are_given_and_read_without_every_case(
    database: SqliteStore,
) -> None:
    """A run has many more cases than labels."""
    label = Label(case_id="c", name="exact", value=1.0, rater="kim", at=utc_now())
    (found,) = plans(database, lambda store: store.add_labels([label]))
    assert found.startswith("SEARCH labels USING") and found.endswith("(rater=? AND name=? AND case_id=?)")
    assert plans(database, lambda store: store.labels("r"))[0] == "SCAN labels"


def test_no_look_at_the_runs_reads_all_their_cases(database: SqliteStore) -> None:
    """Every command and session has one, and a run that crashed stays ``running``; nor does a forecast of calls."""
    database.start_run(run("r"))
    steps = plans(database, lambda store: store.runs())
    steps += [step["detail"] for step in look(database.path, f"EXPLAIN QUERY PLAN {_ANSWERED}", "r", "qa", "m")]
    of_cases = [step for step in steps if " cases " in step]
    assert [step.split(" USING ")[1].split()[0] for step in of_cases] == ["COVERING", "INTEGER", "INDEX"], of_cases
    assert of_cases[1].endswith("(rowid>? AND rowid<?)")
    assert of_cases[2].endswith("(run_id=? AND suite=? AND model=?)")


def test_a_run_is_stored_in_text_and_json(database: SqliteStore) -> None:
    database.start_run(
        run("r", models=("a", "é"), judge_models=(), git_dirty=True, settings={"b": [1, None]}, started_at=utc_now())
    )
    (row,) = look(database.path, "SELECT * FROM runs")
    assert (json.loads(row["models"]), json.loads(row["judge_models"])) == (["a", "é"], [])
    assert json.loads(row["settings_json"]) == {"b": [1, None]}
    assert (row["status"], row["verdict"], row["exit_code"], row["finished_at"]) == ("running", "none", None, None)
    assert row["git_dirty"] == 1
    assert TIME.fullmatch(row["started_at"])


@pytest.mark.parametrize("status", ["finished", "interrupted", "unmeasurable"])
@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "unmeasurable", "none"])
def test_the_words_for_the_end_of_a_run(database: SqliteStore, status: Any, verdict: Any) -> None:
    database.start_run(run("r"))
    database.finish_run("r", RunEnd(finished_at=utc_now(), status=status, exit_code=1, verdict=verdict))
    (row,) = look(database.path, "SELECT * FROM runs")
    assert (row["status"], row["verdict"], row["exit_code"]) == (status, verdict, 1)
    assert TIME.fullmatch(row["finished_at"])


@pytest.mark.parametrize(("column", "word"), [("status", "crashed"), ("verdict", "not_judged")])
def test_a_run_takes_no_other_words(database: SqliteStore, column: str, word: str) -> None:
    database.start_run(run("r"))
    end: dict[str, Any] = {
        "finished_at": utc_now(),
        "status": "finished",
        "exit_code": 0,
        "verdict": "pass",
        column: word,
    }
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        database.finish_run("r", RunEnd(**end))


@pytest.mark.parametrize("outcome", ["passed", "missed", "error", "skipped"])
def test_the_words_for_the_outcome_of_a_case(database: SqliteStore, outcome: Any) -> None:
    database.start_run(run("r"))
    database.add_case("r", record(outcome=outcome, error_kind="code" if outcome == "error" else None))
    (row,) = look(database.path, "SELECT outcome, error_kind FROM cases")
    assert row == {"outcome": outcome, "error_kind": "code" if outcome == "error" else None}


@pytest.mark.parametrize(
    "fields", [{"outcome": "failed"}, {"outcome": "error"}, {"outcome": "passed", "error_kind": "code"}]
)
def test_a_case_whose_outcome_and_error_disagree_is_refused_as_a_whole(
    database: SqliteStore, fields: dict[str, Any]
) -> None:
    database.start_run(run("r"))
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        database.add_case("r", record(scores=(score(),), calls=(call(),), **fields))
    assert [look(database.path, f"SELECT * FROM {table}") for table in ("cases", "scores", "calls")] == [[], [], []]


def test_a_case_is_stored_in_text_json_and_numbers(database: SqliteStore) -> None:
    database.start_run(run("r"))
    database.add_case(
        "r",
        record("007", slices=("hard", "é"), input_digest="d" * 64, calls=(call(cached=True), call())),
    )
    (row,) = look(database.path, "SELECT *, typeof(sample_id) AS id_type, typeof(latency_s) AS s_type FROM cases")
    assert (row["run_id"], row["nodeid"], row["sample_id"], row["id_type"]) == ("r", "t.py::test[007]", "007", "text")
    assert json.loads(row["slices"]) == ["hard", "é"]
    assert (row["latency_s"], row["s_type"], row["input_tokens"], row["cost_usd"]) == (4.0, "real", 20, 1.0)
    assert (row["cached"], row["attempts"], row["epoch"], row["input_digest"]) == (1, 2, 1, "d" * 64)


@pytest.mark.parametrize(("passed", "stored"), [(True, 1), (False, 0), (None, None)])
def test_a_score_says_whether_it_passed_as_1_0_or_null(
    database: SqliteStore, passed: bool | None, stored: int | None
) -> None:
    database.start_run(run("r"))
    database.add_case("r", record(scores=(score("x", 0.5, passed, reason="why", scorer_digest="e" * 64),)))
    (row,) = look(database.path, "SELECT *, typeof(value) AS type FROM scores")
    (case,) = look(database.path, "SELECT id FROM cases")
    assert (row["case_id"], row["name"], row["value"], row["type"]) == (case["id"], "x", 0.5, "real")
    assert (row["passed"], row["reason"], row["scorer_digest"]) == (stored, "why", "e" * 64)


def test_a_score_that_could_not_be_made_is_null(database: SqliteStore) -> None:
    database.start_run(run("r"))
    database.add_case("r", record(scores=(Score(name="x", value=None, passed=None, status="error"),)))
    assert look(database.path, "SELECT value, passed FROM scores") == [{"value": None, "passed": None}]


def test_no_number_is_no_score(database: SqliteStore) -> None:
    """SQLite would store it as NULL; the case is refused, so that the mistake is seen."""
    database.start_run(run("r"))
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        database.add_case("r", record(scores=(score("x", float("nan"), None),)))


def test_calls_are_stored_one_by_one_with_their_requests(database: SqliteStore) -> None:
    database.start_run(run("r"))
    database.add_case("r", record(calls=(call(), call("judge", response=None, status="timeout", cost_usd=None))))
    rows = look(database.path, "SELECT calls.*, cases.id AS of FROM calls, cases ORDER BY calls.id")
    assert [row["role"] for row in rows] == ["model", "judge"]
    assert [row["status"] for row in rows] == ["ok", "timeout"]
    assert [row["cached"] for row in rows] == [0, 0]
    assert [row["cost_usd"] for row in rows] == [0.5, None]
    assert all(row["case_id"] == row["of"] and row["run_id"] == "r" for row in rows)
    assert json.loads(rows[0]["request"])["messages"] == [{"role": "user", "content": "q"}]


def test_a_call_has_no_role_but_model_and_judge(database: SqliteStore) -> None:
    database.start_run(run("r"))
    with pytest.raises(StoreError, match="CHECK constraint failed"):
        database.add_case("r", record(calls=(call("referee"),)))


def test_verdicts_are_stored_with_their_numbers(database: SqliteStore) -> None:
    database.start_run(run("r"))
    verdict = Verdict(
        suite="qa",
        model="m",
        metric="f1",
        slice=None,
        rule="min=0.8",
        value=0.75,
        n=4,
        low=0.3,
        high=0.95,
        verdict="not_judged",
        reason="why",
    )
    database.set_verdicts("r", [verdict])
    (row,) = look(database.path, "SELECT * FROM verdicts")
    named = {name: row[name] for name in TABLES["verdicts"].split()}
    assert named == {
        "run_id": "r",
        "suite": "qa",
        "model": "m",
        "metric": "f1",
        "slice": None,
        "rule": "min=0.8",
        "value": 0.75,
        "n": 4,
        "low": 0.3,
        "high": 0.95,
        "baseline_value": None,
        "delta": None,
        "p_value": None,
        "mde": None,
        "verdict": "not_judged",
    }


def test_a_case_of_no_run_is_refused(database: SqliteStore) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY constraint failed"):
        database.add_case("nobody", record())


def test_a_replaced_case_leaves_behind_what_it_came_to_and_its_calls(database: SqliteStore) -> None:
    """What was paid is kept, whatever the case does later; failed calls give their names free."""
    database.start_run(run("r"))
    failed = call(name="b-1", status="timeout", response=None)
    first = record(scores=(score("x", 0.0), score("y")), calls=(call(name="a-1"), failed), outcome="missed", error="no")
    database.add_case("r", first)
    database.add_case("r", record(outcome="error", error_kind="timeout", started_at="later", calls=(failed,)))
    database.add_case("r", record(scores=(score("x"),), calls=(replace(failed, status="ok"),)))
    assert [len(look(database.path, f"SELECT * FROM {table}")) for table in ("cases", "scores")] == [1, 1]
    assert look(database.path, "SELECT name, status FROM calls ORDER BY name") == [
        {"name": "a-1", "status": "ok"},
        {"name": "b-1", "status": "ok"},
        {"name": "b-1~1", "status": "timeout"},
        {"name": "b-1~2", "status": "timeout"},
    ]
    (case,) = look(database.path, "SELECT id, run_id FROM cases")
    about = {"run_id": "r", "case_id": case["id"]}
    missed = {"outcome": "missed", "error_kind": None, "error": "no", "scores": '{"x": 0.0, "y": 1.0}'}
    broken = {"outcome": "error", "error_kind": "timeout", "error": None, "scores": "{}", "started_at": "later"}
    assert look(database.path, "SELECT * FROM earlier_outcomes") == [
        {**about, "number": 1, **missed, "started_at": first.started_at},
        {**about, "number": 2, **broken},
    ]


def test_the_id_of_a_case_is_the_same_when_it_is_recorded_again(database: SqliteStore) -> None:
    """Labels of people hang on it."""
    database.start_run(run("r"))
    ids = []
    for error in ("first", "again"):
        database.add_case("r", record(error=error))
        ids.append(look(database.path, "SELECT id FROM cases"))
    assert ids[0] == ids[1]


def test_every_case_has_an_id_of_its_own(database: SqliteStore) -> None:
    for run_id in "rs":
        database.start_run(run(run_id))
        for case in (record(), record("b"), record(model="n"), record(suite="s"), record(epoch=2)):
            database.add_case(run_id, case)
    assert look(database.path, "SELECT count(DISTINCT id) AS n FROM cases") == [{"n": 10}]


ODD = "nul \x00, surrogate \ud800, escape \x1b, 漢字, 😀"


def test_what_sqlite_cannot_hold_is_stored_escaped_and_readable(database: SqliteStore) -> None:
    database.start_run(run("r", name=ODD, settings={ODD: ODD}))
    odd_call = call(response=ODD, request={"messages": [ODD]}, model=ODD)
    database.add_case("r", record(ODD, slices=(ODD,), error=ODD, calls=(odd_call,), scores=(score(ODD, reason=ODD),)))
    shown = ODD.replace("\x00", "\\x00").replace("\ud800", "\\ud800")
    (case,) = look(database.path, "SELECT *, length(response) AS n FROM cases")
    assert (case["sample_id"], case["error"], case["response"], case["n"]) == (shown, shown, shown, len(shown))
    assert json.loads(case["slices"]) == [ODD]
    assert look(database.path, "SELECT name, reason FROM scores") == [{"name": shown, "reason": shown}]
    (stored,) = database.cases("r")
    assert (stored.response, stored.slices, stored.scores[0].reason) == (shown, (ODD,), shown)
    assert (database.find_run("r").name, database.find_run("r").settings) == (shown, {ODD: ODD})
    assert database.find_run(ODD) == database.find_run(shown) == database.find_run("r")


def test_a_long_response_is_stored_whole(database: SqliteStore) -> None:
    database.start_run(run("r"))
    database.add_case("r", record(calls=(call(response="é" * 5_000_000),)))
    assert look(database.path, "SELECT length(response) AS n FROM cases") == [{"n": 5_000_000}]


@pytest.mark.parametrize("text", ["'; DROP TABLE cases; --", '"]; drop', "%s%n", "a,b", "${x}", ":name", "?"])
def test_a_text_is_never_sql(database: SqliteStore, text: str) -> None:
    database.start_run(run(text))
    database.add_case(text, record(text, suite=text, slices=(text,), scores=(score(text),)))
    (case,) = database.cases(text)
    assert (case.key.sample_id, case.key.suite, case.scores[0].name) == (text, text, text)


def test_a_finished_run_leaves_everything_in_the_one_file(path: Path) -> None:
    """A copy of the .db alone, made while the session still shows its summary, holds it all."""
    store = SqliteStore(path)
    store.start_run(run("r"))
    for number in range(50):
        store.add_case("r", record(str(number)))
    store.finish_run("r", END)
    wal = path.with_name(path.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    store.close()
    assert look(copy, "SELECT count(*) AS n FROM cases") == [{"n": 50}]
    assert look(copy, "SELECT status FROM runs") == [{"status": "finished"}]
    assert sorted(each.name for each in path.parent.iterdir()) == [".gitignore", "copy.db", "llmeval.db"]


def test_a_reader_holds_up_no_end(path: Path) -> None:
    """SQLite would wait for it, deaf to Ctrl-C; the one who closes the file last leaves it whole."""
    with closing(SqliteStore(path)) as store, closing(SqliteReader.open(path)) as reader:
        store.start_run(run("r"))
        with reader.snapshot():
            assert len(reader.runs()) == 1
            start = time.monotonic()
            store.finish_run("r", END)
            assert time.monotonic() - start < 5
        assert store.find_run("r").shown_status == "finished"
        ((timeout_ms,),) = store._plain("PRAGMA busy_timeout")
    assert timeout_ms == 30_000
    assert not path.with_name(f"{path.name}-wal").exists()
