"""Two models or two suites of a run beside each other: what a run offers, and what the page of a comparison shows."""

import html
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.store.browsing import BrowsingReader
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import app, site
from pytest_llmeval.view.side_by_side import flips_between
from pytest_llmeval.view.site import write_site
from pytest_llmeval.view.source import Source
from tests.support.hostile import HOSTILE
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW, OLD
from tests.view.test_pages import listed, whole

SHORT, LONG = "ab[short]", "ab[long]"
MODELS = ("small", "big one")
RIGHT = {
    (SHORT, "small"): "111111",
    (SHORT, "big one"): "110111",
    (LONG, "small"): "000111",
    (LONG, "big one"): "011111",
    ("other", "small"): "000000",
    ("other", "big one"): "100000",
}
"""By suite and model, which of its rows are right."""


def add(store: SqliteStore, id: str = NEW, right: Mapping[tuple[str, str], str] = RIGHT, **fields: Any) -> None:
    """Record a finished run; both suites that are called ``ab`` ask the same rows."""
    suites: dict[str, dict[str, Any]] = {}
    for (suite, model), rows in right.items():
        found = suites.setdefault(suite, {"expected": {}, "rows_digest": suite.partition("[")[0]})
        found["expected"][model] = len(rows)
    models = tuple(dict.fromkeys(model for _, model in right))
    started = f"{id[:4]}-{id[4:6]}-{id[6:8]}T00:00:00.000+00:00"
    store.start_run(run(id, started_at=started, models=models, **{"settings": {"suites": suites}, **fields}))
    for (suite, model), rows in right.items():
        for number, digit in enumerate(rows):
            is_right = digit == "1"
            made: dict[str, Any] = {
                "outcome": "passed" if is_right else "missed",
                "scores": (score("exact", float(is_right), is_right),),
                "input_digest": f"{suite.partition('[')[0]} {number}",
                "calls": (call(model=model, response=f"{suite} of {model} says {digit}"),),
            }
            store.add_case(id, record(f"row-{number}", suite=suite, model=model, **made))
    store.finish_run(id, END)


@pytest.fixture
def matrix(store: SqliteStore) -> SqliteStore:
    """A run with two models, two suites of the same rows, and one of others."""
    add(store, name="nightly")
    return store


def compared(client: TestClient, base: str, current: str, **more: str) -> str:
    """Return the page of a comparison."""
    return client.get("/compare", params={"base": base, "current": current, **more}).text


def flipped(text: str) -> list[tuple[str, str]]:
    """Return the rows that a page shows as flipped, with what is said of suite and model."""
    return re.findall(r'class="lv-flip">\s*<div class="lv-case-head"><b>([^<]*)</b> <span[^>]*>([^<]*)</span>', text)


def offered(text: str) -> list[list[tuple[str, list[str]]]]:
    """Return each form that compares: its fields, each with the chosen value and those that there are."""
    forms = re.findall(r'<form[^>]*action="/compare".*?</form>', text, re.DOTALL)
    fields = [re.findall(r'<select name="(\w+)">(.*?)</select>', each) for each in forms]
    return [[(name, re.findall(r'<option value="([^"]*)"', options)) for name, options in each] for each in fields]


def chosen(text: str) -> list[str]:
    return re.findall(r'<option value="([^"]*)" selected', text.partition("<h2>Gate")[0])


def test_the_page_of_a_run_offers_its_models_and_its_suites_of_the_same_rows(
    client: TestClient, matrix: SqliteStore
) -> None:
    """In fields that need no script; the second is compared with the first unless somebody says otherwise."""
    text = whole(client, f"/run?id={NEW}")
    models, suites = [f"{NEW}@small", f"{NEW}@big one"], [f"{NEW}::{LONG}", f"{NEW}::{SHORT}"]
    assert offered(text) == [
        [("current", models), ("base", models)],
        [("current", suites), ("base", suites)],
    ]
    assert chosen(text) == [models[1], models[0], suites[1], suites[0]]
    assert 'aria-label="Compare two models"' in text and 'aria-label="Compare two suites"' in text
    assert "<optgroup" not in text


