"""``llmeval compare`` of runs that have nothing in common."""

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_compare import NEW, OLD, add
from tests.support.records import record, score
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
