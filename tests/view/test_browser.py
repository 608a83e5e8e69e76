"""The pages in a real browser: clicks, keys, files, and texts that would like to run."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pytest_llmeval.view
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view.site import self_contained, write_site
from pytest_llmeval.view.source import Source
from pytest_llmeval.view.summaries import Summaries
from tests.support.browser import needs_chromium, watched_page
from tests.support.hostile import HOSTILE
from tests.support.hostile_run import hostile_run
from tests.support.records import record
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW, OLD, VERDICT, serving

pytestmark = needs_chromium
SIZES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as opened:
        yield opened


def ids(page: Any) -> list[str]:
    """Return the sample ids of the cases that are seen."""
    return [text.strip() for text in page.locator(".lv-case:visible .lv-id").all_inner_texts()]


def wait_until_labelled(page: Any, count: int) -> None:
    page.wait_for_selector(f"text={count} of 6 labelled by Noor")
    page.wait_for_load_state()


def test_one_clicks_from_runs_to_a_case_and_to_the_baseline(served: str, page: Any) -> None:
    page.goto(served)
    page.get_by_role("link", name="nightly").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "nightly"
    page.get_by_role("link", name="row-1", exact=True).click()
    page.wait_for_load_state()
    assert "Lee wrote it" in page.locator("main").inner_text()
    page.get_by_role("link", name="The same case in the baseline").click()
    page.wait_for_load_state()
    assert OLD in page.locator("nav").inner_text()


def test_filters_apply_at_once(served: str, page: Any) -> None:
    page.goto(f"{served}/run?id={NEW}")
    page.get_by_label("Slice").select_option("odd")
    page.wait_for_url(re.compile("slice=odd"))
    assert ids(page) == ["row-1", "row-3", "row-5"]
    page.get_by_label(re.compile("flipped since")).check()
    page.wait_for_url(re.compile("flipped=1"))
    assert ids(page) == ["row-1"]
    page.get_by_role("link", name="clear").click()
    page.wait_for_url(re.compile("bbbbbb#cases"))
    page.keyboard.press("/")
    page.keyboard.type("row-4")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("search=row-4"))
    assert ids(page) == ["row-4"]
    page.get_by_role("link", name=re.compile("^missed")).click()
    assert "No case fits" in page.locator("main").inner_text()


def test_answers_are_labelled_by_keyboard(served: str, page: Any, two_runs: SqliteStore) -> None:
    """Level by number, note, name once, then the next one; the mouse is not touched."""
    page.goto(f"{served}/label?run={NEW}")
    first = page.locator("[name=case]").input_value()
    page.keyboard.press("3")
    page.keyboard.press("2")
    assert page.locator(".lv-marked legend").inner_text() == "format"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("1")
    page.keyboard.press("e")
    page.keyboard.type("3 days late")
    page.keyboard.press("Escape")
    page.get_by_label("Your name").fill("Noor")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    wait_until_labelled(page, 1)
    told = {(each.case_id, each.name): (each.value, each.note) for each in two_runs.labels(NEW)}
    assert told == {(first, "correctness"): (1.0, "3 days late"), (first, "completeness"): (0.0, "3 days late")}
    second = page.locator("[name=case]").input_value()
    page.keyboard.press("n")
    page.wait_for_url(re.compile(f"after={second}"))
    assert page.locator("[name=case]").input_value() not in (first, second)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_until_labelled(page, 2)


def test_previous_shows_what_was_said(served: str, page: Any) -> None:
    page.goto(f"{served}/label?run={NEW}")
    page.get_by_label("Your name").fill("Noor")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    wait_until_labelled(page, 1)
    page.keyboard.press("p")
    page.wait_for_url(re.compile("case="))
    assert page.locator("[name=level-0]:checked").input_value() == "1"


def test_a_run_is_labelled_without_scripts(served: str, browser: Any, two_runs: SqliteStore) -> None:
    with watched_page(browser, java_script_enabled=False) as page:
        page.goto(f"{served}/label?run={NEW}")
        page.get_by_text("partly").click()
        page.get_by_label("Your name").fill("Ann")
        page.get_by_role("button", name="Save and next").click()
        page.wait_for_load_state()
        assert "1 of 6 labelled by Ann" in page.locator("main").inner_text()
    assert [each.value for each in two_runs.labels(NEW)] == [0.5]


def test_the_frame_of_a_marked_dimension_leaves_its_name_alone(served: str, page: Any) -> None:
    """What is painted around a fieldset, a border apart, goes through its legend."""
    page.goto(f"{served}/label?run={NEW}")
    style = "getComputedStyle(document.querySelector('.lv-marked'))"
    assert page.evaluate(f"[{style}.borderWidth, {style}.boxShadow, {style}.outlineStyle]") == ["2px", "none", "none"]
    heights = page.evaluate("[...document.querySelectorAll('legend')].map((each) => each.getBoundingClientRect().y)")
    assert len({*heights}) == 1, "no name moves"


@pytest.mark.parametrize("width", [1100, 375])
def test_two_models_are_compared_by_keyboard_and_without_scripts(
    store: SqliteStore, source: Source, browser: Any, width: int
) -> None:
    """Of more than two, each field has all of them."""
    models = ("small", "large", "a model of a vendor with a long name, preview 2026-11-01")
    store.start_run(run(models=models, name="six"))
    for model in models:
        outcome: Any = "missed" if model == "small" else "passed"
        store.add_case(run().id, record("row", model=model, outcome=outcome, input_digest="1"))
    store.finish_run(run().id, END)
    options = {"java_script_enabled": False, "viewport": {"width": width, "height": 900}}
    with serving(source) as address, watched_page(browser, **options) as page:
        page.goto(f"{address}/run?id={run().id}")
        form = page.get_by_role("form", name="Compare two models")
        form.get_by_label("Compare models").focus()
        page.keyboard.press("End")
        page.keyboard.press("Tab")
        page.keyboard.type("small")
        page.keyboard.press("Tab")
        assert form.get_by_role("button", name="Compare").evaluate("each => each === document.activeElement")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Two models of a run side by side").wait_for()
        assert page.title() == f"six@{models[2]} against six@small · llmeval"
        assert page.locator(".lv-flip").count() == 1
        page.get_by_role("link", name="swap them").click()
        page.wait_for_load_state()
        assert page.title() == f"six@small against six@{models[2]} · llmeval"
        assert page.locator(".lv-flip .lv-two > div").first.inner_text().startswith("passed base")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def never_there(*arguments: Any, **options: Any) -> None:
    """Return no metrics: they take longer."""


def test_a_page_that_waits_does_not_load_again_under_somebodys_hands(
    served: str, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types or unfolds something is left alone; else it loads again, later each time."""
    monkeypatch.setattr(Summaries, "overview", never_there)
    page.clock.install()
    page.goto(f"{served}/run?id={NEW}")
    with page.expect_navigation():
        page.clock.run_for(2_000)
    page.clock.run_for(2_500)
    page.get_by_label("Search").press_sequentially("row-4")
    page.clock.run_for(60_000)
    assert page.get_by_label("Search").input_value() == "row-4"
    page.goto(f"{served}/run?id={NEW}&outcome=missed")
    page.locator("summary", has_text="Settings of the session").click()
    page.clock.run_for(60_000)
    assert page.locator("details[open] pre.lv-json").count() == 1


