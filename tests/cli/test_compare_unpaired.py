"""``llmeval compare`` of runs that have nothing in common."""

from pathlib import Path

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_compare import NEW, OLD, add
from tests.support.records import record, score
from tests.support.shard_files import shard_file
from tests.support.stored_runs import END, run


def test_runs_without_a_common_suite_prove_nothing(store: SqliteStore, llmeval: Command) -> None:
    """They are not judged, and no pipeline is to go on with that."""
    add(store, OLD)
    store.start_run(run(NEW))
    store.add_case(NEW, record("row", suite="renamed", scores=(score(),)))
    store.finish_run(NEW, END)
    done = llmeval("compare", OLD, NEW, "--fail-on-regression")
    assert (done.status, done.out.splitlines()[0]) == (10, "NOT JUDGED: no suite is in both runs")
    assert "note: qa: only in the base" in done.out


def test_runs_of_other_models_are_told_so(store: SqliteStore, llmeval: Command) -> None:
    """Both have the suite; which of two models is held against the one of the base, nobody said."""
    add(store, OLD)
    store.start_run(run(NEW))
    for model in ("x", "y"):
        store.add_case(NEW, record("row", model=model, scores=(score(),)))
    store.finish_run(NEW, END)
    done = llmeval("compare", OLD, NEW)
    told = "NOT JUDGED: no model is in both runs (m; x, y); name one of each as RUN@MODEL"
    assert " ".join(done.out.split()).startswith(told)


def test_a_shard_is_told_from_a_whole_run(here: Path, llmeval: Command) -> None:
    """Most rows of a baseline are gone from it, which no new baseline fixes; its verdict is that of the whole."""
    db = f"--llmeval-db={shard_file(here, '1/2')}"
    (line,) = llmeval("runs", db).out.splitlines()[1:]
    assert "finished, shard 1/2" in line
    told = "run 20250102-030401-000002 is shard 1/2: llmeval merge joins it with the others, and judges them"
    assert f"note: {told}" in " ".join(llmeval("compare", "last", "last", db).out.split())