def test_suites_of_other_rows_are_groups_of_their_own(client: TestClient, store: SqliteStore) -> None:
    add(store, right=dict.fromkeys([("ab[x]", "m"), ("ab[y]", "m"), ("cd[x]", "m"), ("cd[y]", "m"), ("e", "m")], "1"))
    text = whole(client, f"/run?id={NEW}")
    ((current, base),) = offered(text)
    assert current[1] == base[1] == [f"{NEW}::{name}" for name in ("ab[x]", "ab[y]", "cd[x]", "cd[y]")]
    assert re.findall('<optgroup label="([^"]*)">', text) == ["ab", "cd"] * 2


@pytest.mark.parametrize(
    "right",
    [
        {("qa", "m"): "11", ("other", "m"): "11"},
        {(SHORT, "m"): "11", (LONG, "m"): ""},
        {("a\nb[x]", "m"): "1", ("a\nb[y]", "m"): "1"},
        {(f"{'a' * 2000}[x]", "m"): "1", (f"{'a' * 2000}[y]", "m"): "1"},
    ],
    ids=["other rows", "no cases yet", "line ends", "too long"],
)
def test_what_cannot_be_compared_is_not_offered(
    client: TestClient, store: SqliteStore, right: dict[tuple[str, str], str]
) -> None:
    """Nor what a form would send back otherwise."""
    add(store, right=right)
    assert offered(whole(client, f"/run?id={NEW}")) == []


def test_hostile_names_are_offered_as_they_are(client: TestClient, store: SqliteStore) -> None:
    """Those that come back from a form; each leads to its own comparison."""
    names = sorted({*HOSTILE.values(), "a@b", "a::b", "a::b@c"})
    right = {(f"x[{name}]", model): "1" for name in names for model in names[:5]}
    add(store, right=right)
    for (current, _), count in zip(offered(client.get(f"/run?id={NEW}").text), (2, 10), strict=True):
        assert len(current[1]) > count
        for ref in map(html.unescape, current[1]):
            answer = client.get("/compare", params={"base": ref, "current": ref})
            assert answer.status_code == 200 and "<script>document" not in answer.text, repr(ref)


def test_two_models_of_a_run_stand_side_by_side(client: TestClient, matrix: SqliteStore) -> None:
    """Suite by suite, as `llmeval compare` sets them against each other."""
    address = f"/compare?base={NEW}%40big+one&current={NEW}%40small"
    text = whole(client, address)
    assert "<h1>Two models of a run side by side</h1>" in text
    assert "<title>nightly@small against nightly@big one · llmeval</title>" in text
    assert f'<a href="/run?id={NEW}&amp;model=big+one">nightly@big one</a>' in text
    assert flipped(text) == [("row-2", SHORT), ("row-1", LONG), ("row-2", LONG), ("row-0", "other")]
    assert "4 cases flipped" in text and "model big one, now small" in text
    first = text.partition('class="lv-flip"')[2].partition("</article>")[0]
    assert re.findall(r'<span class="lv-muted">(small|big one)</span>', first) == ["big one", "small"]
    assert re.findall(r"<pre[^>]*>([^<]*)</pre>", first) == [f"{SHORT} of big one says 0", f"{SHORT} of small says 1"]
    for case, suite, model in zip(
        re.findall(r"/case\?id=[0-9a-f]+", first), (SHORT, SHORT), ("big one", "small"), strict=True
    ):
        assert f"{suite} · {model}" in client.get(case).text


