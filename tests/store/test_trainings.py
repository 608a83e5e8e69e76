"""The table of trainings."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.trainings import Training
from tests.support.stored_runs import look

FIRST = Training(
    id="t1",
    name="tiny",
    started_at="2026-01-02T03:04:05+00:00",
    status="running",
    base="local:smollm2",
    config={"seed": 3},
    seed=3,
    git_commit="abc",
    git_dirty=True,
    version="0.1.0",
)
ENDED = replace(
    FIRST,
    status="finished",
    verdict="pass",
    finished_at="2026-01-02T03:09:05+00:00",
    adapter="here/adapter",
    steps=8,
    best_step=4,
    tokens_per_s=12.5,
    peak_memory_bytes=1 << 33,
    record={"digests": {"train": "aa"}},
    log=[{"step": 1, "loss": 2.5}],
    proof=[{"split": "val", "delta": 0.5}],
)


def test_what_is_stored_of_a_training_reads_back_and_replaces_its_beginning(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.put_training(FIRST)
        assert store.trainings() == [FIRST]
        store.put_training(ENDED)
        newer = replace(FIRST, id="t2", started_at="2026-02-02T03:04:05+00:00", git_dirty=None, git_commit=None)
        store.put_training(newer)
    with closing(SqliteStore(path)) as store:
        assert store.trainings() == [newer, ENDED]


def test_outside_readers_find_plain_columns(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.put_training(ENDED)
    (row,) = look(
        path, "SELECT name, verdict, git_dirty, steps, json_extract(proof, '$[0].delta') AS gain FROM trainings"
    )
    assert row == {"name": "tiny", "verdict": "pass", "git_dirty": 1, "steps": 8, "gain": 0.5}
