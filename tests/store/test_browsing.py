"""Cases page by page: every one once, in both directions, and exactly those that are wanted."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.store import browsing
from pytest_llmeval.store.browsing import Against, BrowsingReader, Wanted
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import record
from tests.support.stored_runs import run

NAMES = st.sampled_from(["a", "b", 'a", "b', '["a"', " a", "", "\\", "\\a", "\ud800", "é", "%", "a b"])
ROWS = st.lists(
    st.tuples(st.lists(NAMES, max_size=3), st.sampled_from(["passed", "missed", "skipped"]), st.sampled_from("mn")),
    max_size=14,
)


@settings(deadline=None, max_examples=60)
@given(
    rows=ROWS,
    slice_=st.none() | NAMES,
    outcome=st.none() | st.sampled_from(["passed", "missed"]),
    model=st.none() | st.sampled_from("mn"),
    search=st.sampled_from(["", "row", "1"]),
    size=st.integers(1, 5),
)
def test_what_is_wanted_is_found_once_in_either_direction(
    rows: list[tuple[list[str], str, str]],
    slice_: str | None,
    outcome: Literal["passed", "missed"] | None,
    model: str | None,
    search: str,
    size: int,
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        store = SqliteStore(path)
        for id in ("before", run().id, "after"):
            store.start_run(run(id))
            for place, (slices, came_to, name) in enumerate(rows):
                store.add_case(id, record(f"row{place}", slices=tuple(slices), outcome=came_to, model=name))
        expected = [
            f"row{place}"
            for place, (slices, came_to, name) in enumerate(rows)
            if slice_ in (None, *slices) and outcome in (None, came_to) and model in (None, name)
            if search in f"row{place}"
        ]
        reader = BrowsingReader.open(path)
        wanted = Wanted(slice=slice_, outcome=outcome, model=model, search=search)
        pages = [reader.page(run().id, wanted, size=size)]
        while pages[-1].after is not None:
            pages.append(reader.page(run().id, wanted, size=size, after=pages[-1].after))
        assert [pair.case.key.sample_id for page in pages for pair in page.pairs] == expected
        assert reader.count(run().id, wanted) == len(expected)
        back: list[str] = []
        before: int | None = 10**9
        while before is not None:
            page = reader.page(run().id, wanted, size=size, before=before)
            back[:0] = [pair.case.key.sample_id for pair in page.pairs]
            before = page.before
        assert back == expected
        reader.close()
        store.close()


def test_a_search_stops_after_so_many_cases_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "_SEARCHED", 10)
    store = SqliteStore(tmp_path / "x.db")
    store.start_run(run())
    for place in range(25):
        store.add_case(run().id, record(f"row{place}", error="found" if place in (3, 22) else None))
    reader = BrowsingReader.open(tmp_path / "x.db")
    found: list[list[str]] = []
    after = None
    for _ in range(3):
        page = reader.page(run().id, Wanted(search="found"), size=5, after=after)
        found.append([pair.case.key.sample_id for pair in page.pairs])
        after = page.after
    assert found == [["row3"], [], ["row22"]] and after is None
    reader.close()
    store.close()


def test_of_other_epochs_one_case_of_each_row_that_flipped_by_majority_is_found(tmp_path: Path) -> None:
    """Beside the same epoch where that came to something else, else beside the first that did."""
    store = SqliteStore(tmp_path / "x.db")
    sides = {
        "old": {"one of three": "p", "two of three": "p", "better": "mm", "half": "p", "late": "p"},
        "new": {"one of three": "ppm", "two of three": "mpm", "better": "mpp", "half": "mp", "late": "pmm"},
    }
    for id, found in sides.items():
        store.start_run(run(id))
        for sample_id, outcomes in found.items():
            for epoch, letter in enumerate(outcomes, 1):
                outcome = "passed" if letter == "p" else "missed"
                store.add_case(id, record(sample_id, outcome=outcome, epoch=epoch, input_digest="1"))
    reader = BrowsingReader.open(tmp_path / "x.db")
    wanted = Wanted(flipped=Against(run_id="old"))
    pairs = reader.page("new", wanted, size=9).pairs
    told = {each.case.key.sample_id: (each.case.key.epoch, each.partner and each.partner.key.epoch) for each in pairs}
    assert told == {"two of three": (1, 1), "better": (2, 2), "late": (2, 1)}
    assert reader.count("new", wanted) == 3
    assert reader.count("old", Wanted(flipped=Against(run_id="new"))) == 3
    reader.close()
    store.close()


def test_flips_pair_by_row_model_epoch_and_input(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    for id, outcome, other in (("old", "passed", "missed"), ("new", "missed", "missed")):
        store.start_run(run(id))
        store.add_case(id, record("flips", outcome=outcome, input_digest="1"))
        store.add_case(id, record("stays", outcome=other, input_digest="1"))
        store.add_case(id, record("changed", outcome=outcome, input_digest=id))
        store.add_case(id, record("epochs", outcome=other, epoch=1, input_digest="1"))
        store.add_case(id, record("epochs", outcome=outcome, epoch=2, input_digest="1"))
        store.add_case(id, record("model", model=id, outcome=outcome, input_digest="1"))
    reader = BrowsingReader.open(tmp_path / "x.db")
    pairs = reader.page("new", Wanted(flipped=Against(run_id="old")), size=9).pairs
    assert [(each.case.key.sample_id, each.case.key.epoch) for each in pairs] == [("flips", 1), ("epochs", 2)]
    assert [each.partner.outcome for each in pairs if each.partner] == ["passed", "passed"]
    single = reader.page("new", Wanted(flipped=Against(run_id="old", model="old")), size=9).pairs
    assert [each.case.key.sample_id for each in single] == ["model"]
    reader.close()
    store.close()


def test_flips_of_one_suite_against_another_pair_by_row_model_epoch_and_input(tmp_path: Path) -> None:
    """Of one run or of two; cases of no other suite or model are there."""
    store = SqliteStore(tmp_path / "x.db")
    for id in ("old", "new"):
        store.start_run(run(id))
        for suite, outcome in (("short", "passed"), ("long", "missed"), ("other", "missed")):
            for model in ("m", "n"):
                store.add_case(id, record("flips", suite=suite, model=model, outcome=outcome, input_digest="1"))
                store.add_case(id, record("stays", suite=suite, model=model, outcome="passed", input_digest="1"))
                store.add_case(id, record("changed", suite=suite, model=model, outcome=outcome, input_digest=suite))
    reader = BrowsingReader.open(tmp_path / "x.db")
    for base in ("old", "new"):
        for models in (["m", "n"], ["n"]):
            only = models[0] if len(models) == 1 else None
            against = Against(run_id=base, suite="short", model=only)
            wanted = Wanted(suite="long", model=only, flipped=against)
            pairs = reader.page("new", wanted, size=9).pairs
            keys = [(pair.case.key, pair.partner and pair.partner.key) for pair in pairs]
            assert [(now.sample_id, now.suite, was and was.suite) for now, was in keys] == [
                ("flips", "long", "short") for _ in models
            ]
            assert [(now.model, was and was.model) for now, was in keys] == [(each, each) for each in models]
            assert reader.count("new", wanted) == len(models)
            assert [reader.partner(pair.case, against) for pair in pairs] == [
                reader.case(pair.partner.id) for pair in pairs if pair.partner
            ]
    reader.close()
    store.close()


@pytest.mark.parametrize("against", [Against(run_id="r"), Against(run_id="r", suite="short", model="n")])
def test_each_partner_is_looked_up_by_the_whole_key_of_a_case(tmp_path: Path, against: Against) -> None:
    """A run has a hundred thousand cases, and a page of it takes no second."""
    SqliteStore(tmp_path / "x.db").close()
    reader = BrowsingReader.open(tmp_path / "x.db")
    asked: list[str] = []
    reader._connection.set_trace_callback(asked.append)
    reader.count("r", Wanted(suite="long", model="m", flipped=against))
    reader._connection.set_trace_callback(None)
    steps = [step for (_, _, _, step) in reader._connection.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    index = "USING INDEX sqlite_autoindex_cases_2 (run_id=? AND suite=? AND model=? AND sample_id=?"
    looked_up = [step for step in steps if step.split()[1] in ("was", "epochs")]
    assert len(looked_up) > 5 and all(index in step for step in looked_up), looked_up
    assert not [step for step in steps if step.startswith("SCAN cases")]
    reader.close()


def test_the_names_of_runs_are_read_once_however_often_a_page_asks_for_them(tmp_path: Path) -> None:
    """There may be thousands, and what is compared is looked for by every part of its name; no other run is read."""
    store = SqliteStore(tmp_path / "x.db")
    store.start_run(run("r", models=("m", "n")))
    reader = BrowsingReader.open(tmp_path / "x.db")
    asked: list[str] = []
    reader._connection.set_trace_callback(asked.append)
    sides = find_sides("r@m", "last@n", reader=reader, root=None)
    assert [side.spec for side in sides] == ["r@m", "r@n"]
    of_all = [sql for sql in asked if "FROM runs" in sql and "WHERE id" not in sql]
    assert [sql.split(" FROM")[0] for sql in of_all] == ["SELECT id, name"]
    reader.close()
    store.close()