def test_two_suites_of_a_run_stand_side_by_side(client: TestClient, matrix: SqliteStore) -> None:
    """Model by model, under the name of the current one; rows of no other suite are there."""
    text = whole(client, f"/compare?base={NEW}::{SHORT}&current={NEW}::{LONG}")
    assert "<h1>Two suites of a run side by side</h1>" in text
    assert f"<title>nightly::{LONG} against nightly::{SHORT} · llmeval</title>" in text
    assert f'<a href="/run?id={NEW}&amp;suite=ab%5Bshort%5D">nightly::{SHORT}</a>' in text
    assert sorted(flipped(text)) == [
        ("row-0", "big one"),
        ("row-0", "small"),
        ("row-1", "small"),
        ("row-2", "big one"),
        ("row-2", "small"),
    ]
    assert f"suite {SHORT}, now {LONG}" in text and f">{LONG}</th>" in text and ">other</th>" not in text


def test_a_suite_and_a_model_of_each_stand_side_by_side(client: TestClient, matrix: SqliteStore) -> None:
    text = compared(client, f"nightly::{SHORT}@small", f"last::{LONG}@big one")
    assert flipped(text) == [("row-0", "")]
    assert f">nightly::{SHORT}@small</a>" in text and f">nightly::{LONG}@big one</a>" in text
    assert text.count(f'<span class="lv-muted">{LONG}</span> <span class="lv-muted">big one</span>') == 1


def test_a_suite_that_one_side_names_is_that_of_the_other_too(client: TestClient, matrix: SqliteStore) -> None:
    add(matrix, OLD, {(SHORT, "small"): "011111", (LONG, "small"): "000000"})
    text = compared(client, OLD, f"{NEW}::{SHORT}@small")
    assert flipped(text) == [("row-0", f"{SHORT} · small")]
    assert f">{OLD}::{SHORT}</a>" in text and "<h1>Two runs side by side</h1>" in text


def test_one_model_of_a_run_is_held_against_the_only_one_of_another(client: TestClient, matrix: SqliteStore) -> None:
    """Whatever its name, as in a comparison of two runs with one model each."""
    add(matrix, OLD, {(SHORT, "older"): "011111"})
    assert flipped(compared(client, OLD, f"{NEW}@small")) == [("row-0", SHORT)]
    assert flipped(compared(client, f"{NEW}@small", OLD)) == [("row-0", SHORT)]
    assert flipped(compared(client, OLD, NEW)) == []


