"""Shards joined: in any order they come to one run, which holds every case once, whatever its texts are."""

import itertools
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.shards import Shard
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.merging import import_shards, joined_run, runs_in
from pytest_llmeval.store.records import stored_case
from pytest_llmeval.store.shards import matching_shards
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.growth import assert_grows_with_size
from tests.support.records import call, case_records, record, score, storable_texts
from tests.support.shard_files import shard_file, shard_run


def joined(into: Path, files: list[Path]) -> SqliteStore:
    """Join the shards in ``files`` into a store."""
    store = SqliteStore(into)
    shards = matching_shards([(file, runs_in(file)) for file in files])
    assert import_shards(store, joined_run(shards, store.runs()), shards)
    return store


def content(store: SqliteStore) -> Any:
    """Return all that a store holds of its only run, whatever the order of recording."""
    (run,) = store.runs()
    cases = {case.id: case for case in store.cases(run.id)}
    calls = sorted((case, repr(found)) for case in cases for found in store.calls(case))
    earlier = store.earlier_outcomes(run.id)
    return replace(run, pid=0), cases, calls, store.judges(run.id), store.spending(run.id), earlier


def told(case: CaseRecord) -> CaseRecord:
    """Return a case whose judge_ids say what stands behind them, as those of real judges do."""
    return replace(case, judges=tuple(replace(each, rubric=each.judge_id, detail="") for each in case.judges))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    records=st.lists(case_records(storable_texts).map(told), max_size=8, unique_by=lambda each: each.key.sample_id),
    of=st.integers(1, 3),
    seed=st.randoms(use_true_random=False),
)
def test_shards_in_any_order_come_to_the_run_of_all_cases(records: list[CaseRecord], of: int, seed: Any) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = []
        for number in range(1, of + 1):
            own = [each for each in records if Shard(number, of).holds(each.key.sample_id)]
            files.append(shard_file(folder, f"{number}/{of}", own))
        with closing(joined(folder / "one.db", files)) as one:
            seed.shuffle(files)
            with closing(joined(folder / "other.db", files)) as other:
                assert content(one) == content(other)
            (run,) = one.runs()
            with closing(SqliteStore(folder / "whole.db")) as whole:
                whole.start_run(run)
                for each in records:
                    whole.add_case(run.id, each)
                assert content(one) == content(whole)


def test_labels_and_earlier_outcomes_keep_to_their_cases(tmp_path: Path) -> None:
    files = [shard_file(tmp_path, f"{number}/2") for number in (1, 2)]
    for file in files:
        with closing(SqliteStore(file)) as store:
            (run,) = store.runs()
            for case in list(store.cases(run.id)):
                store.add_case(run.id, record(case.key.sample_id, suite=case.key.suite, error=case.key.sample_id))
                store.add_case(run.id, record(case.key.sample_id, suite=case.key.suite))
            store.add_labels(
                Label(case_id=case.id, name="exact", value=1.0, rater=case.key.sample_id, at="2026-01-01", draw="all")
                for case in store.cases(run.id)
            )
    with closing(joined(tmp_path / "all.db", files)) as store:
        (run,) = store.runs()
        names = {case.id: case.key.sample_id for case in store.cases(run.id)}
        assert {label.rater: names[label.case_id] for label in store.labels(run.id)} == {
            each: each for each in names.values()
        }
        earlier = [(names[each.case_id], each.number, each.error) for each in store.earlier_outcomes(run.id)]
        assert sorted(earlier) == sorted((name, *told) for name in names.values() for told in ((1, None), (2, name)))


def test_a_damaged_answer_is_never_used_again(tmp_path: Path) -> None:
    """It would be known by a checksum of its own otherwise."""
    answers = [record(each, calls=(call(cache_key=each),)) for each in ("a", "b", "c", "d")]
    file = shard_file(tmp_path, "1/1", answers)
    with closing(SqliteStore(file)) as store, store._transaction():
        store._connection.execute("UPDATE calls SET response = 'forged' WHERE cache_key = 'b'")
    with closing(joined(tmp_path / "all.db", [file])) as store:
        (run,) = store.runs()
        keys = {found.response: found.cache_key for case in store.cases(run.id) for found in store.calls(case.id)}
        assert keys["forged"] is None
        assert keys["x"] is not None


def test_calls_of_a_case_that_never_ended_are_kept_and_paid_for(tmp_path: Path) -> None:
    file = shard_file(tmp_path, "1/1", [record("a", calls=(call(),)), record("b", calls=(call(),))])
    with closing(SqliteStore(file)) as store, store._transaction():
        store._connection.execute("DELETE FROM cases WHERE sample_id = 'b'")
    with closing(joined(tmp_path / "all.db", [file])) as store:
        (run,) = store.runs()
        (spent,) = store.spending(run.id)
        assert (spent.calls, spent.cost_usd) == (2, 1.0)


def large_files(folder: Path, cases: int, characters: int) -> list[Path]:
    """Write two shards of so many cases, each with an answer of so many characters; return the files."""
    files = []
    for number in (1, 2):
        held = [f"row{index}" for index in range(cases) if Shard(number, 2).holds(f"row{index}")]
        run, answer = shard_run(f"{number}/2", cases=len(held)), call(response="x" * characters)
        own = [stored_case(run.id, record(each, calls=(answer,), scores=(score(),))) for each in held]
        files.append(folder / f"{number}.db")
        with closing(SqliteStore(files[-1])) as store:
            store.import_run(run, own, calls=((case.id, answer) for case in own))
    return files


@pytest.mark.timeout(120)
def test_joining_grows_with_the_number_of_cases(tmp_path: Path) -> None:
    files = {}
    for count in (1_000, 4_000):
        (folder := tmp_path / str(count)).mkdir()
        files[count] = large_files(folder, count, 1_000)
    numbers = itertools.count()

    def join(count: int) -> None:
        with closing(joined(tmp_path / f"all{next(numbers)}.db", files[count])) as store:
            (run,) = store.runs()
            assert sum(1 for _ in store.judged(run.id)) == count

    assert_grows_with_size(join, 4_000)


def test_cases_are_joined_as_a_stream(tmp_path: Path) -> None:
    """Their answers take 40 MB."""
    files = large_files(tmp_path, 400, 100_000)
    tracemalloc.start()
    joined(tmp_path / "all.db", files).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
