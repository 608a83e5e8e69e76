"""Cases as the gate reads them, and the calls of a case: the same from every store, and lean from a file."""

import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseRecord, Score
from pytest_llmeval.store import judged
from pytest_llmeval.store.records import stored_case
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader
from tests.support.any_store import Store
from tests.support.judged_cases import judged_record, to_judged
from tests.support.memory_store import MemoryStore
from tests.support.records import call, case_records, record, score, storable_texts, unique_keys
from tests.support.stored_runs import run


def filled(store: Store, *cases: CaseRecord, run_id: str = "r") -> None:
    store.start_run(run(run_id))
    for case in cases:
        store.add_case(run_id, case)


@settings(deadline=None, max_examples=60)
@given(cases=st.lists(case_records(storable_texts), max_size=5).filter(unique_keys))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_lean_way_reads_what_the_full_one_does(kind: str, cases: list[CaseRecord]) -> None:
    with TemporaryDirectory() as folder:
        store: Store = MemoryStore() if kind == "memory" else SqliteStore(Path(folder, "a.db"))
        with closing(store):
            filled(store, *cases)
            assert list(store.judged("r")) == [to_judged(case) for case in store.cases("r")]


@pytest.mark.parametrize("room", [0, 1, 10_000])
def test_it_reads_the_same_however_much_is_held(store: Store, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "_MOST_HELD", room)
    cases = [
        record(
            str(number),
            slices=("a", "b")[: number % 3],
            cluster=f"c{number % 2}",
            scores=(score("x", number / 7, number % 2 == 0), Score(name="y", value=None, passed=None, status="none")),
            calls=(call(input_tokens=number * 1000),),
        )
        for number in range(12)
    ]
    filled(store, *cases, record("bare"))
    assert list(store.judged("r")) == [judged_record(case) for case in [*cases, record("bare")]]


def test_scores_of_a_case_are_looked_up_by_name(store: Store) -> None:
    filled(store, record(scores=(score("b", 0.25), score("a", 0.5))))
    (case,) = store.judged("r")
    assert (dict(case.scores), case.scores.get("nobody"), len(case.scores)) == ({"a": 0.5, "b": 0.25}, None, 2)
    with pytest.raises(KeyError):
        case.scores["nobody"]


def test_two_runs_that_were_recorded_at_one_time_do_not_mix(store: Store) -> None:
    store.start_run(run("r"))
    store.start_run(run("s"))
    for run_id, sample_id in (("r", "a"), ("s", "a"), ("r", "b"), ("s", "c"), ("r", "d")):
        store.add_case(run_id, record(sample_id, scores=(score("x", float(run_id == "r")),)))
    read = {each: [(case.sample_id, case.scores["x"]) for case in store.judged(each)] for each in "rs"}
    assert read == {"r": [("a", 1.0), ("b", 1.0), ("d", 1.0)], "s": [("a", 0.0), ("c", 0.0)]}
    assert [case.key.sample_id for case in store.cases("s")] == ["a", "c"]


@pytest.mark.parametrize("run_id", ["r", "nobody"])
def test_where_there_are_no_cases_there_are_none(store: Store, run_id: str) -> None:
    store.start_run(run("r"))
    assert list(store.judged(run_id)) == []


def test_a_case_that_is_recorded_again_while_cases_are_read_costs_the_others_nothing(store: Store) -> None:
    cases = [record(str(number), scores=(score(),)) for number in range(400)]
    filled(store, *cases)
    reading = store.judged("r")
    seen = [next(reading)]
    store.add_case("r", cases[399])
    seen += reading
    assert [case.sample_id for case in seen][:399] == [str(number) for number in range(399)]
    assert all(case.scores for case in seen[:399])


def test_what_repeats_is_held_once(database: SqliteStore) -> None:
    scores = (score("x", 1.0), score("y", 0.0, False))
    filled(database, *[record(str(number), slices=("hard",), scores=scores) for number in range(3)])
    first, *others = database.judged("r")
    for case in others:
        for name in ("suite", "model", "slices", "outcome", "scores", "passed", "statuses", "digests", "judge_ids"):
            assert getattr(case, name) is getattr(first, name), name


def test_a_call_that_was_given_up_leaves_latency_unknown_as_it_does_cost_and_tokens() -> None:
    """The case waited for it, nobody knows how long: a rule on latency would pass by what was asked in its place."""
    unknown: dict[str, Any] = dict.fromkeys(("latency_s", "input_tokens", "output_tokens", "cost_usd"))
    case = stored_case("r", record(calls=(call(**{**unknown, "status": "interrupted"}), call())))
    assert (case.latency_s, case.input_tokens, case.output_tokens, case.cost_usd) == (None, None, None, None)
    assert stored_case("r", record(calls=(call(), call()))).latency_s == 4.0


def stored_cases(count: int) -> list[StoredCase]:
    """Return cases with three scores each, as many runs have them."""
    made = stored_case("r", record())
    return [
        replace(
            made,
            id=f"{number:024}",
            key=replace(made.key, sample_id=f"sample-{number:06}"),
            input_digest=f"{number:064}",
            response="r" * 500,
            latency_s=number / 7,
            scores=tuple(score(name, number % 5 / 4, reason="w" * 200) for name in "abc"),
        )
        for number in range(count)
    ]


def test_a_case_takes_little_room(database: SqliteStore) -> None:
    """Two runs of 100,000 cases fit into 100 MB."""
    count = 4000
    database.import_run(run("r"), stored_cases(count))
    with closing(SqliteReader.open(database.path)) as reader:
        next(reader.judged("r"))
        tracemalloc.start()
        try:
            kept = list(reader.judged("r"))
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(kept) == count
    assert size / count < 520


def test_a_reader_leaves_the_file_as_it_is(database: SqliteStore) -> None:
    filled(database, record())
    database.close()
    before = sorted((each.name, each.read_bytes()) for each in database.path.parent.iterdir())
    with closing(SqliteReader.open(database.path)) as reader:
        assert [case.sample_id for case in reader.judged("r")] == ["a"]
    assert [pair for pair in before if pair[0].endswith(".db")] == [
        (each.name, each.read_bytes()) for each in database.path.parent.iterdir() if each.name.endswith(".db")
    ]


# The calls of a case


def test_the_calls_of_a_case_come_in_their_order(store: Store) -> None:
    own = (call(name="m-1", response="first"), call(name="m-2"), call("judge", name="j-1"))
    filled(store, record(calls=own), record("b", calls=(call(name="m-1"),)))
    (case, _) = store.cases("r")
    assert store.calls(case.id) == list(own)
    assert store.calls("nobody") == []


def test_calls_without_a_name_take_their_number(store: Store) -> None:
    filled(store, record(calls=(call(), call("judge"))))
    (case,) = store.cases("r")
    assert [each.name for each in store.calls(case.id)] == ["1", "2"]


def test_a_call_that_was_made_before_its_case_ran_again_stands_before_those_of_now(store: Store) -> None:
    filled(store, record(calls=(call(name="a"), call(name="b"), call(name="c", status="timeout", response=None))))
    store.add_case("r", record(calls=(call(name="d"), call(name="a", response="again"))))
    (case,) = store.cases("r")
    told = [(each.name, each.response) for each in store.calls(case.id)]
    assert told == [("b", "x"), ("c~1", None), ("d", "x"), ("a", "again")]