def test_swapped_sides_and_further_pages_are_of_the_same_sides(
    client: TestClient, matrix: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_FLIPS", 2)
    text = compared(client, "last@big one", "last@small")
    (swap,) = re.findall(r'href="([^"]*)">swap them', text)
    (more,) = re.findall(r'rel="next" href="([^"]*)"', text)
    later = client.get(html.unescape(more)).text
    assert [row for row, _ in flipped(text) + flipped(later)] == ["row-2", "row-1", "row-2", "row-0"]
    assert "4 cases flipped" in text and "4 cases flipped" in later
    swapped = client.get(html.unescape(swap)).text
    assert "<title>nightly@big one against nightly@small · llmeval</title>" in swapped
    assert f"base={NEW}%40small&amp;current={NEW}%40big+one" in swapped, "of its own next page"


@pytest.mark.parametrize(("base", "current"), [(SHORT, LONG), (LONG, SHORT), ("other", "other")])
def test_every_pair_of_sides_has_a_comparison_of_its_own(
    client: TestClient, matrix: SqliteStore, base: str, current: str
) -> None:
    """Though all are of one run, and one of them was worked out before."""
    whole(client, f"/compare?base={NEW}::{SHORT}&current={NEW}::{LONG}")
    text = whole(client, f"/compare?base={NEW}::{base}&current={NEW}::{current}")
    assert {*re.findall(r'<tr><th scope="row">([^<]*)</th><td>exact', text)} == {current}


@pytest.mark.parametrize(
    ("base", "current", "message"),
    [
        ("last@nix", "last", f"'last@nix': {NEW} has no such model; it has small, big one"),
        ("last::ab", "last", f"'last::ab': {NEW} has no suite 'ab'; there are 'ab[long]', 'ab[short]'"),
        ("last", "last::othr", f"'last::othr': {NEW} has no suite 'othr'; did you mean 'other'?"),
        ("last@small::ab[long]", "last", "'last@small::ab[long]': the model goes after the suite: RUN::SUITE@MODEL"),
        ("nix::ab[long]", "last", "'nix::ab[long]': no baseline, no run in "),
        ("main.jsonl", "last", "'main.jsonl': no baseline, no run in "),
        ("", "last", "'': no baseline, no run in "),
    ],
)
def test_mistakes_are_told_as_by_the_command(
    client: TestClient, matrix: SqliteStore, source: Source, base: str, current: str, message: str
) -> None:
    """An address means no file of this machine, whoever made it up."""
    with (source.root / "main.jsonl").open("w") as file:
        file.write("{}")
    answer = client.get("/compare", params={"base": base, "current": current})
    told = html.unescape(answer.text)
    assert answer.status_code == 404 and "<h1>Not found</h1>" in told
    assert f"<p>{message}" in told and "no file" not in told


def test_a_baseline_that_is_one_model_of_a_run_is_compared_as_that(
    client: TestClient, matrix: SqliteStore, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the link of the run that has it, in files too, where the command names it as a shell takes it."""
    chosen = {"kind": "run", "run": NEW, "name": f"{NEW}@big one", "model": "big one"}
    id = "20260103-000000-cccccc"
    add(matrix, id, {(SHORT, "newer"): "111111"}, settings={"baseline": chosen})
    text = whole(client, f"/run?id={id}&flipped=1")
    assert listed(text) == ["row-2"]
    (link,) = re.findall(r'href="([^"]*)">Compare with ' + NEW + "@big one", text)
    assert flipped(client.get(html.unescape(link)).text) == [("row-2", SHORT)]
    monkeypatch.setattr(site, "_MOST_COMPARED", 0)
    write_site(tmp_path / "out", source, matrix.runs())
    (page,) = (tmp_path / "out").glob("compare-*.html")
    written = html.unescape(page.read_text("utf-8"))
    assert f"<code>llmeval compare '{NEW}@big one' {id}</code>" in written
    assert flipped(written) == [("row-2", SHORT)]
    assert not any('action="/compare"' in each.read_text("utf-8") for each in (tmp_path / "out").glob("*.html"))


_epochs = st.lists(st.sampled_from(["passed", "missed", "skipped"]), min_size=1, max_size=3)
_row = st.tuples(st.sampled_from("xxxy"), st.fixed_dictionaries({"m": _epochs, "n": _epochs}))
_suites = st.fixed_dictionaries({name: st.lists(_row, min_size=1, max_size=3) for name in "ab"})
_parts = st.sampled_from(["", "@m", "@n", "::a", "::b", "::a@m", "::b@n", "::b@m"])


@settings(deadline=None, max_examples=100)
@given(
    before=_suites,
    after=_suites,
    ids=st.sampled_from([("old", "new"), ("new", "new")]),
    parts=st.tuples(_parts, _parts),
)
def test_as_many_rows_flip_on_a_page_as_by_the_command(
    before: Mapping[str, Any], after: Mapping[str, Any], ids: tuple[str, str], parts: tuple[str, str]
) -> None:
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "x.db")) as store:
        for id, suites in (("old", before), ("new", after)):
            store.start_run(run(id, models=("m", "n")))
            for suite, rows in suites.items():
                for place, (digest, models) in enumerate(rows):
                    for model, outcomes in models.items():
                        for epoch, outcome in enumerate(outcomes, 1):
                            made = {"outcome": outcome, "input_digest": f"{place} {digest}", "epoch": epoch}
                            store.add_case(id, record(f"row-{place}", suite=suite, model=model, **made))
            store.finish_run(id, END)
        refs = [f"{id}{part}" for id, part in zip(ids, parts, strict=True)]
        with closing(BrowsingReader.open(store.path)) as reader:
            base, current = find_sides(refs[0], refs[1], reader=reader, root=None)
            told = compare_found(base, current, Thresholds(), reader=reader, most_flips=0)
            assert reader.count(current.run.id, flips_between(base, current)) == told.worse + told.better