def test_what_a_level_means_is_read_without_a_mouse(served: str, page: Any) -> None:
    """By everybody, and told with the level by a screen reader; so is what the bar counts."""
    page.goto(f"{served}/label?run={NEW}")
    assert page.get_by_role("progressbar", name="Labelled answers").count() == 1
    levels = page.locator("[data-dimension] input")
    assert levels.count() == 8
    for place in range(8):
        told = page.locator(f"#{levels.nth(place).get_attribute('aria-describedby')}")
        assert told.is_visible() and len(told.inner_text()) > 10


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_nothing_is_wider_than_the_window(
    served: str, browser: Any, two_runs: SqliteStore, width: int, scheme: Any
) -> None:
    case = next(two_runs.cases(NEW)).id
    with watched_page(browser, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for address in (
            f"run?id={NEW}",
            f"case?id={case}",
            f"compare?base={OLD}&current={NEW}",
            f"label?run={NEW}",
            "",
        ):
            page.goto(f"{served}/{address}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
            back = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (back == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_phone_shows_each_verdict_and_why_without_scrolling_sideways(
    served: str, browser: Any, two_runs: SqliteStore
) -> None:
    """Who reviews a change there sees what failed; the figures stand behind it."""
    long = "1 to 0.8462 (-0.154, 90% interval -0.253..-0.0552); p 0.039 after Holm over 5 rules, fails below 0.05"
    two_runs.set_verdicts(NEW, [replace(VERDICT, rule="max_drop=0.02", verdict="fail", reason=long)])
    with watched_page(browser, viewport={"width": 375, "height": 900}) as page:
        page.goto(f"{served}/run?id={NEW}")
        (row, why) = page.locator(".lv-table tbody").first.locator("tr").all()
        (reason,) = why.locator("div").all()
        for part in (row.get_by_text("fail", exact=True), reason):
            box = part.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 375
        assert reason.inner_text() == long


@pytest.mark.parametrize("verdict", ["unmeasurable", "pass"])
def test_a_printed_page_holds_the_tables_to_their_last_column(
    served: str, two_runs: SqliteStore, page: Any, verdict: Any
) -> None:
    """On A4; what a window scrolls sideways would be cut there, and no colour of a legend is left out."""
    wide = {"low": 0.1234, "high": 0.5678, "value": 0.4321, "delta": -0.1234, "mde": 0.000_238, "n": 1234}
    about = {"suite": "capital-letters", "model": "small", "slice": "europe", "reason": "why " * 40}
    found = Verdict(metric="contains_all", rule="max_error_rate=0.02", verdict=verdict, **about, **wide)  # type: ignore[arg-type]
    two_runs.set_verdicts(NEW, [found])
    page.set_viewport_size({"width": 718, "height": 900})  # 210 mm less margins of 10 mm
    page.goto(f"{served}/run?id={NEW}")
    page.emulate_media(media="print")
    cut = (
        """[...document.querySelectorAll(".le-scroll")].filter((each) => each.scrollWidth > each.clientWidth).length"""
    )
    assert page.evaluate(cut) == 0
    assert page.locator("th", has_text="MDE").first.bounding_box()["x"] < 700
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.lv-count'), '::before').printColorAdjust") == "exact"
    )


def test_files_open_without_a_server(two_runs: SqliteStore, source: Source, tmp_path: Path, page: Any) -> None:
    write_site(tmp_path / "out", source, two_runs.runs())
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.get_by_role("link", name="nightly").first.click()
    page.wait_for_load_state()
    assert page.evaluate("getComputedStyle(document.querySelector('.lv-top')).display") == "flex", "the style is there"
    page.get_by_label("Slice").select_option("odd")
    assert ids(page) == ["row-1", "row-3", "row-5"]
    page.get_by_label(re.compile("flipped since")).check()
    assert ids(page) == ["row-1"]
    assert page.locator("output").inner_text() == "1 of 8 rows"
    page.get_by_label(re.compile("flipped since")).uncheck()
    page.get_by_label("Search").fill("row-1")
    page.get_by_role("link", name="row-1", exact=True).click()
    page.wait_for_load_state()
    assert "Lee wrote it" in page.locator("main").inner_text()
    page.go_back()
    page.wait_for_function("document.querySelector('[type=search]').value === 'row-1'")
    assert page.locator("output").inner_text() == "1 of 8 rows"
    assert ids(page) == ["row-1"]


def test_one_page_holds_all(two_runs: SqliteStore, source: Source, tmp_path: Path, page: Any) -> None:
    (tmp_path / "run.html").write_text(self_contained(source, two_runs.find_run(NEW)), encoding="utf-8")
    page.goto((tmp_path / "run.html").as_uri())
    page.get_by_label("Search").fill("row-3")
    assert ids(page) == ["row-3"]
    page.locator(".lv-case:visible summary", has_text="In full").click()
    assert "Who wrote letter 3?" in page.locator(".lv-case:visible").text_content()
    assert page.evaluate("getComputedStyle(document.querySelector('.lv-top')).display") == "flex"


def test_hostile_texts_stay_texts(store: SqliteStore, source: Source, tmp_path: Path, browser: Any) -> None:
    """On every page, served and in files: nothing runs, nothing else is asked, nothing hides."""
    found = hostile_run(store)
    write_site(tmp_path / "out", source, [found])
    (tmp_path / "run.html").write_text(self_contained(source, found), encoding="utf-8")
    cases = [case.id for case in store.cases(found.id)]
    with serving(source) as address, watched_page(browser) as page:
        served = ["/", f"/run?id={found.id}", f"/compare?base={found.id}&current={found.id}"]
        served += [f"/case?id={each}" for each in cases[::3]]
        files = [(tmp_path / "run.html").as_uri(), *(each.as_uri() for each in (tmp_path / "out").glob("[ir]*.html"))]
        for target in (*(address + each for each in served), *files):
            page.goto(target)
            assert page.evaluate("document.body.dataset.pwned") is None, target
            assert (
                page.evaluate("document.querySelectorAll('iframe, object, embed, main script, main img').length") == 0
            )
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), target


def test_a_hostile_suite_can_be_chosen(store: SqliteStore, source: Source, browser: Any) -> None:
    """Its name comes back from the form as it was, line ends and all."""
    suites = sorted(text for text in HOSTILE.values() if len(text) <= 1_000)
    store.start_run(run())
    for suite in suites:
        store.add_case(run().id, record(suite=suite))
    store.finish_run(run().id, END)
    with serving(source) as address, watched_page(browser) as page:
        page.goto(f"{address}/run?id={run().id}")
        for place, suite in enumerate(suites, 1):
            with page.expect_navigation():
                page.locator("select[name=suite]").select_option(index=place)
            assert page.locator(".lv-case").count() == 1, repr(suite)


def test_a_page_that_waits_does_not_hold_back_who_leaves_it(page: Any) -> None:
    """It is seen until the next one is there, which takes longer than its own patience here."""
    script = Path(pytest_llmeval.view.__file__).with_name("static").joinpath("view.js").read_text(encoding="utf-8")
    waiting = f"<p data-reload=500><a href=/there>on</a></p><script>{script}</script>"
    page.route("http://127.0.0.1:1/here", lambda route: route.fulfill(body=waiting, content_type="text/html"))

    def slowly(route: Any) -> None:
        time.sleep(1.5)
        route.fulfill(body="<h1>there</h1>", content_type="text/html")

    page.route("http://127.0.0.1:1/there", slowly)
    page.goto("http://127.0.0.1:1/here")
    page.get_by_role("link").click()
    page.get_by_role("heading", name="there").wait_for(timeout=20_000)
