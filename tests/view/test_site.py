"""The pages as files: what is written, by which names, and what a folder may hold."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import SettingsError, StoreError, ThresholdsError
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.records import Run, stored_case
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import site
from pytest_llmeval.view.site import self_contained, write_site
from pytest_llmeval.view.source import Source
from tests.support.hostile_run import hostile_run
from tests.support.records import record, score
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW, OLD, VERDICT


def links_of(text: str) -> list[str]:
    return [link.partition("#")[0] for link in re.findall(r'(?:href|src)="([^"]*)"', text)]


def test_every_link_leads_to_a_file_beside_it(two_runs: SqliteStore, source: Source, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    count = write_site(folder, source, two_runs.runs())
    written = {*os.listdir(folder)}
    assert len(written) == count + 1 and "index.html" in written
    followed, left = set(), {"index.html"}
    while left:
        name = left.pop()
        followed.add(name)
        text = (folder / name).read_text("utf-8")
        links = {link for link in links_of(text) if link} if name.endswith(".html") else set()
        assert links <= written, name
        left |= links - followed
    assert followed == written - {"written-by-llmeval.txt"}, "every page is reached"
    assert len([name for name in written if name.startswith("case-")]) == 16
    assert len([name for name in written if name.startswith("compare-")]) == 1


def test_only_so_many_cases_and_runs_are_written(two_runs: SqliteStore, source: Source, tmp_path: Path) -> None:
    """Misses, errors and flips before others; the page says so."""
    folder = tmp_path / "out"
    write_site(folder, replace(source, most_cases=5), [two_runs.find_run(NEW)])
    (page,) = folder.glob("run-*.html")
    text = page.read_text("utf-8")
    listed = re.findall(r'class="lv-id"><a href="case-\w+\.html">([^<]*)</a>', text)
    assert listed == ["row-1", "row-3", "row-5", "broken", "row-0"]
    assert "5 of 8 cases stand here: misses first" in text
    assert len(list(folder.glob("case-*.html"))) == 5
    assert "compare" not in {name.partition("-")[0] for name in os.listdir(folder)}, "the base is not written"


def test_why_a_rule_passed_is_told_where_it_is_worth_a_word(two_runs: SqliteStore, source: Source) -> None:
    """As everywhere else: of a bar always, of a rule on a change where it left out many rows."""
    bar = replace(VERDICT, verdict="pass", reason="by chance alone a rerun would miss this bar 32% of the time")
    change = replace(bar, rule="max_drop=0.05", delta=0.01, n=6, reason="rows: 0 worse, 1 better")
    two_runs.set_verdicts(NEW, [bar, change])
    text = self_contained(source, two_runs.find_run(NEW))
    assert text.count("a rerun would miss this bar 32%") == 1
    assert "rows: 0 worse" not in text


def test_a_page_says_nothing_of_a_sample_where_all_cases_stand(two_runs: SqliteStore, source: Source) -> None:
    text = self_contained(source, two_runs.find_run(OLD))
    assert "stand here" not in text and "8 cases" in text


@pytest.mark.parametrize("is_folder", [False, True])
def test_pages_of_a_run_that_goes_on_are_of_one_moment(
    store: SqliteStore, source: Source, tmp_path: Path, is_folder: bool
) -> None:
    """Neither cases nor the end that come while it is read stand in one part of a page alone."""
    store.start_run(run())
    found = store.find_run(run().id)
    store.add_case(run().id, record("a", error="first"))
    left = ["b", "c", "d"]

    def going_on(text: str) -> str:
        if text == "first" and left:
            store.add_case(run().id, record(left.pop(), outcome="missed", scores=(score("made_later", 0.0, False),)))
            store.finish_run(run().id, END)
        return text

    reading = replace(source, redact=going_on)
    if is_folder:
        write_site(tmp_path / "out", reading, [found])
        text = "".join(path.read_text("utf-8") for path in (tmp_path / "out").glob("*.html"))
    else:
        text = self_contained(reading, found)
    assert len(left) < 3, "it went on"
    assert "made_later" not in text and ">finished<" not in text
    text = self_contained(source, found)
    assert "made_later" in text and ">finished<" in text, "since it was found"


@pytest.mark.parametrize(("most", "told"), [(1, True), (2, False)])
def test_a_page_of_two_runs_says_where_flips_found_no_room(
    two_runs: SqliteStore, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, told: bool
) -> None:
    monkeypatch.setattr(site, "_FLIPS", most)
    write_site(tmp_path / "out", source, two_runs.runs())
    (page,) = (tmp_path / "out").glob("compare-*.html")
    text = page.read_text("utf-8")
    assert "2 cases flipped" in text and text.count('class="lv-flip"') == most
    assert ("1 of 2 stand here. llmeval view shows all of them." in text) is told
    assert "stand here" not in text or told


def test_a_folder_is_written_again(two_runs: SqliteStore, source: Source, tmp_path: Path) -> None:
    """What is no longer there goes."""
    folder = tmp_path / "out"
    write_site(folder, source, two_runs.runs())
    write_site(folder, source, two_runs.runs()[:1])
    assert len(list(folder.glob("run-*.html"))) == 1


def no_rules(run: Run) -> Thresholds:
    raise ThresholdsError("strict.yaml: no such file; name one with --thresholds")


def test_rules_that_are_gone_are_said_where_they_are_missed(
    two_runs: SqliteStore, source: Source, tmp_path: Path
) -> None:
    """All else needs none."""
    write_site(tmp_path / "out", replace(source, rules_of=no_rules), two_runs.runs())
    (page,) = (tmp_path / "out").glob("compare-*.html")
    text = page.read_text("utf-8")
    assert "The changes were not judged: strict.yaml: no such file; name one with --thresholds." in text
    assert "row-0" in text, "what flipped"


def test_pages_that_cannot_be_made_take_no_earlier_ones_away(
    two_runs: SqliteStore, source: Source, tmp_path: Path
) -> None:
    def broken(run: Run) -> Thresholds:
        raise StoreError("the database went away")

    folder = tmp_path / "out"
    write_site(folder, source, two_runs.runs())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StoreError, match="went away"):
        write_site(folder, replace(source, rules_of=broken), two_runs.runs())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_with_something_else_is_left_alone(two_runs: SqliteStore, source: Source, tmp_path: Path) -> None:
    (tmp_path / "kept.html").write_text("mine")
    with pytest.raises(SettingsError, match="holds what llmeval did not write"):
        write_site(tmp_path, source, two_runs.runs())
    assert (tmp_path / "kept.html").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_said(two_runs: SqliteStore, source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_site(tmp_path / "file" / "out", source, two_runs.runs())


def test_no_text_of_the_database_is_a_name(store: SqliteStore, source: Source, tmp_path: Path) -> None:
    """Ids of runs and cases are texts of anybody: those of a merged database, say."""
    for id in ("../../up", "/etc/passwd", "a\\..\\b", "NUL", "x" * 3000):
        store.start_run(run(id))
        store.add_case(id, record("../../../case"))
        store.finish_run(id, END)
    folder = tmp_path / "deep" / "out"
    write_site(folder, source, store.runs())
    assert not list(tmp_path.glob("*.html")) and not list((tmp_path / "deep").glob("*.html"))
    pattern = r"(index|(run|case|compare)-[0-9a-f]{24})\.html|view\.(css|js)|written-by-llmeval\.txt"
    assert all(re.fullmatch(pattern, name) for name in os.listdir(folder))
    assert len(list(folder.glob("run-*.html"))) == 5


def test_one_page_needs_no_other(two_runs: SqliteStore, source: Source) -> None:
    text = self_contained(source, two_runs.find_run(NEW))
    assert not {link for link in links_of(text) if link and not link.startswith("#")}
    assert "default-src 'none'" in text and "<style>" in text
    assert text.count("In full") == 8 and "Who wrote letter 3?" in text


def test_hostile_texts_are_written(store: SqliteStore, source: Source, tmp_path: Path) -> None:
    found = hostile_run(store)
    write_site(tmp_path / "out", source, [found])
    text = self_contained(source, found)
    assert "<script>document" not in text and "<img" not in text and "<iframe" not in text
    assert text.count("<script") == 1


def test_a_page_stays_small_however_many_cases_there_are(store: SqliteStore, source: Source) -> None:
    store.import_run(run(), (stored_case(run().id, record(f"r{number}", outcome="missed")) for number in range(3_000)))
    text = self_contained(replace(source, most_cases=100), store.find_run("last"))
    assert "100 of 3,000 cases stand here" in text and len(text) < 500_000
