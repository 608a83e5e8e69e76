"""pytest-html's report of a session with evals, looked at in a browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.browser import needs_chromium, watched_page
from tests.support.fault_server import FaultServer
from tests.support.project import Project

pytestmark = needs_chromium

EVAL = """
def test_echo(sample, response, score):
    if sample.id == "broken":
        raise RuntimeError("it broke")
    if sample.id == "left-out":
        pytest.skip("not today")
    score.exact(response, sample.target)
    score.record("length", len(response.text) / 10, reason="in tens")
"""
ROWS: list[dict[str, Any]] = [
    {"id": "right", "input": "Paris", "target": "Paris", "slice": "easy"},
    {"id": "wrong", "input": "It is Lyon.", "target": "It is Paris.", "slice": ["hard", "long"]},
    {"id": "also-right", "input": "Rome", "target": "Rome", "slice": "hard"},
    {"id": "broken", "input": "x", "target": "x", "slice": "easy"},
    {"id": "left-out", "input": "y", "target": "y"},
]
RULES = """
version: 1
suites:
  echo:
    exact: {min: 0.6, max_drop: 0.5}
    settings: {max_error_rate: 0.5}
    slices: {hard: {exact: {min: 0.9}}}
"""
HTML = ("--html=report.html", "--self-contained-html")


def write(project: Project, **more: str) -> None:
    """Write the eval, its rules and an ordinary test."""
    plain = "import pytest\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_plain(x):\n    assert x == 1\n"
    project.eval(EVAL, ROWS)
    project.write(thresholds_yaml=RULES, evals__test_plain_py=plain, **more)


@contextmanager
def opened(browser: Any, project: Project, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    """Open the report; fail where a script failed, or was kept from running."""
    with watched_page(browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.goto((project.root / "report.html").as_uri())
        yield page


def table(page: Any) -> dict[str, dict[str, str]]:
    """Return the cells that can be seen of each row, by title, by the id in brackets."""
    titles = page.locator("#results-table > thead th").all_inner_texts()
    found = {}
    for row in page.locator("#results-table > tbody > tr.collapsible").all():
        if row.is_visible():
            cells = dict(zip(titles, [text.strip() for text in row.locator("> td").all_inner_texts()], strict=True))
            found[re.sub(r".*\[(.*)\].*", r"\1", cells["Test"])] = cells
    return found


def choose(page: Any, name: str, value: str) -> None:
    page.get_by_label(name, exact=False).select_option(value)


def details(page: Any, sample_id: str) -> str:
    """Return the text of a case in full, unfolded where it is not."""
    body = page.locator("#results-table tbody", has_text=f"[{sample_id}]")
    content = body.locator(".llmeval-case > *").first
    for patience in (3, 30, 300):  # the page may unfold it a moment later, and a click would fold it then
        for _ in range(patience):
            if content.is_visible():
                return str(body.locator(".llmeval-case").inner_text())
            page.wait_for_timeout(100)
        body.locator("td.col-testId").click()
    raise AssertionError(f"{sample_id} does not unfold")


@pytest.mark.parametrize("distributed", [(), ("-n0",), ("-n2",)])
def test_a_report_has_a_row_for_each_case_with_its_outcome_beside_pytests_own(
    project: Project, browser: Any, distributed: tuple[str, ...]
) -> None:
    write(project)
    result = project.run("evals", *HTML, *distributed)
    assert result.ret == 1
    with opened(browser, project) as page:
        rows = table(page)
        outcomes = {name: (cells["Outcome"], cells["Result"]) for name, cells in rows.items()}
        assert outcomes == {
            "broken": ("error: code", "Failed"),
            "wrong": ("missed", "Passed"),
            "right": ("passed", "Passed"),
            "also-right": ("passed", "Passed"),
            "left-out": ("skipped", "Skipped"),
            "1": ("passed", "Passed"),
            "2": ("failed", "Failed"),
        }
        wrong = rows["wrong"]
        assert (wrong["Suite"], wrong["Slice"], wrong["Model"]) == ("echo", "hard, long", "echo")
        assert wrong["Score"] == "0 exact"
        assert re.fullmatch(r"\d+ / \d+", wrong["Tokens in / out"])
        assert rows["1"]["Score"] == ""
        head = page.inner_text("#llmeval")
        assert "FAIL (1 fail, 1 inconclusive, 1 not judged)" in head
        assert re.search(r"exact \[hard\]\s+min=0.9\s+fail\s", head)
        assert "2 passed, 1 missed, 1 error, 1 skipped" in head
        assert page.locator("#llmeval svg desc").first.text_content().startswith("all: 0.67")


def test_a_case_in_full_shows_chat_difference_scores_and_calls(project: Project, browser: Any) -> None:
    write(project)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        text = details(page, "wrong")
        for part in (
            "user\nIt is Lyon.",
            "response\nIt is Lyon.",
            "expected\nIt is Paris.",
            "in tens",
            'got "It is Lyon',
        ):
            assert part in text
        assert page.locator(".llmeval-case del").inner_text() == "Paris"
        assert page.locator(".llmeval-case ins").inner_text() == "Lyon"
        assert re.search(r"model\s+echo\s+ok\s+1\s", text)
        assert "it broke" in details(page, "broken")


def test_rows_that_unfold_together_are_filled_for_search_and_for_print(project: Project, browser: Any) -> None:
    """Far from what is in sight, too."""
    rows = [{"id": f"r{number}", "input": f"{'line ' * 300} end {number}."} for number in range(40)]
    project.eval("def test_echo(sample, response):\n    pass\n", rows)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        page.evaluate("document.getElementById('show_all_details').click()")
        page.wait_for_function("() => !document.querySelector('.llmeval-case:empty')", timeout=20_000)
        assert page.evaluate("window.find('end 39.')")
        empty = "document.querySelectorAll('.extras-row:not(.hidden) .llmeval-case:empty').length"
        page.reload()
        page.evaluate("document.getElementById('hide_all_details').click()")
        page.wait_for_timeout(100)
        assert page.evaluate("document.querySelectorAll('.llmeval-case:empty').length") == 40
        click = "document.getElementById('show_all_details').click()"
        assert page.evaluate(f"{click}, {empty}") == 40
        assert page.evaluate(f"{click}, dispatchEvent(new Event('beforeprint')), {empty}") == 0


def test_rows_are_chosen_by_outcome_slice_and_both(project: Project, browser: Any) -> None:
    write(project)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        assert page.inner_text("#llmeval-count") == "7 of 7 rows"
        choose(page, "Outcome", '[data-outcome="missed"]')
        assert set(table(page)) == {"wrong"}
        assert page.inner_text("#llmeval-count") == "1 of 7 rows"
        choose(page, "Outcome", "")
        choose(page, "Slice", str(page.locator("option", has_text="hard").get_attribute("value")))
        assert set(table(page)) == {"wrong", "also-right"}
        choose(page, "Outcome", '[data-outcome="passed"]')
        assert set(table(page)) == {"also-right"}
        details(page, "also-right")  # which draws the whole table again
        assert set(table(page)) == {"also-right"}
        assert page.get_by_label("Flipped").count() == 0


def test_rows_that_flipped_are_counted_once_whatever_their_epochs(project: Project, server: FaultServer) -> None:
    write(project)
    project.run("evals", "--run-name=before")
    server.reply = lambda messages: str(messages[-1]["content"]).replace("Lyon", "Paris").replace("Rome", "Milan")
    project.run("evals", "--baseline=before", "--epochs=3", *HTML)
    page = (project.root / "report.html").read_text()
    assert "1 rows flipped for the worse, 1 for the better" in page
    assert re.search(r"any \(2\)<.*>got worse \(1\)<.*>got better \(1\)<", page)


def test_a_case_that_did_not_change_is_of_a_row_that_did(project: Project, browser: Any) -> None:
    """Of three epochs one got worse: the others are as they were."""
    body = """
    def test_echo(sample, request):
        from pathlib import Path
        assert "-e2" not in request.node.name or not Path("worse.txt").exists()
    """
    project.eval(body, [{"id": "a", "input": "x"}])
    project.run("evals", "--run-name=before", "--epochs=3")
    project.write(worse_txt="")
    project.run("evals", "--baseline=before", "--epochs=3", *HTML)
    with opened(browser, project) as page:
        outcomes = sorted(cells["Outcome"] for cells in table(page).values())
        assert outcomes == ["missed row got worse", "passed row got worse", "passed row got worse"]


def test_rows_that_flipped_are_marked_chosen_and_shown_beside_the_baseline(
    project: Project, browser: Any, server: FaultServer
) -> None:
    write(project)
    project.run("evals", "--run-name=before")
    server.reply = lambda messages: str(messages[-1]["content"]).replace("Lyon", "Paris").replace("Rome", "Milan")
    project.run("evals", "--baseline=before", *HTML)
    with opened(browser, project) as page:
        assert "1 rows flipped for the worse, 1 for the better" in page.inner_text("#llmeval")
        choose(page, "Flipped", "[data-flip]")
        assert {name: cells["Outcome"] for name, cells in table(page).items()} == {
            "also-right": "missed got worse",
            "wrong": "passed got better",
        }
        choose(page, "Flipped", '[data-flip="worse"]')
        assert set(table(page)) == {"also-right"}
        text = details(page, "also-right")
        assert "In the baseline passed\n" in text.replace("\xa0", " ") and "response\nRome" in text
        assert page.locator("#llmeval svg .le-before").count() > 0


def test_a_case_and_a_test_whose_workers_died_have_rows(project: Project, browser: Any) -> None:
    die = "def test_dies():\n    import os\n    os._exit(3)\n"
    body = 'def test_echo(sample, response):\n    import os\n    sample.id == "1" and os._exit(3)\n'
    project.eval(body, [{"id": f"{number}", "input": "x"} for number in range(4)])
    project.write(evals__test_dies_py=die)
    project.run("evals", "-n2", *HTML)
    with opened(browser, project) as page:
        rows = table(page)
        assert {name: cells["Outcome"] for name, cells in rows.items()} == {
            "0": "passed",
            "1": "error: worker_crashed",
            "2": "passed",
            "3": "passed",
            "evals/test_dies.py::test_dies": "failed",
        }
        assert "the worker process died" in details(page, "1")
        assert "x" in details(page, "1")  # what it had asked was paid, and is not lost


def test_a_resumed_run_shows_what_earlier_sessions_ended(project: Project, browser: Any) -> None:
    write(project)
    names = ("test_plain.py", "test_echo.py::test_echo[wrong]", "test_echo.py::test_echo[broken]")
    later = [f"--deselect=evals/{name}" for name in names]
    project.run("evals", "--run-name=r", *later)
    project.run("evals", "--resume=r", *HTML)
    with opened(browser, project) as page:
        rows = table(page)
        assert set(rows) == {"right", "wrong", "also-right", "broken", "left-out", "1", "2"}
        assert rows["also-right"]["Result"] == "Passed" and rows["left-out"]["Result"] == "Skipped"
        assert "Rome" in details(page, "also-right")


def test_a_second_look_at_a_run_stands_in_the_report_of_the_first(project: Project, browser: Any) -> None:
    body = """
    def test_echo(sample, request, score):
        score.record("right", "-e" in request.node.name or sample.id not in "abc")
    """
    rules = "version: 1\ndefaults: {on_inconclusive: escalate}\nsuites: {echo: {right: {min: 0.8, confident: true}}}\n"
    project.eval(body, [{"id": name, "input": "x"} for name in "abcdefghijkl"])
    project.write(thresholds_yaml=rules)
    result = project.run("evals", *HTML)
    result.stdout.fnmatch_lines(["note: escalated: 2 epochs more, 24 cases*"])
    with opened(browser, project) as page:
        rows = table(page)
        assert len(rows) == 36
        assert {rows[name]["Outcome"] for name in ("a-e2", "l-e3")} == {"passed"}


def test_a_session_that_was_stopped_has_a_report_that_says_so(project: Project, browser: Any) -> None:
    project.eval("def test_echo(response):\n    assert False\n", [{"id": f"{n}", "input": "x"} for n in range(3)])
    assert project.run("evals", "-x", *HTML).ret == 1
    with opened(browser, project) as page:
        assert "stopped, not judged" in page.inner_text("#llmeval")
        assert set(table(page)) == {"0"}


def test_a_large_run_keeps_what_is_looked_at_and_says_what_it_leaves_out(
    project: Project, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmeval.reports.html import chosen_cases

    monkeypatch.setattr(chosen_cases, "MOST_CASES", 10)
    monkeypatch.setattr(chosen_cases, "SAMPLED", 2)
    rows = [{"id": f"r{number}", "input": "x", "target": "x" if number % 10 else "y"} for number in range(30)]
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", rows)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n")
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        assert set(table(page)) == {"r0", "r10", "r20", "r1", "r15"}
        assert "Of 30 cases 5 are shown: every error, miss and flipped row" in page.inner_text("#llmeval-left-out")
        assert "30 Passed" in page.inner_text(".filters")
        assert "missed (3)" in page.inner_text("#llmeval-filters")


def test_columns_and_lines_of_the_project_stay(project: Project, browser: Any) -> None:
    hooks = """
    def pytest_html_results_table_header(cells):
        cells.insert(1, "<th>Owner</th>")
        cells.pop()

    def pytest_html_results_table_row(report, cells):
        cells.insert(1, "<td>me</td>")
        cells.pop()

    def pytest_html_results_summary(prefix):
        prefix.append("<p>of our own</p>")

    def pytest_html_report_title(report):
        report.title = "Our title"
    """
    write(project, conftest_py=hooks)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        assert page.title() == "Our title"
        assert "of our own" in page.inner_text(".summary__data")
        rows = table(page)
        assert rows["wrong"]["Owner"] == rows["1"]["Owner"] == "me"
        assert (rows["wrong"]["Outcome"], rows["wrong"]["Slice"]) == ("missed", "hard, long")
        assert "Links" not in rows["wrong"]


def test_the_table_is_sorted_by_our_numbers(project: Project, browser: Any) -> None:
    write(project)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        page.locator("#results-table > thead th", has_text="Score").click()
        scores = [cells["Score"] for cells in table(page).values() if cells["Score"]]
        assert scores == ["0 exact", "1 exact", "1 exact"]
        page.locator("#results-table > thead th", has_text="Score").click()
        scores = [cells["Score"] for cells in table(page).values() if cells["Score"]]
        assert scores == ["1 exact", "1 exact", "0 exact"]


@pytest.mark.parametrize("width", [1010, 1200])
def test_a_word_stays_whole_in_a_narrow_table(project: Project, browser: Any, width: int) -> None:
    """Beside a name that is too long for its column, in all of which nothing is wider than the window."""
    slices = ["regression", "insects", "pneumonoultramicroscopicsilicovolcanoconiosis"]
    project.eval(EVAL.replace("echo", "vegetables"), [{**row, "slice": slices} for row in ROWS])
    project.run("evals", *HTML)
    with opened(browser, project, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = page.evaluate("""() => [...document.querySelectorAll("thead th, td[class*=col-llmeval]")]
          .flatMap((cell) => [...cell.childNodes].flatMap((text) => [...text.textContent.matchAll(/[^ ]+/g)]
            .map((word) => [text.firstChild || text, word])))
          .filter(([text, word]) => {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            return range.getClientRects().length > 1;
          }).map(([text, word]) => word[0])""")
        assert {word[:7] for word in broken} <= {"pneumon"}


def test_the_environment_says_that_it_unfolds(project: Project, browser: Any) -> None:
    write(project)
    project.run("evals", *HTML)
    with opened(browser, project) as page:
        head = page.locator("#environment-header h2")
        mark = "(head) => getComputedStyle(head, '::before').content"
        folded = head.evaluate(mark)
        head.click()
        assert (folded, head.evaluate(mark)) == ('"▸"', '"▾"')
        assert page.locator("#environment").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_its_window(project: Project, browser: Any, width: int) -> None:
    write(project)
    project.run("evals", "--html=report.html")  # with its style in a file beside it
    with opened(browser, project, width=width, scheme="dark") as page:
        details(page, "wrong")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        dark: Any = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark == "rgb(13, 17, 23)"
